//! A hub dials at once when it begins, and again when the wait that it spoke of is over; and it gives a dial up when that
//! has had its time, not before.

use super::{Due, Outcome, Step, broken, length};
use edgehub_core::hub::LinkEnd;
use edgehub_core::{Config, Input, Instant, Note, Output};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Dialling {
    open_timeout: Duration,
    dial_by: Option<Instant>,
    opened_by: Option<Instant>,
}

impl Dialling {
    pub(super) fn new(config: &Config) -> Dialling {
        let open_timeout = length(config.open_timeout);
        Dialling { open_timeout, dial_by: Some(Instant(0)), opened_by: None }
    }

    pub(super) fn after(&mut self, step: &Step<'_>) -> Outcome {
        let now = step.now.mono;
        let mut open_timeout = self.open_timeout;
        if let Input::Reconfigure(config) = step.input {
            self.open_timeout = length(config.open_timeout);
            open_timeout = open_timeout.max(self.open_timeout);
        }
        for output in step.outputs {
            match output {
                Output::Open { .. } => (self.dial_by, self.opened_by) = (None, Some(now + open_timeout)),
                Output::Note(Note::LinkUp { .. }) => self.opened_by = None,
                Output::Note(Note::LinkDown { end, retry_in, .. }) => {
                    let opened_by = self.opened_by.take();
                    if *end == LinkEnd::OpenTimeout && opened_by.is_none_or(|by| by > now) {
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
        dial.or(self.opened_by.map(open))
    }
}
