//! Whether a state can be that of an outbox: see [`Hub::is_consistent`](crate::Hub).

use super::queue::ClassQueue;
use super::slab::Slab;
use super::slot::{Slot, Spot};
use super::{Amount, Outbox};
use crate::class::Classes;
use crate::hub::consistent::{is_small, is_sum, takes};
use alloc::vec;
use alloc::vec::Vec;

impl Outbox {
    pub(in crate::hub) fn is_consistent(&self, classes: &Classes) -> bool {
        let same_classes = self.queues.len() == classes.classes.len()
            && self.queues.iter().zip(&classes.classes).all(|(queue, class)| queue.class == *class);
        if !same_classes
            || !self.is_in_order()
            || !self.entries.is_consistent()
            || !self.spooled.is_consistent()
        {
            return false;
        }
        let (mut here, mut away) = (self.entries.vacant(), self.spooled.vacant());
        let mut is_there = |slot: &Slot| match slot.spot() {
            Spot::Here(place) => takes(&mut here, place.at()),
            Spot::Away(place) | Spot::Asked(place) => takes(&mut away, place.at()),
            Spot::Gone => true,
        };
        let slots = || self.queues.iter().flat_map(ClassQueue::slots);
        let all_there = slots().chain(&self.unconfirmed).all(&mut is_there);
        let written_is_here = self.unconfirmed.iter().all(|slot| slot.here().is_some());
        let resident = slots().chain(&self.unconfirmed).filter(|slot| slot.here().is_some());
        all_there
            && written_is_here
            && here.into_iter().chain(away).all(|taken| taken)
            && is_sum(self.resident as u64, resident.map(|slot| u64::from(slot.bytes)))
            && self.queues.iter().enumerate().all(|(class, queue)| self.is_class_consistent(class, queue))
            && is_amount(self.total, self.queues.iter().map(|queue| queue.held))
            && self.kept.is_consistent()
            && [self.accepted, self.written].into_iter().all(is_small)
            && self.written >= self.unconfirmed.len() as u64
    }

    fn is_class_consistent(&self, class: usize, queue: &ClassQueue) -> bool {
        let waiting = || queue.slots().filter(|slot| slot.spot() != Spot::Gone);
        let unconfirmed = self.unconfirmed.iter().filter(|slot| usize::from(slot.class) == class);
        let amount = |slot: &Slot| Amount { messages: 1, bytes: slot.bytes as usize };
        queue.is_in_order()
            && waiting().all(|slot| usize::from(slot.class) == class)
            && self.unconfirmed.iter().all(|slot| usize::from(slot.class) < self.queues.len())
            && is_amount(queue.queued, waiting().map(amount))
            && is_amount(queue.held, waiting().chain(unconfirmed).map(amount))
    }

    /// Whether the queues are in the order of their priorities.
    fn is_in_order(&self) -> bool {
        let mut order: Vec<u8> = (0..self.queues.len()).map(|index| index as u8).collect();
        order.sort_by_key(|&index| self.queues[usize::from(index)].class.priority);
        let expires = self.queues.iter().any(|queue| queue.class.time_to_live.is_some());
        (&self.order, self.expires) == (&order, expires)
    }
}

fn is_amount(sum: Amount, mut parts: impl Iterator<Item = Amount>) -> bool {
    let added = parts.try_fold(Amount::default(), |sum, part| {
        let messages = sum.messages.checked_add(part.messages)?;
        Some(Amount { messages, bytes: sum.bytes.checked_add(part.bytes)? })
    });
    added == Some(sum) && is_small(sum.messages as u64) && is_small(sum.bytes as u64)
}

impl<T> Slab<T> {
    /// Whether just the places without an entry are free, each once.
    fn is_consistent(&self) -> bool {
        let mut free = vec![false; self.places()];
        self.free_places().all(|place| !self.is_used(place) && takes(&mut free, place))
            && (0..self.places()).all(|place| free[place] != self.is_used(place))
    }

    /// For each place whether it is vacant.
    fn vacant(&self) -> Vec<bool> {
        (0..self.places()).map(|place| !self.is_used(place)).collect()
    }
}
