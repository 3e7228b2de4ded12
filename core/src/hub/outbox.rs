//! What is to be sent, in order, until the cloud has it.
//!
//! Each class has a queue, and the class with the first priority that holds something goes first: a flood of data never
//! makes the cloud resend what was long delivered (defect D8). A message of a class that is delivered at least once stays
//! here when it has been written, until a pong confirms it: CloudHub answers a ping from its read loop, after it has
//! handed on all that came before. When the link is lost first, what was unconfirmed is queued again, in its old order and
//! with its old id.
//!
//! A message lies in one table for as long as it is here; the queues hold small slots, for these are what moves.
//!
//! | file | its one job |
//! |---|---|
//! | `entry`, `slab` | a message, the table of messages |
//! | `slot`, `queue` | what the queues know of a message, what waits in one class |
//! | `key`, `order` | what a message is about, which class goes next |
//! | `confirmation` | what is written and not confirmed |
//! | `room` | who makes room for whom |
//! | `keep` | what the journal has, and what is on its way there |
//! | `spool` | what is left to the journal until it is its turn |
//! | `reclass` | another set of classes |
//! | `consistent` | whether a state out of a file can be one |

mod confirmation;
mod consistent;
mod entry;
mod keep;
mod key;
mod order;
mod queue;
mod reclass;
mod room;
mod slab;
mod slot;
mod spool;

pub(super) use entry::{Body, Entry, Taken};
pub(super) use keep::{Keep, UnstoredShare};
pub(super) use queue::Amount;
pub(super) use room::Room;

use super::view::Standing;
use crate::canary::{Canary, Planted};
use crate::class::{Class, Classes};
use crate::journal::EntryNumber;
use crate::limits::CONTROL_QUEUE_MAX;
use crate::message::{Message, operation};
use crate::time::Instant;
use alloc::borrow::Cow;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use keep::Kept;
use key::Key;
use queue::ClassQueue;
use serde::{Deserialize, Serialize};
use slab::Slab;
use slot::{Mark, Slot, Spot};
use spool::Spooled;

/// A message of the outbox, to be looked at.
#[derive(Debug, Clone)]
pub struct Held<'a> {
    /// Where it stands.
    pub standing: Standing,
    /// Its id.
    pub msg_id: Cow<'a, str>,
    /// Its length in bytes.
    pub bytes: usize,
    /// The message; `None` while it is left to the journal.
    pub message: Option<&'a Message>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Outbox {
    entries: Slab<Entry>,
    spooled: Slab<Spooled>,
    kept: Kept,
    /// Bytes of modules' messages that are in memory, and above which stored ones are left to the journal.
    resident: usize,
    spool_above: usize,
    queues: Vec<ClassQueue>,
    /// The queues by priority.
    order: Vec<u8>,
    /// Whether any class has a time to live.
    expires: bool,
    unconfirmed: VecDeque<Slot>,
    /// Messages ever written that want a confirmation.
    written: u64,
    /// The hub's own messages: only meant for the link on which they were due, and never sent again.
    own: VecDeque<Message>,
    accepted: u64,
    /// Modules' messages, queued or unconfirmed.
    total: Amount,
    bounds: Amount,
    planted: Planted,
}

impl Outbox {
    pub(super) fn new(classes: &Classes, bounds: Amount, spool_above: usize) -> Outbox {
        let mut outbox = Outbox {
            entries: Slab::new(),
            spooled: Slab::new(),
            kept: Kept::default(),
            resident: 0,
            spool_above,
            queues: classes.classes.iter().cloned().map(ClassQueue::new).collect(),
            order: Vec::new(),
            expires: false,
            unconfirmed: VecDeque::new(),
            written: 0,
            own: VecDeque::new(),
            accepted: 0,
            total: Amount::default(),
            bounds,
            planted: Planted::default(),
        };
        outbox.put_in_order();
        outbox
    }

    #[cfg(feature = "canaries")]
    pub(super) fn plant(&mut self, planted: Planted) {
        self.planted = planted;
    }

    pub(super) fn set_bounds(&mut self, bounds: Amount, spool_above: usize) {
        self.bounds = bounds;
        self.spool_above = spool_above;
        self.spool_down();
    }

    /// The journal has used every number before this one. `false` when a message was accepted already.
    pub(super) fn begin_with(&mut self, unused: EntryNumber) -> bool {
        let fresh = self.accepted == 0;
        if fresh {
            self.accepted = unused.0.saturating_sub(1);
        }
        fresh
    }

    /// When the oldest of modules' messages was accepted; those before this number are from before the start.
    pub(super) fn holds_since(&self, unused: EntryNumber) -> Option<Instant> {
        let waiting = self.queues.iter().filter_map(|queue| queue.holds_since(unused.0));
        waiting.chain(self.unconfirmed.iter().map(|slot| slot.at)).min()
    }

    /// Messages queued or unconfirmed.
    pub(super) fn len(&self) -> usize {
        self.queued() + self.unconfirmed.len()
    }

    /// Messages queued.
    pub(super) fn queued(&self) -> usize {
        self.own.len() + self.backlog().messages
    }

    /// Messages of each class that wait; returns how many of the hub's own do.
    pub(super) fn waiting(&self, by_class: &mut Vec<usize>) -> usize {
        by_class.extend(self.queues.iter().map(|queue| queue.queued.messages));
        self.own.len()
    }

    /// Modules' messages that have not been written.
    pub(super) fn backlog(&self) -> Amount {
        let mut backlog = Amount::default();
        for queue in &self.queues {
            backlog.messages += queue.queued.messages;
            backlog.bytes += queue.queued.bytes;
        }
        backlog
    }

    /// Messages that wait and are not exempt from the rate limit.
    pub(super) fn limited_backlog(&self) -> usize {
        let limited = self.queues.iter().filter(|queue| queue.class.rate_limited);
        limited.map(|queue| queue.queued.messages).sum()
    }

    /// Whether any of these was accepted up to this number.
    pub(super) fn has_limited_before(&self, number: u64) -> bool {
        let mut limited = self.queues.iter().filter(|queue| queue.class.rate_limited);
        limited.any(|queue| queue.front().is_some_and(|front| front.number <= number))
    }

    /// The number of the newest message.
    pub(super) fn newest(&self) -> u64 {
        self.accepted
    }

    /// The number of the message of a class that goes next.
    pub(super) fn front_number(&self, class: usize) -> Option<u64> {
        Some(self.queues.get(class)?.front()?.number)
    }

    pub(super) fn bytes(&self) -> usize {
        self.total.bytes
    }

    /// Everything that it holds: what is unconfirmed in the order in which it was written, the hub's own, and what waits,
    /// class by class.
    pub(super) fn standing(&self) -> impl Iterator<Item = Held<'_>> {
        let own = |message| Held {
            msg_id: Cow::Borrowed(Message::msg_id(message)),
            bytes: message.bytes(),
            message: Some(message),
            standing: Standing::Own,
        };
        let queues = self.order.iter().filter_map(|&class| self.queues.get(usize::from(class)));
        let waiting = queues.flat_map(ClassQueue::slots);
        self.unconfirmed
            .iter()
            .filter_map(|slot| self.held(slot, Standing::Unconfirmed))
            .chain(self.own.iter().map(own))
            .chain(waiting.filter_map(|slot| self.held(slot, Standing::Waiting)))
    }

    fn held(&self, slot: &Slot, standing: Standing) -> Option<Held<'_>> {
        let message = match slot.spot() {
            Spot::Here(place) => Some(&self.entries.get(place)?.message),
            Spot::Away(_) | Spot::Asked(_) | Spot::Gone => None,
        };
        let msg_id = match slot.spot() {
            Spot::Away(place) | Spot::Asked(place) => self.spooled.get(place)?.msg_id(),
            _ => Cow::Borrowed(message?.msg_id()),
        };
        Some(Held { standing, msg_id, bytes: slot.bytes as usize, message })
    }

    /// Whether more than this share (in 1/256) of either bound is used.
    pub(super) fn is_fuller_than(&self, share: usize) -> bool {
        let over = |used: usize, bound: usize| used.saturating_mul(256) > bound.saturating_mul(share);
        over(self.total.messages, self.bounds.messages) || over(self.total.bytes, self.bounds.bytes)
    }

    /// Queues a message of the hub's own; returns the oldest of them when there are too many.
    pub(super) fn push_own(&mut self, message: Message) -> Option<Message> {
        let room = if self.own.len() >= CONTROL_QUEUE_MAX { self.own.pop_front() } else { None };
        self.own.push_back(message);
        room
    }

    pub(super) fn pop_own(&mut self) -> Option<Message> {
        self.own.pop_front()
    }

    /// Whether a keepalive message has not left yet.
    pub(super) fn holds_keepalive(&self) -> bool {
        self.own.iter().any(|message| message.operation() == operation::KEEPALIVE)
    }

    pub(super) fn class(&self, class: usize) -> Option<&Class> {
        self.queues.get(class).map(|queue| &queue.class)
    }

    /// The message that this one supersedes, by its number, and what it takes up.
    pub(super) fn superseded_by(&self, class: usize, entry: &Entry) -> Option<(u64, Amount)> {
        let queue = self.queues.get(class).filter(|queue| queue.class.coalesce && entry.wait.is_none())?;
        let old = queue.superseded_by(self.coalescing_key(&entry.message)?)?;
        // Two keys may have one hash.
        let same = match old.spot() {
            Spot::Here(place) => Key::is_same(&self.entries.get(place)?.message, &entry.message),
            Spot::Away(place) | Spot::Asked(place) => self.spooled.get(place)?.is_about(&entry.message),
            Spot::Gone => return None,
        };
        (same || self.planted.is(Canary::CoalescedAcrossKeys))
            .then_some((old.number, Amount { messages: 1, bytes: old.bytes as usize }))
    }

    /// Queues a message of a module for which there is room; returns the number under which it is to be stored.
    pub(super) fn push(
        &mut self,
        class: usize,
        entry: Entry,
        at: Instant,
        keep: Keep,
    ) -> Option<EntryNumber> {
        let restored = matches!(keep, Keep::Restored(_));
        let number = match keep {
            Keep::Restored(number) => number.0,
            Keep::No | Keep::Store => {
                self.accepted += 1;
                self.accepted
            }
        };
        if self.would_pass_unknown(class) && Key::of(&entry.message).is_some() {
            self.learn_keys_before(class);
        }
        let queue = self.queues.get(class)?;
        let asked = queue.class.coalesce || queue.is_keyed();
        let key = if asked { self.coalescing_key(&entry.message) } else { None };
        let yields = queue.class.coalesce && entry.wait.is_none() && key.is_some();
        let bytes = entry.message.bytes();
        let place = self.entries.insert(entry);
        self.total.add(bytes);
        self.resident += bytes;
        let mut slot = Slot::new(number, at, bytes, class, place);
        slot.set_key(key);
        slot.set(Mark::Yields, yields);
        slot.set(Mark::Kept, keep != Keep::No);
        let queue = self.queues.get_mut(class)?;
        queue.held.add(bytes);
        queue.push(slot);
        if restored {
            if self.planted.is(Canary::RestoredOutOfOrder) {
                queue.swap_last();
            }
            // It may be older than what waits in other classes.
            self.learn_keys();
        }
        match keep {
            Keep::No => None,
            Keep::Store => {
                self.kept.stores(number, place, bytes as u32);
                Some(EntryNumber(number))
            }
            Keep::Restored(_) => {
                self.spool_if_too_much(number);
                None
            }
        }
    }

    /// The message of a class that goes next.
    pub(super) fn front(&self, class: usize) -> Option<&Entry> {
        self.entries.get(self.queues.get(class)?.front()?.here()?)
    }

    /// Takes the next message of a class for good.
    pub(super) fn pop(&mut self, class: usize) -> Option<Taken> {
        let slot = self.queues.get_mut(class)?.pop()?;
        self.release(slot)
    }

    /// Takes a queued message for good.
    pub(super) fn remove(&mut self, class: usize, number: u64) -> Option<Taken> {
        let slot = self.queues.get_mut(class)?.remove(number)?;
        self.release(slot)
    }

    /// When the next message has waited too long.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        if !self.expires || self.planted.is(Canary::NothingExpires) {
            return None;
        }
        let ends = |queue: &ClassQueue| Some(queue.front()?.at + queue.class.time_to_live?);
        self.queues.iter().filter_map(ends).min()
    }

    /// Takes a message that has waited too long.
    pub(super) fn pop_expired(&mut self, now: Instant) -> Option<Taken> {
        let over = |queue: &ClassQueue| {
            let ends = queue.front().zip(queue.class.time_to_live).map(|(front, length)| front.at + length);
            ends.is_some_and(|ends| ends <= now)
        };
        if self.next_expiry()? > now {
            return None;
        }
        let class = self.queues.iter().position(over)?;
        self.pop(class)
    }

    /// Under which key a message supersedes, and is superseded.
    fn coalescing_key(&self, message: &Message) -> Option<Key> {
        if self.planted.is(Canary::CoalescedAcrossKeys) { Some(Key::default()) } else { Key::of(message) }
    }

    fn release(&mut self, slot: Slot) -> Option<Taken> {
        leave(&slot, &mut self.queues, &mut self.total, &mut self.kept);
        let body = match slot.spot() {
            Spot::Here(place) => {
                self.resident -= slot.bytes as usize;
                self.entries.remove(place).map(Body::Here)
            }
            Spot::Away(place) | Spot::Asked(place) => self.spooled.remove(place).map(Body::Away),
            Spot::Gone => None,
        };
        let kept = slot.is(Mark::Kept).then_some(EntryNumber(slot.number));
        Some(Taken { class: slot.class, kept, body: body? })
    }
}

/// A message leaves the outbox, and the sums that counted it.
fn leave(slot: &Slot, queues: &mut [ClassQueue], total: &mut Amount, kept: &mut Kept) {
    if let Some(queue) = queues.get_mut(usize::from(slot.class)) {
        queue.held.sub(slot.bytes as usize);
    }
    total.sub(slot.bytes as usize);
    if slot.is(Mark::Kept) {
        kept.forget(slot.number);
    }
}
