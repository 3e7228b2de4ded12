//! Another set of classes, while messages wait.

use super::Outbox;
use super::key::Key;
use super::queue::ClassQueue;
use super::slot::{Mark, Slot};
use crate::class::Classes;
use alloc::vec::Vec;

impl Outbox {
    /// Takes up other classes. A message keeps its class by name; where there is none of that name any more, it belongs to
    /// the class of what no rule fits. What is held keeps its order.
    pub(in crate::hub) fn set_classes(&mut self, classes: &Classes) {
        let new = classes.classes.iter().cloned().map(ClassQueue::new).collect();
        let old: Vec<ClassQueue> = core::mem::replace(&mut self.queues, new);
        let places: Vec<usize> =
            old.iter().map(|queue| classes.named(&queue.class.name).unwrap_or(classes.otherwise)).collect();
        let place = |slot: &Slot| places.get(usize::from(slot.class)).copied().unwrap_or(classes.otherwise);
        let mut waiting: Vec<Slot> = old.into_iter().flat_map(ClassQueue::into_slots).collect();
        waiting.sort_unstable_by_key(|slot| slot.number);
        for mut slot in waiting {
            let class = place(&slot);
            let Some(queue) = self.queues.get_mut(class) else { continue };
            slot.class = class as u8;
            match slot.here().map(|place| self.entries.get(place)) {
                Some(None) => continue,
                Some(Some(entry)) => {
                    slot.set_key(if queue.class.coalesce { Key::of(&entry.message) } else { None });
                    slot.set(Mark::Yields, slot.key().is_some() && entry.wait.is_none());
                }
                // Of what is away is known what it was before: without that, nobody can supersede it.
                None => slot.set(Mark::Yields, slot.is(Mark::Yields) && queue.class.coalesce),
            }
            queue.held.add(slot.bytes as usize);
            queue.push(slot);
        }
        for slot in &mut self.unconfirmed {
            let class = place(slot);
            slot.class = class as u8;
            slot.set(Mark::Yields, false);
            if let Some(queue) = self.queues.get_mut(class) {
                queue.held.add(slot.bytes as usize);
            }
        }
        self.put_in_order();
        self.learn_keys();
    }

    pub(super) fn put_in_order(&mut self) {
        self.expires = self.queues.iter().any(|queue| queue.class.time_to_live.is_some());
        self.order = (0..self.queues.len()).map(|index| index as u8).collect();
        let queues = &self.queues;
        self.order.sort_by_key(|&index| queues[usize::from(index)].class.priority);
    }
}
