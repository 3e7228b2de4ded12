//! Which class goes next, so that messages about one thing keep their order.
//!
//! The class of the first priority that holds something goes next; classes of one priority take turns by age. Left to
//! itself, that lets a message pass by an older one about the same thing, of a class that leaves later. So a class whose
//! next message would do that lends its turn to the class of the older one, until that has left. At worst everything leaves
//! in the order in which it was accepted.
//!
//! What messages are about is only found out while a class waits that others pass by, and something has come that would. One
//! class alone never asks.

use super::Outbox;
use super::entry::Entry;
use super::key::Key;
use super::slab::Slab;
use super::slot::Slot;
use crate::canary::Canary;
use crate::class::Class;

impl Outbox {
    /// The class that goes next, of those that may.
    pub(in crate::hub) fn next(&self, may: impl Fn(&Class) -> bool) -> Option<usize> {
        let mut next: Option<(u8, u64, usize)> = None;
        for index in self.order.iter().map(|&index| usize::from(index)) {
            let queue = &self.queues[index];
            if next.is_some_and(|(priority, ..)| priority < queue.class.priority) {
                break;
            }
            if let Some(front) = queue.front()
                && next.is_none_or(|(_, number, _)| front.number < number)
            {
                let first = self.borrower(index);
                if may(&self.queues[first].class) {
                    next = Some((queue.class.priority, front.number, first));
                }
            }
        }
        next.map(|(.., index)| index)
    }

    /// The class that goes when it is this one's turn.
    fn borrower(&self, class: usize) -> usize {
        let mut borrower = class;
        // Each time it is about an older message: this ends.
        while let Some(other) = self.would_pass(borrower)
            && !self.planted.is(Canary::OrderInClassOnly)
        {
            borrower = other;
        }
        borrower
    }

    /// The class of the oldest message that is about the same thing as the next one of this class, and older. Whoever has
    /// borrowed a turn is before classes of its own priority, too, and has to look at them as well.
    fn would_pass(&self, class: usize) -> Option<usize> {
        let front = self.queues.get(class)?.front()?;
        let others = || {
            let others = self.queues.iter().enumerate().filter(move |(index, _)| *index != class);
            others.filter(|(_, other)| other.is_keyed())
        };
        others().next()?;
        let key = key_of(front, &self.entries)?;
        let older = others().filter_map(|(index, other)| Some((other.oldest_about(key)?, index)));
        older.filter(|&(number, _)| number < front.number).min().map(|(_, index)| index)
    }

    /// Whether a message of this class could pass by some of which is not known what they are about.
    pub(super) fn would_pass_unknown(&self, class: usize) -> bool {
        (0..self.queues.len()).any(|other| self.would_pass_unknown_of(class, other))
    }

    fn would_pass_unknown_of(&self, class: usize, other: usize) -> bool {
        let (Some(passing), Some(passed)) = (self.queues.get(class), self.queues.get(other)) else {
            return false;
        };
        let unknown = class != other && passed.queued.messages > 0 && !passed.is_keyed();
        unknown && self.passes(&passing.class, &passed.class)
    }

    /// Whether messages of one class may leave before older ones of another: their turn is before, or the rate limit holds the
    /// others. It may hold what is exempt, too, while anything waits that is not: whoever has lent it the turn waits with it.
    fn passes(&self, class: &Class, other: &Class) -> bool {
        let may_be_held = || other.rate_limited || self.limited_backlog() > 0;
        class.priority < other.priority || (!class.rate_limited && may_be_held())
    }

    /// Finds out what those are about that messages of this class could pass by.
    pub(super) fn learn_keys_before(&mut self, class: usize) {
        for other in 0..self.queues.len() {
            if self.would_pass_unknown_of(class, other) {
                let Outbox { queues, entries, .. } = self;
                queues[other].learn_keys(|slot| key_of(slot, entries));
            }
        }
    }

    /// The same for every class that holds what has a place in an order.
    pub(super) fn learn_keys(&mut self) {
        for class in 0..self.queues.len() {
            let has_key = |slot: &Slot| key_of(slot, &self.entries).is_some();
            if self.would_pass_unknown(class) && self.queues[class].slots().any(has_key) {
                self.learn_keys_before(class);
            }
        }
    }
}

fn key_of(slot: &Slot, entries: &Slab<Entry>) -> Option<Key> {
    slot.key().or_else(|| Key::of(&entries.get(slot.here()?)?.message))
}
