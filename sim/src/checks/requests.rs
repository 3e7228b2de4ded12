//! Each sync request ends exactly once, in time, and its module learns of it once.

use super::answers::is_refusal;
use super::reasons::rule;
use super::{Check, Outcome, Step, broken};
use crate::key;
use edgehub_core::hub::{Direction, DropReason, SyncOutcome};
use edgehub_core::{Config, Input, Instant, ModuleEvent, ModuleId, Note, Output};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Requests {
    sync_timeout: Duration,
    waiting: BTreeMap<u64, (ModuleId, Instant)>,
    deadlines: BTreeSet<(Instant, u64)>,
    /// Ids that were used, and those that were used again: of these nothing can be said.
    used: BTreeSet<u64>,
    used_again: BTreeSet<u64>,
}

impl Requests {
    pub(super) fn new(config: &Config) -> Requests {
        Requests {
            sync_timeout: config.sync_timeout,
            waiting: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            used: BTreeSet::new(),
            used_again: BTreeSet::new(),
        }
    }

    fn wait(&mut self, id: u64, wait: (ModuleId, Instant)) {
        if let Entry::Vacant(entry) = self.waiting.entry(id) {
            entry.insert(wait);
            self.deadlines.insert((wait.1, id));
        }
    }

    fn end(&mut self, id: u64) -> bool {
        let Some((_, deadline)) = self.waiting.remove(&id) else { return false };
        self.deadlines.remove(&(deadline, id))
    }

    /// The request of this step: its id, and whether one of the same id waits already.
    fn begin(&mut self, step: &Step<'_>) -> Option<(u64, (ModuleId, Instant), bool)> {
        let Input::Module { module, event: ModuleEvent::Sent { message, timeout, .. } } = step.input else {
            return None;
        };
        if !message.is_sync() {
            return None;
        }
        let id = key::of(message.msg_id());
        let length = timeout.unwrap_or(self.sync_timeout).max(Duration::from_micros(1));
        let wait = (*module, step.now.mono + length);
        let repeats = self.waiting.contains_key(&id);
        if !self.used.insert(id) {
            self.used_again.insert(id);
        }
        self.wait(id, wait);
        Some((id, wait, repeats))
    }
}

impl Requests {
    /// A request is dropped for want of a wait: is there none?
    fn reasons(&self, step: &Step<'_>, repeats: bool) -> Outcome {
        let ended = |id: &str| {
            step.outputs.iter().any(
                |output| matches!(output, Output::Note(Note::SyncEnded { msg_id, .. }) if **msg_id == *id),
            )
        };
        for output in step.outputs {
            let Output::Note(Note::Dropped { direction: Direction::Up, msg_id, reason }) = output else {
                continue;
            };
            let id = key::of(msg_id);
            let is_true = match reason {
                DropReason::RequestIdTaken => msg_id.is_empty() || repeats,
                DropReason::RequestExpired => {
                    !self.waiting.contains_key(&id) || self.used_again.contains(&id) || ended(msg_id)
                }
                _ => true,
            };
            if !is_true {
                return broken(rule(*reason), format!("{msg_id} is dropped ({reason}), and that is not so"));
            }
        }
        Ok(())
    }
}

impl Check for Requests {
    fn name(&self) -> &'static str {
        "sync requests"
    }

    fn after(&mut self, step: &Step<'_>) -> Outcome {
        if let Input::Reconfigure(config) = step.input {
            self.sync_timeout = config.sync_timeout;
        }
        let new = self.begin(step);
        self.reasons(step, new.as_ref().is_some_and(|(.., repeats)| *repeats))?;
        let mut repeats = new.as_ref().is_some_and(|(.., repeats)| *repeats);
        for output in step.outputs {
            let Output::Note(Note::SyncEnded { msg_id, outcome }) = output else { continue };
            let is_new = new.as_ref().is_some_and(|(id, ..)| *id == key::of(msg_id));
            if repeats && is_new && matches!(outcome, SyncOutcome::Rejected(reason) if is_refusal(*reason)) {
                repeats = false;
            } else if !self.end(key::of(msg_id)) {
                // The first one ended by time, and the second one at once.
                if !(repeats && is_new) {
                    return broken("not-waiting", format!("{msg_id} ended ({outcome:?}) without waiting"));
                }
                repeats = false;
            }
        }
        if let Some((id, wait, _)) = new.filter(|_| repeats) {
            // The first one ended by time, then the second one began.
            self.wait(id, wait);
        }
        if self.waiting.len() != step.hub.pending_requests() {
            let (model, hub) = (self.waiting.len(), step.hub.pending_requests());
            return broken("count", format!("{model} requests have no outcome, but {hub} wait"));
        }
        match self.deadlines.first().filter(|(deadline, _)| *deadline <= step.now.mono) {
            Some((_, id)) => broken("overdue", format!("{id:x} waits past its deadline")),
            None => Ok(()),
        }
    }
}
