//! Each sync request ends exactly once, in time, and its module learns of it once.

use super::{Check, Outcome, Step, broken};
use crate::key;
use edgehub_core::hub::{DropReason, SyncOutcome};
use edgehub_core::{Config, Input, Instant, ModuleEvent, ModuleId, Note, Output};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Requests {
    sync_timeout: Duration,
    waiting: BTreeMap<u64, (ModuleId, Instant)>,
    deadlines: BTreeSet<(Instant, u64)>,
}

impl Requests {
    pub(super) fn new(config: &Config) -> Requests {
        Requests { sync_timeout: config.sync_timeout, waiting: BTreeMap::new(), deadlines: BTreeSet::new() }
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
        self.wait(id, wait);
        Some((id, wait, repeats))
    }
}

/// Why a request can be refused without ever having waited.
fn is_refusal(outcome: SyncOutcome) -> bool {
    use DropReason::{NotForTheCloud, NotJoined, RequestIdTaken, Shutdown, TooLargeForClass};
    matches!(
        outcome,
        SyncOutcome::Rejected(RequestIdTaken | NotJoined | NotForTheCloud | Shutdown | TooLargeForClass)
    )
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
        let mut repeats = new.as_ref().is_some_and(|(.., repeats)| *repeats);
        for output in step.outputs {
            let Output::Note(Note::SyncEnded { msg_id, outcome }) = output else { continue };
            let is_new = new.as_ref().is_some_and(|(id, ..)| *id == key::of(msg_id));
            if repeats && is_new && is_refusal(*outcome) {
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
