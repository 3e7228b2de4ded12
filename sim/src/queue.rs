//! What will happen, in order of time, and of planning where the time is the same.

use edgehub_core::Instant;
use std::collections::BTreeMap;

/// Events that are still to come.
#[derive(Debug)]
pub(crate) struct Queue<E> {
    events: BTreeMap<(Instant, u64), E>,
    planned: u64,
}

impl<E> Queue<E> {
    pub(crate) fn new() -> Queue<E> {
        Queue { events: BTreeMap::new(), planned: 0 }
    }

    pub(crate) fn plan(&mut self, at: Instant, event: E) {
        self.events.insert((at, self.planned), event);
        self.planned += 1;
    }

    /// The next event, unless it lies behind `end`.
    pub(crate) fn pop(&mut self, end: Instant) -> Option<(Instant, E)> {
        let first = self.events.first_entry().filter(|entry| entry.key().0 <= end)?;
        let ((at, _), event) = first.remove_entry();
        Some((at, event))
    }
}
