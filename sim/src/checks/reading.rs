//! The link is read no more once an inbox fills up, and read again once all are nearly empty; and a link that nobody reads is
//! never called silent (defect D11).

use super::model::Fill;
use super::{Outcome, Step, broken};
use edgehub_core::hub::LinkEnd;
use edgehub_core::{Note, Output};

#[derive(Debug, Default)]
pub(super) struct Reading {
    paused: bool,
}

impl Reading {
    /// Judges a step that left the inboxes so full.
    pub(super) fn after(&mut self, step: &Step<'_>, fill: Fill) -> Outcome {
        let mut turned = false;
        for output in step.outputs {
            match output {
                Output::Pause { .. } | Output::Resume { .. } => {
                    let pauses = matches!(output, Output::Pause { .. });
                    if pauses == self.paused {
                        return broken("turn", format!("{output:?}, while paused is {}", self.paused));
                    }
                    (self.paused, turned) = (pauses, true);
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
        if !step.hub.link_state().is_open() {
            return Ok(());
        }
        // What came due may have turned it by itself, before the input changed what waits.
        let certain = turned && !step.was_due();
        let what = || format!("{fill:?}: {:?}", step.outputs);
        match self.paused {
            false if fill.must_pause => broken("read-on", what()),
            true if fill.must_resume => broken("unread", what()),
            true if certain && !fill.may_pause => broken("paused-early", what()),
            false if certain && !fill.may_resume => broken("resumed-early", what()),
            _ => Ok(()),
        }
    }
}
