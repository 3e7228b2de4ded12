//! A hub that is told to stop does so at once without a link, and with one when nothing is left to send or to confirm,
//! or when its grace is over: not later, and with work left not before. Nobody stops that was not told to.

use super::{Due, Outcome, Step, broken, length};
use edgehub_core::hub::{Direction, DropReason, LinkEnd};
use edgehub_core::{Config, Input, Instant, ModuleEvent, Note, Output};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Stopping {
    grace: Duration,
    up: bool,
    told: bool,
    stopped: bool,
    stopped_by: Option<Instant>,
}

impl Stopping {
    pub(super) fn new(config: &Config) -> Stopping {
        let grace = length(config.shutdown_grace);
        Stopping { grace, up: false, told: false, stopped: false, stopped_by: None }
    }

    /// Whether a step gives up what modules have sent before.
    fn gives_up(step: &Step<'_>) -> bool {
        let just_came = match step.input {
            Input::Module { event: ModuleEvent::Sent { message, .. }, .. } => message.msg_id(),
            _ => "",
        };
        step.outputs.iter().any(|output| match output {
            Output::Note(Note::LinkDown { unconfirmed, .. }) => *unconfirmed > 0,
            Output::Note(Note::Dropped {
                direction: Direction::Up,
                msg_id,
                reason: DropReason::Shutdown,
            }) => **msg_id != *just_came,
            _ => false,
        })
    }

    pub(super) fn after(&mut self, step: &Step<'_>) -> Outcome {
        let now = step.now.mono;
        self.told |= *step.input == Input::Shutdown;
        for output in step.outputs {
            match output {
                Output::Note(Note::LinkUp { .. }) => self.up = true,
                Output::Note(Note::LinkDown { end, .. }) => {
                    self.up = false;
                    let early = self.stopped_by.is_none_or(|by| now < by);
                    if *end == LinkEnd::Shutdown && early && Stopping::gives_up(step) {
                        let by = self.stopped_by;
                        return broken(
                            "grace-unused",
                            format!("work is given up at {now:?}; its time is {by:?}"),
                        );
                    }
                }
                Output::Stopped if !self.told => {
                    return broken("stop-unasked", "the hub stops, and nobody told it to".to_string());
                }
                Output::Stopped => (self.stopped, self.stopped_by) = (true, None),
                _ => {}
            }
        }
        if *step.input == Input::Shutdown && !self.stopped {
            if !self.up {
                return broken("stop-waits", "there is no link, and the hub does not stop".to_string());
            }
            self.stopped_by.get_or_insert(now + self.grace);
        }
        if let Input::Reconfigure(config) = step.input {
            self.grace = length(config.shutdown_grace);
        }
        Ok(())
    }

    pub(super) fn due(&self) -> Option<Due> {
        self.stopped_by.map(|at| Due { overdue: "grace-exceeded", untimed: "grace-untimed", at })
    }
}
