//! Who has room, and who makes it for whom: a message that is dropped for want of room finds none.

use super::{Accepted, Amount, Outcome, Upstream, broken};
use crate::key;
use edgehub_core::class::{Class, Overflow};
use edgehub_core::hub::JournalEvent;
use edgehub_core::limits::{JOURNAL_UNSTORED_BYTES_MAX, JOURNAL_UNSTORED_MESSAGES};
use edgehub_core::{Config, Input};

/// How much the outbox may hold.
pub(super) fn bounds(config: &Config) -> Amount {
    Amount { messages: config.outbox_messages.max(1), bytes: config.outbox_bytes }
}

/// Whether so much waits to be stored that no more is taken.
pub(super) fn is_journal_full(unstored: Amount) -> bool {
    unstored.messages >= 2 * JOURNAL_UNSTORED_MESSAGES || unstored.bytes >= JOURNAL_UNSTORED_BYTES_MAX
}

impl Accepted {
    /// Whether the journal has just said that it cannot give the message back, or given back another one.
    pub(super) fn is_lost_by(&self, id: u64, input: &Input) -> bool {
        let Input::Journal(event) = input else { return false };
        match event {
            JournalEvent::Lost { number } => self.kept == Some(number.0),
            JournalEvent::Fetched { number, message } => {
                let same = (key::of(message.msg_id()), message.bytes()) == (id, self.bytes);
                self.kept == Some(number.0) && !same
            }
            _ => false,
        }
    }
}

fn makes_room(class: &Class) -> bool {
    class.overflow == Overflow::DropOldest
}

impl Upstream {
    /// Bytes of those that hold their place in the outbox, or that wait.
    fn sum(&self, counts: impl Fn(&Accepted) -> bool) -> Amount {
        self.messages.values().filter(|message| counts(message)).map(|message| message.bytes).collect()
    }

    /// Whether its class had no room for a message that is gone now: for itself, or for a newer one that it made room for.
    pub(super) fn is_class_full(&self, gone: &Accepted, newer: Option<&Accepted>) -> bool {
        let class = self.class(&gone.class);
        let bounds = Amount {
            messages: class.messages.unwrap_or(usize::MAX),
            bytes: class.bytes.unwrap_or(usize::MAX),
        };
        let held = self.sum(|other| other.class == gone.class);
        match newer {
            // All that waits could have made room, and that would not have been enough.
            None => {
                let gives = |other: &Accepted| makes_room(class) && other.queued && other.class == gone.class;
                !held.less(self.sum(gives)).has_room(gone.bytes, bounds)
            }
            Some(newer) => {
                let before = held.without(newer.bytes).and(gone.bytes);
                newer.class == gone.class
                    && makes_room(class)
                    && self.is_oldest_of_class(gone)
                    && !before.has_room(newer.bytes, bounds)
            }
        }
    }

    /// Whether the whole outbox had no room for a message that is gone now: for itself, or for a newer one that it made room
    /// for, being the first that has to.
    pub(super) fn is_full(&self, gone: &Accepted, newer: Option<&Accepted>) -> bool {
        let class = self.class(&gone.class);
        match newer {
            None => {
                let gives = |other: &Accepted| {
                    let of = self.class(&other.class);
                    other.queued
                        && makes_room(of)
                        && (other.class == gone.class || of.priority > class.priority)
                };
                !self.held.less(self.sum(gives)).has_room(gone.bytes, self.bounds)
            }
            Some(newer) => {
                let before = self.held.without(newer.bytes).and(gone.bytes);
                let sooner = |other: &Accepted| {
                    let of = self.class(&other.class);
                    other.queued && makes_room(of) && of.priority > class.priority
                };
                let may = newer.class == gone.class || class.priority > self.class(&newer.class).priority;
                may && makes_room(class)
                    && self.is_oldest_of_class(gone)
                    && !self.messages.values().any(sooner)
                    && !before.has_room(newer.bytes, self.bounds)
            }
        }
    }

    fn is_oldest_of_class(&self, gone: &Accepted) -> bool {
        let older =
            |other: &Accepted| other.queued && other.class == gone.class && other.number < gone.number;
        gone.queued && !self.messages.values().any(older)
    }

    /// No more is held than there may be; one message may be larger than all the room.
    pub(super) fn is_within_bounds(&mut self) -> Outcome {
        let Amount { messages, bytes } = self.held;
        self.allowed = Amount {
            messages: self.bounds.messages.max(self.allowed.messages.min(messages)),
            bytes: self.bounds.bytes.max(self.allowed.bytes.min(bytes)),
        };
        if messages > self.allowed.messages || (messages > 1 && bytes > self.allowed.bytes) {
            return broken("outbox-full", format!("{:?} are held, and {:?} may be", self.held, self.allowed));
        }
        Ok(())
    }
}
