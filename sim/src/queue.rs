//! What will happen, in order of time, and of planning where the time is the same.

use edgehub_core::Instant;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// Events that are still to come.
#[derive(Debug)]
pub(crate) struct Queue<E> {
    events: BinaryHeap<Reverse<Planned<E>>>,
    planned: u64,
}

#[derive(Debug)]
struct Planned<E> {
    at: Instant,
    number: u64,
    event: E,
}

impl<E> PartialEq for Planned<E> {
    fn eq(&self, other: &Planned<E>) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl<E> Eq for Planned<E> {}

impl<E> PartialOrd for Planned<E> {
    fn partial_cmp(&self, other: &Planned<E>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Planned<E> {
    fn cmp(&self, other: &Planned<E>) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl<E> Queue<E> {
    pub(crate) fn new() -> Queue<E> {
        Queue { events: BinaryHeap::new(), planned: 0 }
    }

    pub(crate) fn plan(&mut self, at: Instant, event: E) {
        let number = self.planned;
        self.planned += 1;
        self.events.push(Reverse(Planned { at, number, event }));
    }

    /// When the next event comes.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.events.peek().map(|Reverse(planned)| planned.at)
    }

    /// Everything that is still to come, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Instant, &E)> {
        self.events.iter().map(|Reverse(planned)| (planned.at, &planned.event))
    }

    pub(crate) fn pop(&mut self) -> Option<(Instant, E)> {
        self.events.pop().map(|Reverse(Planned { at, event, .. })| (at, event))
    }
}
