//! Who waits for which answer, and until when.
//!
//! A request is remembered *before* it can leave, so no answer can be too fast (defect D1), and nothing but this one
//! table, in one thread, knows who waits (defect D7).

use super::consistent::is_small;
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
    since: Instant,
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
    /// Whether a state out of a file can be one: each wait has its deadline.
    pub(super) fn is_consistent(&self) -> bool {
        self.waiters.len() == self.deadlines.len()
            && self.waiters.iter().all(|(id, waiter)| self.deadlines.contains(&(waiter.deadline, id.clone())))
            && is_small(self.begun)
    }

    pub(super) fn len(&self) -> usize {
        self.waiters.len()
    }

    /// When the oldest wait began.
    pub(super) fn holds_since(&self) -> Option<Instant> {
        self.waiters.values().map(|waiter| waiter.since).min()
    }

    pub(super) fn view(&self) -> Vec<RequestView> {
        let view = |(id, waiter): (&Arc<str>, &Waiter)| RequestView {
            msg_id: (&**id).into(),
            module: waiter.module,
            since: waiter.since,
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
        since: Instant,
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
        self.waiters.insert(id, Waiter { module, request: without_content(request), since, deadline, wait });
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
        let (_, id) = self.deadlines.first()?.clone();
        self.end(&id)
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

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;
    use std::string::ToString;

    fn request(id: &str) -> Message {
        Draft { msg_id: id, sync: true, content: Content::Text("a secret"), ..Draft::default() }
            .encode()
            .unwrap()
    }

    fn begin(keeper: &mut SyncKeeper, module: u32, id: &str, deadline: u64) -> Result<WaitId, DropReason> {
        keeper.begin(ModuleId(module), &request(id), Instant(0), Instant(deadline))
    }

    #[test]
    fn so_many_may_wait_and_no_more() {
        let mut keeper = SyncKeeper::default();
        for number in 0..SYNC_PENDING_MAX {
            assert!(begin(&mut keeper, 1, &number.to_string(), 5).is_ok());
        }
        assert_eq!(begin(&mut keeper, 1, "one more", 5), Err(DropReason::TooManyRequests));
        assert_eq!(keeper.len(), SYNC_PENDING_MAX);
        assert!(keeper.end("7").is_some());
        assert!(begin(&mut keeper, 1, "one more", 5).is_ok());
    }

    #[test]
    fn an_id_waits_once_and_must_be_there() {
        let mut keeper = SyncKeeper::default();
        assert_eq!(begin(&mut keeper, 1, "", 5), Err(DropReason::RequestIdTaken));
        let first = begin(&mut keeper, 1, "a", 5).unwrap();
        assert_eq!(begin(&mut keeper, 2, "a", 9), Err(DropReason::RequestIdTaken));
        assert!(keeper.goes_on("a", first));
        keeper.end("a");
        let second = begin(&mut keeper, 2, "a", 9).unwrap();
        assert!(!keeper.goes_on("a", first) && keeper.goes_on("a", second));
        assert!(keeper.end_wait("a", first).is_none(), "the first wait is over and cannot end the second");
        assert_eq!(keeper.end_wait("a", second).map(|waiter| waiter.module), Some(ModuleId(2)));
    }

    #[test]
    fn a_wait_ends_at_its_deadline_and_not_before() {
        let mut keeper = SyncKeeper::default();
        assert!(keeper.pop_expired(Instant(u64::MAX)).is_none());
        begin(&mut keeper, 1, "late", 9).unwrap();
        begin(&mut keeper, 1, "soon", 5).unwrap();
        assert!(keeper.pop_expired(Instant(5) - Duration::from_micros(1)).is_none());
        let ended = keeper.pop_expired(Instant(5)).unwrap();
        assert_eq!((ended.request.msg_id(), ended.request.content()), ("soon", "null"));
        assert!(keeper.pop_expired(Instant(5)).is_none());
        assert_eq!(keeper.next_deadline(), Some(Instant(9)));
    }

    #[test]
    fn a_modules_waits_end_together_and_the_others_go_on() {
        let mut keeper = SyncKeeper::default();
        for (module, id, deadline) in [(1, "b", 9), (2, "c", 1), (1, "a", 5)] {
            begin(&mut keeper, module, id, deadline).unwrap();
        }
        let ended = keeper.end_all(Some(ModuleId(1)));
        assert_eq!(ended.iter().map(|waiter| waiter.request.msg_id()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(keeper.end_all(None).len(), 1);
        assert_eq!((keeper.len(), keeper.next_deadline()), (0, None));
    }
}
