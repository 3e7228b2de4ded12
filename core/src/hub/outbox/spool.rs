//! What is left to the journal until it is its turn.
//!
//! Only stored messages that wait are: of each stays a slot, its id, and who is to be told of its end. Shortly before
//! their turn the first of each class are fetched again. Nothing else changes: they keep their places, their bounds and
//! their time to live.

use super::super::input::{ModuleId, ReceiptId};
use super::key::Key;
use super::queue::ClassQueue;
use super::slot::{Mark, Slot, Spot};
use super::{Entry, Outbox, Taken};
use crate::canary::Canary;
use crate::journal::EntryNumber;
use crate::limits::{SPOOL_AHEAD_BYTES, SPOOL_AHEAD_MESSAGES};
use crate::message::Message;
use crate::rng::Uuid;
use alloc::borrow::{Cow, ToOwned};
use alloc::boxed::Box;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// What must be known of a message that is away.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::hub) enum Spooled {
    /// Its id, a UUID. There is nothing else to know of most.
    Plain([u8; 16]),
    /// Whatever it is.
    Detailed(Box<Details>),
}

/// Everything that there may be to know.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::hub) struct Details {
    msg_id: Id,
    /// Source, group and resource, if another message may supersede it.
    about: Option<[Box<str>; 3]>,
    /// Who asked to be told of its end.
    asker: Option<(ModuleId, ReceiptId)>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Id {
    Uuid([u8; 16]),
    Other(Box<str>),
}

impl Id {
    fn new(text: &str) -> Id {
        match Uuid::bits_of(text.as_bytes()) {
            Some(bits) => Id::Uuid(bits.to_be_bytes()),
            None => Id::Other(text.into()),
        }
    }
}

impl Spooled {
    fn new(message: &Message, asker: Option<(ModuleId, ReceiptId)>, yields: bool) -> Spooled {
        let about = yields.then(|| [message.source(), message.group(), message.resource()].map(Box::from));
        match Id::new(message.msg_id()) {
            Id::Uuid(bytes) if about.is_none() && asker.is_none() => Spooled::Plain(bytes),
            msg_id => Spooled::Detailed(Box::new(Details { msg_id, about, asker })),
        }
    }

    fn details(&self) -> Option<&Details> {
        match self {
            Spooled::Plain(_) => None,
            Spooled::Detailed(details) => Some(details),
        }
    }

    pub(super) fn msg_id(&self) -> Cow<'_, str> {
        let bytes = match self {
            Spooled::Plain(bytes) => bytes,
            Spooled::Detailed(details) => match &details.msg_id {
                Id::Uuid(bytes) => bytes,
                Id::Other(text) => return Cow::Borrowed(text),
            },
        };
        Cow::Owned(Uuid::from_bits(u128::from_be_bytes(*bytes)).as_str().to_owned())
    }

    pub(super) fn asker(&self) -> Option<(ModuleId, ReceiptId)> {
        self.details()?.asker
    }

    /// Whether a message is about the same thing.
    pub(super) fn is_about(&self, message: &Message) -> bool {
        let about = self.details().and_then(|details| details.about.as_ref());
        about.is_some_and(|[source, group, resource]| {
            (&**source, &**group, &**resource) == (message.source(), message.group(), message.resource())
        })
    }
}

impl Outbox {
    /// Messages that are left to the journal.
    pub(in crate::hub) fn spooled(&self) -> usize {
        self.spooled.len()
    }

    /// A message has just become durable: leaves it to the journal if there is too much in memory.
    pub(super) fn spool_if_too_much(&mut self, number: u64) {
        if self.resident <= self.spool_above {
            return;
        }
        let Outbox { queues, entries, spooled, resident, .. } = self;
        let Some(slot) = queues.iter_mut().find_map(|queue| queue.slot_mut(number)) else { return };
        let Some(entry) = slot.here().and_then(|place| entries.remove(place)) else { return };
        *resident -= slot.bytes as usize;
        let Entry { message, module, receipt, .. } = entry;
        let known = Spooled::new(&message, module.zip(receipt), slot.is(Mark::Yields));
        if slot.key().is_none() {
            slot.set_key(Key::of(&message));
        }
        slot.set_spot(Spot::Away(spooled.insert(known)));
    }

    /// Leaves to the journal what is stored and in memory beyond the mark, the last of each class first.
    pub(super) fn spool_down(&mut self) {
        if self.resident <= self.spool_above {
            return;
        }
        let stored =
            |slot: &&Slot| slot.is(Mark::Kept) && slot.here().is_some() && !self.kept.is_storing(slot.number);
        let numbers: Vec<u64> = self
            .order
            .iter()
            .rev()
            .filter_map(|&class| self.queues.get(usize::from(class)))
            .flat_map(|queue| queue.slots().rev().filter(stored).map(|slot| slot.number))
            .collect();
        for number in numbers {
            self.spool_if_too_much(number);
        }
    }

    /// Whether the message of this class that goes next is away.
    pub(in crate::hub) fn is_next_away(&self, class: usize) -> bool {
        let front = self.queues.get(class).and_then(ClassQueue::front);
        front.is_some_and(Slot::is_away)
    }

    /// The numbers of messages that are away, will have their turn soon, and were not asked for.
    pub(in crate::hub) fn ask_for_next(&mut self) -> Vec<EntryNumber> {
        let mut asked = Vec::new();
        if self.spooled.len() == 0 {
            return asked;
        }
        for &class in &self.order {
            let Some(queue) = self.queues.get_mut(usize::from(class)) else { continue };
            let mut bytes = 0;
            let ahead = if self.planted.is(Canary::FetchesAll) { usize::MAX } else { SPOOL_AHEAD_MESSAGES };
            for slot in queue.slots_mut().take(ahead) {
                if ahead == SPOOL_AHEAD_MESSAGES
                    && bytes > 0
                    && bytes + slot.bytes as usize > SPOOL_AHEAD_BYTES
                {
                    break;
                }
                bytes += slot.bytes as usize;
                if let Spot::Away(place) = slot.spot() {
                    slot.set_spot(Spot::Asked(place));
                    asked.push(EntryNumber(slot.number));
                }
            }
        }
        asked
    }

    /// A message is back. When it is not what was stored under its number, it has left for good, and is returned.
    pub(in crate::hub) fn fetched(&mut self, number: EntryNumber, message: Message) -> Option<Taken> {
        let Outbox { queues, entries, spooled, resident, .. } = self;
        let slot = queues.iter_mut().find_map(|queue| queue.slot_mut(number.0))?;
        let Spot::Asked(place) = slot.spot() else { return None };
        let known = spooled.get(place)?;
        if known.msg_id() != message.msg_id() || message.bytes() != slot.bytes as usize {
            return self.lost(number);
        }
        if let Some(known) = spooled.remove(place) {
            let (module, receipt) = known.asker().unzip();
            *resident += slot.bytes as usize;
            slot.set_spot(Spot::Here(entries.insert(Entry { message, module, receipt, wait: None })));
        }
        None
    }

    /// A message cannot be had any more: takes it for good, if it was away.
    pub(in crate::hub) fn lost(&mut self, number: EntryNumber) -> Option<Taken> {
        let is_here = |queue: &mut ClassQueue| queue.slot_mut(number.0).is_some_and(|slot| slot.is_away());
        let class = self.queues.iter_mut().position(is_here)?;
        self.remove(class, number.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// There is one for each message that is away.
    #[test]
    fn what_must_be_known_is_little() {
        assert_eq!(size_of::<Option<Spooled>>(), 24);
    }
}
