//! Another set of classes, while messages wait.

use super::queue::{ClassQueue, Slot};
use super::{Outbox, key_of};
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
                    slot.yields = queue.class.coalesce && entry.wait.is_none();
                    slot.key = if slot.yields { key_of(&entry.message) } else { 0 };
                }
                // What is away keeps the key it had; without one, nobody can supersede it.
                None => slot.yields &= queue.class.coalesce,
            }
            queue.held.add(slot.bytes as usize);
            queue.push(slot);
        }
        for slot in &mut self.unconfirmed {
            let class = place(slot);
            slot.class = class as u8;
            slot.yields = false;
            if let Some(queue) = self.queues.get_mut(class) {
                queue.held.add(slot.bytes as usize);
            }
        }
        self.put_in_order();
    }

    pub(super) fn put_in_order(&mut self) {
        self.expires = self.queues.iter().any(|queue| queue.class.time_to_live.is_some());
        self.order = (0..self.queues.len()).map(|index| index as u8).collect();
        let queues = &self.queues;
        self.order.sort_by_key(|&index| queues[usize::from(index)].class.priority);
    }
}
