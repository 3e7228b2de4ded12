//! Who waits for which answer, and that each outcome is told to whom it concerns, and to nobody else.

use super::super::answers::is_refusal;
use super::{Outcome, Step, broken, id, key_of};
use edgehub_core::hub::{DropReason, SyncOutcome};
use edgehub_core::message::operation;
use edgehub_core::{Input, ModuleEvent, ModuleId, Note, Output};
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct Waiters {
    waiting: BTreeMap<u64, ModuleId>,
}

/// The requests that ended in a step.
fn ended(outputs: &[Output]) -> impl Iterator<Item = (&str, SyncOutcome)> {
    outputs.iter().filter_map(|output| match output {
        Output::Note(Note::SyncEnded { msg_id, outcome }) => Some((&**msg_id, *outcome)),
        _ => None,
    })
}

/// The request that a module made in a step.
fn asked<'a>(step: &'a Step<'_>) -> Option<(ModuleId, &'a str)> {
    match step.input {
        Input::Module { module, event: ModuleEvent::Sent { message, .. } } if message.is_sync() => {
            Some((*module, message.msg_id()))
        }
        _ => None,
    }
}

impl Waiters {
    /// Who waits for an answer to this request, unless its time ended first in the same step.
    pub(super) fn of(&self, parent: &str, outputs: &[Output]) -> Option<ModuleId> {
        let late =
            ended(outputs).any(|(msg_id, outcome)| msg_id == parent && outcome == SyncOutcome::Timeout);
        if late { None } else { self.waiting.get(&id(parent)).copied() }
    }

    /// Every answer of a step goes to a module that waits for it, and every module that waits gets one.
    pub(super) fn answers(
        &self,
        step: &Step<'_>,
        mut received: Option<(ModuleId, u64)>,
        is_joined: impl Fn(ModuleId) -> bool,
    ) -> Outcome {
        let asker = asked(step).map(|(module, _)| module);
        // Of two ends of one id the last one is that of the request of this step.
        let own = asked(step).and_then(|(_, asked)| {
            ended(step.outputs).enumerate().filter(|(_, (msg_id, _))| *msg_id == asked).last()
        });
        let mut told: Vec<(&str, Option<ModuleId>)> = ended(step.outputs)
            .enumerate()
            .filter(|(_, (_, outcome))| {
                matches!(outcome, SyncOutcome::Timeout | SyncOutcome::Rejected(_))
                    && *outcome != SyncOutcome::Rejected(DropReason::ModuleGone)
            })
            .map(|(at, (msg_id, outcome))| {
                // What is refused for want of an own id, or of a right to it, is the business of whoever asked just now.
                let refused = matches!(outcome, SyncOutcome::Rejected(reason) if is_refusal(reason));
                let just_asked = own.is_some_and(|(own, _)| own == at);
                let owner = self.waiting.get(&id(msg_id)).copied();
                (msg_id, if refused && just_asked { asker } else { owner })
            })
            .filter(|(_, owner)| owner.or(asker).is_some_and(&is_joined))
            .collect();
        for output in step.outputs {
            let Output::Deliver { module, message, answer: true } = output else { continue };
            if received == Some((*module, key_of(message))) {
                received = None;
                continue;
            }
            let parent = message.parent_msg_id();
            // Of two requests with one id the first may have ended by time and the second have been refused.
            let place = told.iter().position(|(msg_id, owner)| {
                *msg_id == parent && (*owner == Some(*module) || asker == Some(*module))
            });
            match place {
                Some(place) if message.operation() == operation::ERROR => drop(told.swap_remove(place)),
                _ => return broken("not-waiting", format!("{module:?} does not wait for {message:?}")),
            }
        }
        match (received, told.first()) {
            (None, None) => Ok(()),
            (received, told) => broken("untold", format!("an outcome was not told: {received:?}, {told:?}")),
        }
    }

    /// Who waits after the step.
    pub(super) fn after(&mut self, step: &Step<'_>) {
        let new = asked(step).map(|(module, msg_id)| (module, id(msg_id)));
        let waited = new.and_then(|(_, key)| self.waiting.get(&key).copied());
        let mut ends = 0;
        let mut refused = false;
        for (msg_id, outcome) in ended(step.outputs) {
            let key = id(msg_id);
            if new.is_some_and(|(_, new)| new == key) {
                ends += 1;
                refused |= matches!(outcome, SyncOutcome::Rejected(_));
            }
            self.waiting.remove(&key);
        }
        let Some((module, key)) = new else { return };
        match (waited, ends) {
            // It began to wait, alone or after the old one had ended.
            (None, 0) => drop(self.waiting.insert(key, module)),
            (Some(_), 1) if !refused => drop(self.waiting.insert(key, module)),
            // It was refused, and the old one goes on.
            (Some(owner), 1) => drop(self.waiting.insert(key, owner)),
            _ => {}
        }
    }
}
