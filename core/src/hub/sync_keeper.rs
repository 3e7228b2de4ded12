//! Who waits for which answer, and until when.
//!
//! A request is remembered *before* it can leave, so no answer can be too fast (defect D1), and nothing but this one
//! table, in one thread, knows who waits (defect D7).

use super::input::ModuleId;
use super::note::DropReason;
use super::view::RequestView;
use crate::limits::SYNC_PENDING_MAX;
use crate::message::{Content, Draft, Message};
use crate::time::Instant;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// One wait, by number: an id may be used again once its first wait has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WaitId(u64);

/// One wait.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Waiter {
    pub(super) module: ModuleId,
    /// The request without its content: a time-out is told with its source, group and resource.
    pub(super) request: Message,
    deadline: Instant,
    wait: WaitId,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct SyncKeeper {
    waiters: BTreeMap<Arc<str>, Waiter>,
    deadlines: BTreeSet<(Instant, Arc<str>)>,
    begun: u64,
}

impl SyncKeeper {
    pub(super) fn len(&self) -> usize {
        self.waiters.len()
    }

    pub(super) fn view(&self) -> Vec<RequestView> {
        let view = |(id, waiter): (&Arc<str>, &Waiter)| RequestView {
            msg_id: (&**id).into(),
            module: waiter.module,
            deadline: waiter.deadline,
        };
        self.waiters.iter().map(view).collect()
    }

    /// Whether a request's own wait goes on.
    pub(super) fn goes_on(&self, msg_id: &str, wait: WaitId) -> bool {
        self.waiters.get(msg_id).is_some_and(|waiter| waiter.wait == wait)
    }

    /// Ends a request's own wait, if it goes on.
    pub(super) fn end_wait(&mut self, msg_id: &str, wait: WaitId) -> Option<Waiter> {
        if self.goes_on(msg_id, wait) { self.end(msg_id) } else { None }
    }

    /// Begins a wait.
    pub(super) fn begin(
        &mut self,
        module: ModuleId,
        request: &Message,
        deadline: Instant,
    ) -> Result<WaitId, DropReason> {
        if request.msg_id().is_empty() || self.waiters.contains_key(request.msg_id()) {
            return Err(DropReason::RequestIdTaken);
        }
        if self.waiters.len() >= SYNC_PENDING_MAX {
            return Err(DropReason::TooManyRequests);
        }
        let id: Arc<str> = Arc::from(request.msg_id());
        self.deadlines.insert((deadline, id.clone()));
        self.begun += 1;
        let wait = WaitId(self.begun);
        self.waiters.insert(id, Waiter { module, request: without_content(request), deadline, wait });
        Ok(wait)
    }

    /// Ends the wait for an answer to `msg_id`, if there is one.
    pub(super) fn end(&mut self, msg_id: &str) -> Option<Waiter> {
        let (id, waiter) = self.waiters.remove_entry(msg_id)?;
        self.deadlines.remove(&(waiter.deadline, id));
        Some(waiter)
    }

    /// When the next wait ends by itself.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(deadline, _)| deadline)
    }

    /// Ends one wait whose time is over.
    pub(super) fn pop_expired(&mut self, now: Instant) -> Option<Waiter> {
        if self.next_deadline()? > now {
            return None;
        }
        let (_, id) = self.deadlines.pop_first()?;
        self.waiters.remove(&id)
    }

    /// Ends every wait of a module, or every wait, oldest deadline first.
    pub(super) fn end_all(&mut self, of: Option<ModuleId>) -> Vec<Waiter> {
        let ids: Vec<Arc<str>> = self
            .deadlines
            .iter()
            .map(|(_, id)| id.clone())
            .filter(|id| {
                of.is_none_or(|module| self.waiters.get(id).is_some_and(|waiter| waiter.module == module))
            })
            .collect();
        ids.iter().filter_map(|id| self.end(id)).collect()
    }
}

/// The request as it is remembered: thousands may wait, and their contents are not needed for that.
fn without_content(request: &Message) -> Message {
    // A message is within its limits, and so is the same message with less content.
    Draft { content: Content::Null, ..Draft::from(request) }.encode().unwrap_or_else(|_| request.clone())
}
