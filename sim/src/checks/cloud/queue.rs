//! What is owed to a node until it is acknowledged: in the order in which it was sent, and of no object an older version
//! after a newer one.

use super::super::amount::Amount;
use super::{Outcome, broken};
use crate::key;
use edgehub_core::Message;
use std::collections::{BTreeMap, VecDeque};

/// A message that is owed.
#[derive(Debug, Clone)]
struct Owed {
    id: u64,
    bytes: usize,
    /// The object, and its version, if that is a number.
    version: Option<(u64, u64)>,
    /// Deletions and answers are sent, whatever their version.
    free: bool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    owed: VecDeque<Owed>,
    held: Amount,
    /// The newest version of each object that was accepted, and that was written.
    accepted: BTreeMap<u64, u64>,
    written: BTreeMap<u64, u64>,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.owed.len()
    }

    pub(super) fn has(&self, id: u64) -> bool {
        self.owed.iter().any(|owed| owed.id == id)
    }

    /// A message is sent; it may be refused yet.
    pub(super) fn push(&mut self, message: &Message) {
        let version = message.resource_version().parse().ok();
        let version = version.map(|version| (key::of(message.resource()), version));
        let free = matches!(message.operation(), "delete" | "response");
        let bytes = message.clone().into_link_form().bytes();
        self.held = self.held.and(bytes);
        self.owed.push_back(Owed { id: key::of(message.msg_id()), bytes, version, free });
    }

    /// The newest was not refused.
    pub(super) fn accepts_newest(&mut self) {
        if let Some((object, version)) = self.owed.back().and_then(|newest| newest.version) {
            let newest = self.accepted.entry(object).or_default();
            *newest = version.max(*newest);
        }
    }

    /// A message is acknowledged; returns whether it was owed.
    pub(super) fn take(&mut self, id: u64) -> bool {
        let place = self.owed.iter().position(|owed| owed.id == id);
        let taken = place.and_then(|place| self.owed.remove(place));
        self.held = taken.as_ref().map_or(self.held, |taken| self.held.without(taken.bytes));
        taken.is_some()
    }

    /// The newest is refused.
    pub(super) fn refuse(&mut self) {
        if let Some(newest) = self.owed.pop_back() {
            self.held = self.held.without(newest.bytes);
        }
    }

    /// The first becomes the last.
    pub(super) fn rotate(&mut self) {
        if let Some(first) = self.owed.pop_front() {
            self.owed.push_back(first);
        }
    }

    /// A message leaves: it is the first, and no newer version of it has left.
    pub(super) fn written(&mut self, id: u64) -> Outcome {
        let Some(first) = self.owed.front().filter(|first| first.id == id) else {
            return broken("order", format!("{id:x} leaves before {:?}", self.owed.front()));
        };
        if let Some((object, version)) = first.version.filter(|_| !first.free) {
            let newest = self.written.entry(object).or_default();
            if version < *newest {
                return broken(
                    "older-version",
                    format!("{id:x} has version {version}, and {newest} has left"),
                );
            }
            *newest = version;
        }
        Ok(())
    }

    /// Whether a newer version of this message's object was accepted.
    pub(super) fn makes_old(&self, id: u64) -> bool {
        let owed = self.owed.iter().rev().find(|owed| owed.id == id && !owed.free);
        let version = owed.and_then(|owed| owed.version);
        version.is_some_and(|(object, version)| {
            self.accepted.get(&object).is_some_and(|newest| version < *newest)
        })
    }

    /// Whether there was room for the newest.
    pub(super) fn had_room(&self, room: Amount) -> bool {
        self.owed.back().is_none_or(|newest| self.held.without(newest.bytes).has_room(newest.bytes, room))
    }

    /// Whether no more is owed than there may be; one message may be larger than all the room.
    pub(super) fn is_within(&self, room: Amount) -> bool {
        self.held.messages <= room.messages && (self.held.bytes <= room.bytes || self.held.messages <= 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgehub_core::Draft;

    /// Sends messages of one object in these versions, and writes them in this order.
    fn rule(versions: &[&str], written: &[usize]) -> Option<&'static str> {
        let mut queue = Queue::default();
        let id = |number: usize| format!("m{number}");
        for (number, version) in versions.iter().enumerate() {
            let draft =
                Draft { resource: "r", resource_version: version, operation: "update", ..Draft::default() };
            queue.push(&Draft { msg_id: &id(number), ..draft }.encode().unwrap());
            queue.accepts_newest();
        }
        let mut outcomes = written.iter().map(|number| {
            let id = key::of(&id(*number));
            let outcome = queue.written(id);
            queue.take(id);
            outcome
        });
        outcomes.find_map(Result::err).map(|broken| broken.rule)
    }

    #[test]
    fn no_older_version_follows_a_newer_one() {
        assert_eq!(rule(&["1", "2", "2"], &[0, 1, 2]), None);
        assert_eq!(rule(&["2", "x", "1"], &[0, 1, 2]), Some("older-version"));
        assert_eq!(rule(&["1", "2"], &[1]), Some("order"));
    }
}
