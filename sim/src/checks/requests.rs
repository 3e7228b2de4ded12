//! Each sync request ends exactly once, in time, and its module learns of it once.

use super::{Check, Outcome, Step};
use edgehub_core::hub::{DropReason, SyncOutcome};
use edgehub_core::{Config, Input, Instant, ModuleEvent, ModuleId, Note, Output};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Requests {
    sync_timeout: Duration,
    waiting: BTreeMap<String, (ModuleId, Instant)>,
}

impl Requests {
    pub(super) fn new(config: &Config) -> Requests {
        Requests { sync_timeout: config.sync_timeout, waiting: BTreeMap::new() }
    }

    /// The request of this step: its id, and the wait that it began if none of the same id was there.
    fn begin(&mut self, step: &Step<'_>) -> Option<(ModuleId, String)> {
        let Input::Module { module, event: ModuleEvent::Sent { message, timeout } } = step.input else { return None };
        if !message.is_sync() {
            return None;
        }
        Some((*module, message.msg_id().to_string())).inspect(|(module, id)| {
            let deadline = step.now.mono + timeout.unwrap_or(self.sync_timeout).max(Duration::from_micros(1));
            // Waits that end before the input counts are ended below, in the order of the notes.
            self.waiting.entry(id.clone()).or_insert((*module, deadline));
        })
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
        let already = self.waiting.clone();
        let new = self.begin(step);
        let mut repeats = usize::from(new.as_ref().is_some_and(|(_, id)| already.contains_key(id)));
        for output in step.outputs {
            let Output::Note(Note::SyncEnded { msg_id, outcome }) = output else { continue };
            let refused = *outcome == SyncOutcome::Rejected(DropReason::RequestIdTaken);
            if refused && repeats > 0 {
                repeats -= 1;
                continue;
            }
            if self.waiting.remove(&**msg_id).is_none() {
                return Err(format!("{msg_id} ended ({outcome:?}) without waiting"));
            }
        }
        if repeats > 0 && let Some((module, id)) = &new && !self.waiting.contains_key(id) {
            // The first one ended by time, then the second one began.
            let timeout = match step.input {
                Input::Module { event: ModuleEvent::Sent { timeout, .. }, .. } => *timeout,
                _ => None,
            };
            let deadline = step.now.mono + timeout.unwrap_or(self.sync_timeout);
            self.waiting.insert(id.clone(), (*module, deadline));
        }
        if self.waiting.len() != step.hub.pending_requests() {
            let (model, hub) = (self.waiting.len(), step.hub.pending_requests());
            return Err(format!("{model} requests have no outcome, but {hub} wait"));
        }
        match self.waiting.iter().find(|(_, (_, deadline))| *deadline <= step.now.mono) {
            Some((id, _)) => Err(format!("{id} waits past its deadline")),
            None => Ok(()),
        }
    }
}
