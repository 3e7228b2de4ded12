//! A hub dials at once when it begins, and again when the wait that it spoke of is over; and it gives a dial up when that
//! has had its time, not before.

use super::{Due, Outcome, Step, broken, length};
use edgehub_core::config::LaneChoice;
use edgehub_core::hub::LinkEnd;
use edgehub_core::{Config, Input, Instant, Note, Output};
use std::time::Duration;

/// How long a dial may take, by lane.
fn limits(config: &Config) -> [Duration; 2] {
    let longest = length(config.open_timeout);
    let trial = match config.lanes.choice {
        LaneChoice::Auto => longest.min(length(config.lanes.trial)),
        LaneChoice::WebSocket | LaneChoice::Quic => longest,
    };
    [longest, trial]
}

#[derive(Debug)]
pub(super) struct Dialling {
    limits: [Duration; 2],
    dial_by: Option<Instant>,
    /// When a dial has had its time; not before the first, and no later than the second.
    opened_by: Option<[Instant; 2]>,
}

impl Dialling {
    pub(super) fn new(config: &Config) -> Dialling {
        Dialling { limits: limits(config), dial_by: Some(Instant(0)), opened_by: None }
    }

    pub(super) fn after(&mut self, step: &Step<'_>) -> Outcome {
        let now = step.now.mono;
        let before = self.limits;
        if let Input::Reconfigure(config) = step.input {
            self.limits = limits(config);
        }
        for output in step.outputs {
            match output {
                Output::Open { lane, .. } => {
                    // A dial that was due when another configuration came may be of either.
                    let mut limits = [before, self.limits].map(|limits| limits[*lane as usize]);
                    limits.sort();
                    (self.dial_by, self.opened_by) = (None, Some(limits.map(|limit| now + limit)));
                }
                Output::Note(Note::LinkUp { .. }) => self.opened_by = None,
                Output::Note(Note::LinkDown { end, retry_in, .. }) => {
                    let opened_by = self.opened_by.take();
                    if *end == LinkEnd::OpenTimeout && opened_by.is_none_or(|[first, _]| first > now) {
                        let what =
                            format!("a dial is given up at {now:?}, and had its time until {opened_by:?}");
                        return broken("dial-given-up-early", what);
                    }
                    self.dial_by = retry_in.map(|wait| now + wait);
                }
                Output::Stopped => (self.dial_by, self.opened_by) = (None, None),
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn due(&self) -> Option<Due> {
        let dial = self.dial_by.map(|at| Due { overdue: "dial-overdue", untimed: "dial-untimed", at });
        let open = |at| Due { overdue: "open-timeout-overdue", untimed: "open-timeout-untimed", at };
        dial.or(self.opened_by.map(|[_, last]| open(last)))
    }
}
