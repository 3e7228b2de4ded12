//! What waits in one class, in the order in which it was accepted.

use super::key::Key;
use super::slab;
use super::slot::{Mark, Slot, Spot};
use crate::class::Class;
use crate::time::Instant;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use serde::{Deserialize, Serialize};

/// Messages and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::hub) struct Amount {
    pub(in crate::hub) messages: usize,
    pub(in crate::hub) bytes: usize,
}

impl Amount {
    pub(super) fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes;
    }

    pub(super) fn sub(&mut self, bytes: usize) {
        self.messages -= 1;
        self.bytes -= bytes;
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ClassQueue {
    pub(super) class: Class,
    /// By rising number. The first one has not left.
    slots: VecDeque<Slot>,
    /// How many have left from the middle.
    gaps: usize,
    /// The newest of each key that another one may supersede.
    newest: BTreeMap<Key, u64>,
    /// What waits, by what it is about. Nobody has asked for that while it is `None`.
    keys: Option<BTreeSet<(Key, u64)>>,
    /// What waits.
    pub(super) queued: Amount,
    /// What waits or is unconfirmed.
    pub(super) held: Amount,
}

impl ClassQueue {
    pub(super) fn new(class: Class) -> ClassQueue {
        ClassQueue {
            class,
            slots: VecDeque::new(),
            gaps: 0,
            newest: BTreeMap::new(),
            keys: None,
            queued: Amount::default(),
            held: Amount::default(),
        }
    }

    /// What waits, in order; some slots may have left.
    pub(super) fn slots(&self) -> impl DoubleEndedIterator<Item = &Slot> {
        self.slots.iter()
    }

    /// The same, to be changed where they are.
    pub(super) fn slots_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.slots.iter_mut()
    }

    pub(super) fn front(&self) -> Option<&Slot> {
        self.slots.front()
    }

    /// When the oldest was accepted. Those before this number are from before the start: they may come late, and leave first.
    pub(super) fn holds_since(&self, unused: u64) -> Option<Instant> {
        let front = self.front()?;
        if front.number >= unused {
            return Some(front.at);
        }
        let new = self.slots.partition_point(|slot| slot.number < unused);
        let mut new = self.slots.range(new..).filter(|slot| slot.spot() != Spot::Gone);
        Some(new.next().map_or(front.at, |oldest| oldest.at.min(front.at)))
    }

    /// Adds the newest, or one from before the start that comes late.
    pub(super) fn push(&mut self, slot: Slot) {
        if let Some(key) = slot.key() {
            if slot.is(Mark::Yields) && !slot.is(Mark::Sent) {
                let newest = self.newest.entry(key).or_insert(slot.number);
                *newest = slot.number.max(*newest);
            }
            if let Some(keys) = &mut self.keys {
                keys.insert((key, slot.number));
            }
        }
        self.queued.add(slot.bytes as usize);
        self.make_room();
        match self.slots.back() {
            Some(back) if back.number > slot.number => {
                let at = self.slots.partition_point(|other| other.number < slot.number);
                self.slots.insert(at, slot);
            }
            _ => self.slots.push_back(slot),
        }
    }

    /// Whether somebody has asked what messages are about.
    pub(super) fn is_keyed(&self) -> bool {
        self.keys.is_some()
    }

    /// From now on it is known what messages are about.
    pub(super) fn learn_keys(&mut self, key_of: impl Fn(&Slot) -> Option<Key>) {
        let waiting = self.slots.iter_mut().filter(|slot| slot.spot() != Spot::Gone);
        let keys = waiting.filter_map(|slot| {
            let key = key_of(slot)?;
            slot.set_key(Some(key));
            Some((key, slot.number))
        });
        self.keys = Some(keys.collect());
    }

    /// The number of the oldest that waits and is about this.
    pub(super) fn oldest_about(&self, key: Key) -> Option<u64> {
        let &(other, number) = self.keys.as_ref()?.range((key, 0)..).next()?;
        (other == key).then_some(number)
    }

    /// The slot of a number that waits here.
    pub(super) fn slot_mut(&mut self, number: u64) -> Option<&mut Slot> {
        let at = self.place_of(number)?;
        self.slots.get_mut(at)
    }

    /// Puts one back that had been written: in front, unless a change of classes has put older ones there. What messages are about
    /// is not known any more with that.
    pub(super) fn put_back(&mut self, slot: Slot) {
        self.keys = None;
        self.queued.add(slot.bytes as usize);
        self.make_room();
        match self.slots.front() {
            Some(front) if front.number < slot.number => {
                let at = self.slots.partition_point(|other| other.number < slot.number);
                self.slots.insert(at, slot);
            }
            _ => self.slots.push_front(slot),
        }
    }

    pub(super) fn pop(&mut self) -> Option<Slot> {
        let slot = self.slots.pop_front()?;
        self.leaves(&slot);
        self.close_gaps_in_front();
        Some(slot)
    }

    /// The queued one that a new message of this key supersedes.
    pub(super) fn superseded_by(&self, key: Key) -> Option<&Slot> {
        let at = self.place_of(*self.newest.get(&key)?)?;
        self.slots.get(at)
    }

    /// Takes one out of the middle.
    pub(super) fn remove(&mut self, number: u64) -> Option<Slot> {
        let at = self.place_of(number)?;
        let slot = self.slots.get_mut(at)?;
        let taken = *slot;
        slot.set_spot(Spot::Gone);
        self.leaves(&taken);
        self.gaps += 1;
        if self.gaps > 64 && self.gaps > self.slots.len() / 2 {
            self.slots.retain(|slot| slot.spot() != Spot::Gone);
            self.gaps = 0;
        }
        self.close_gaps_in_front();
        Some(taken)
    }

    /// Everything, for another set of classes.
    pub(super) fn into_slots(self) -> impl Iterator<Item = Slot> {
        self.slots.into_iter().filter(|slot| slot.spot() != Spot::Gone)
    }

    /// Turns the order of the last two round; only ever called for a canary.
    pub(super) fn swap_last(&mut self) {
        if let Some(before) = self.slots.len().checked_sub(2) {
            self.slots.swap(before, before + 1);
        }
    }

    /// Turns the order of the first ones round; only ever called for a canary.
    pub(super) fn swap_first(&mut self, count: usize) {
        self.slots.make_contiguous()[..count].reverse();
    }

    /// Whether what waits is in the order of its numbers, the first has not left, and the gaps are counted.
    pub(super) fn is_in_order(&self) -> bool {
        self.slots.iter().is_sorted_by(|one, other| one.number < other.number)
            && self.slots.front().is_none_or(|slot| slot.spot() != Spot::Gone)
            && self.slots.iter().filter(|slot| slot.spot() == Spot::Gone).count() == self.gaps
    }

    fn place_of(&self, number: u64) -> Option<usize> {
        let at = self.slots.partition_point(|slot| slot.number < number);
        self.slots.get(at).filter(|slot| slot.number == number && slot.spot() != Spot::Gone).map(|_| at)
    }

    fn leaves(&mut self, slot: &Slot) {
        self.queued.sub(slot.bytes as usize);
        if let Some(key) = slot.key() {
            if slot.is(Mark::Yields) && self.newest.get(&key) == Some(&slot.number) {
                self.newest.remove(&key);
            }
            if let Some(keys) = &mut self.keys {
                keys.remove(&(key, slot.number));
            }
        }
        if self.queued.messages == 0 {
            self.keys = None;
        }
    }

    /// Doubled, half of a long queue's table would be empty.
    fn make_room(&mut self) {
        if self.slots.len() == self.slots.capacity() {
            self.slots.reserve_exact(slab::growth(self.slots.len()));
        }
    }

    fn close_gaps_in_front(&mut self) {
        while self.gaps > 0 && self.slots.front().is_some_and(|slot| slot.spot() == Spot::Gone) {
            self.slots.pop_front();
            self.gaps -= 1;
        }
    }
}
