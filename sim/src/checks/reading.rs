//! Reading stops and goes on in turn, and a link that nobody reads is never called silent (defect D11).

use super::{Check, Outcome, Step, broken};
use edgehub_core::hub::LinkEnd;
use edgehub_core::{Note, Output};

#[derive(Debug, Default)]
pub(super) struct Reading {
    paused: bool,
}

impl Check for Reading {
    fn name(&self) -> &'static str {
        "reading"
    }

    fn after(&mut self, step: &Step<'_>) -> Outcome {
        for output in step.outputs {
            match output {
                Output::Pause { .. } | Output::Resume { .. } => {
                    let pauses = matches!(output, Output::Pause { .. });
                    if pauses == self.paused {
                        return broken("turn", format!("{output:?}, while paused is {}", self.paused));
                    }
                    self.paused = pauses;
                }
                Output::Note(Note::LinkDown { end: LinkEnd::Silent, epoch, .. }) if self.paused => {
                    return broken(
                        "silent-unread",
                        format!("{epoch:?} is called silent, and nobody read it"),
                    );
                }
                Output::Note(Note::LinkUp { .. } | Note::LinkDown { .. }) => self.paused = false,
                _ => {}
            }
        }
        Ok(())
    }
}
