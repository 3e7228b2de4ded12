//! Whose turn it is: what is about one thing leaves in its order, so a message may leave when it is the turn of a later one.

use super::{Accepted, Upstream};

impl Upstream {
    /// The message that leaves when it is the turn of this one: the first of the class of the oldest about the same thing, and so
    /// on. `None` when nobody knows.
    pub(in super::super) fn leaves_for(&self, number: u64) -> Option<u64> {
        let message = self.messages.get(self.numbers.get(&number)?)?;
        if message.place().is_none() {
            return Some(number);
        }
        if self.unsure.contains(&message.key) {
            return None;
        }
        match self.oldest_about(message.key) {
            Some((_, oldest)) if oldest < number => {
                let class = &self.messages.get(self.numbers.get(&oldest)?)?.class;
                let first = self.first_of(class).filter(|_| self.ambiguous.is_empty())?;
                self.leaves_for(first)
            }
            _ => Some(number),
        }
    }

    /// Whether a message may leave when it is the turn of another one.
    pub(super) fn lends_to(&self, lender: u64, message: &Accepted) -> bool {
        let of_class = |lender: &Accepted| lender.class == message.class;
        let lender_message = self.numbers.get(&lender).and_then(|id| self.messages.get(id));
        !lender_message.is_none_or(of_class)
            && self.leaves_for(lender).is_none_or(|number| number == message.number)
    }

    /// Whether a message may leave because it is the turn of one of which nothing can be said.
    pub(super) fn is_lent_by_unknown(&self, message: &Accepted) -> bool {
        let mut older =
            self.messages.values().filter(|older| older.queued && self.unsure.contains(&older.key));
        older.any(|older| {
            let first = self.first_of(&older.class);
            first.is_some_and(|first| self.leaves_for(first).is_none_or(|number| number == message.number))
        })
    }

    pub(super) fn oldest_about(&self, key: u64) -> Option<(u64, u64)> {
        self.about.range((key, 0)..).next().filter(|(other, _)| *other == key).copied()
    }

    /// The first that waits in a class.
    pub(super) fn first_of(&self, name: &str) -> Option<u64> {
        let class = self.class(name);
        let (limited, priority) = (class.rate_limited, class.priority);
        let ranks = self.waiting.range((limited, priority, 0)..=(limited, priority, u64::MAX));
        let is_of_class = |number: &u64| {
            let message = self.numbers.get(number).and_then(|id| self.messages.get(id));
            message.is_some_and(|message| *message.class == *name)
        };
        ranks.map(|rank| rank.2).find(is_of_class)
    }
}
