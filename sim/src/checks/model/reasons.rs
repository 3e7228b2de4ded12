//! The reasons for which a message does not reach a module, each as something that the model can confirm.

use super::super::reasons::rule;
use super::inboxes::Inboxes;
use super::{Outcome, Step, broken};
use edgehub_core::hub::DropReason;
use edgehub_core::{Input, LinkEvent, ModuleEvent, ModuleId, Note, Output};
use std::collections::BTreeSet;

#[derive(Debug, Default)]
pub(super) struct Reasons {
    stalled: BTreeSet<ModuleId>,
    /// Why nobody receives the message of this step, if nobody does.
    nobody: Option<DropReason>,
}

impl Reasons {
    /// A step begins, with a message that nobody receives for this reason, if there is one.
    pub(super) fn begin(&mut self, nobody: Option<DropReason>) {
        self.nobody = nobody;
    }

    pub(super) fn observe(&mut self, output: &Output) {
        match output {
            Output::Note(Note::ModuleStalled { module }) => drop(self.stalled.insert(*module)),
            Output::Note(Note::ModuleRecovered { module }) => drop(self.stalled.remove(module)),
            _ => {}
        }
    }

    pub(super) fn left(&mut self, module: ModuleId) {
        self.stalled.remove(&module);
    }

    /// A message was dropped on its way down.
    pub(super) fn judge(
        &self,
        msg_id: &str,
        reason: DropReason,
        step: &Step<'_>,
        inboxes: &Inboxes,
    ) -> Outcome {
        let received = matches!(step.input, Input::Link { event: LinkEvent::Received(message), .. }
            if message.msg_id() == msg_id);
        let is_true = match reason {
            DropReason::NoWaiter
            | DropReason::UnknownGroup
            | DropReason::UnknownSource
            | DropReason::NoReceiver => received && self.nobody == Some(reason),
            DropReason::InboxFull => inboxes.owed_to(msg_id).any(|module| inboxes.may_be_full(module)),
            DropReason::ModuleGone => match step.input {
                Input::Module { module, event: ModuleEvent::Left } => {
                    inboxes.owed_to(msg_id).any(|owed| owed == *module)
                }
                _ => false,
            },
            DropReason::ModuleStalled => inboxes.owed_to(msg_id).any(|module| self.stalled.contains(&module)),
            DropReason::Shutdown => step.outputs.contains(&Output::Stopped),
            // Whether it is one, another check knows.
            DropReason::Duplicate => received,
            _ => false,
        };
        match is_true {
            true => Ok(()),
            false => broken(rule(reason), format!("{msg_id} is dropped ({reason}), and that is not so")),
        }
    }
}
