//! Who makes room for whom.

use super::{Amount, Outbox};
use crate::canary::Canary;
use crate::class::Overflow;
use crate::hub::note::DropReason;

/// Whether there is room for one more message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::hub) enum Room {
    /// There is.
    Enough,
    /// The oldest queued message of this class has to leave, for this reason.
    After(usize, DropReason),
    /// There is none, and nobody will make any.
    None(DropReason),
}

/// Whether so much and one more message are too much. One message may be larger than all the room, when it is alone.
fn exceeds(held: Amount, bytes: usize, bounds: Amount) -> bool {
    held.messages >= bounds.messages || (held.messages > 0 && held.bytes.saturating_add(bytes) > bounds.bytes)
}

impl Amount {
    fn without(self, other: Amount) -> Amount {
        Amount {
            messages: self.messages.saturating_sub(other.messages),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }

    fn plus(self, other: Amount) -> Amount {
        Amount {
            messages: self.messages.saturating_add(other.messages),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

impl Outbox {
    /// Whether a message of this class and size has room, once `freed` of its own class has left.
    ///
    /// The class's own bounds come first, then those of the whole outbox. For the whole, classes of a lower priority make
    /// room before the class itself does, the last priority first; a class that does not drop its oldest for itself does
    /// not do so for others either. Nobody leaves when all of them would not be enough.
    pub(in crate::hub) fn room_for(&self, class: usize, bytes: usize, freed: Amount) -> Room {
        let Some(own) = self.queues.get(class) else { return Room::None(DropReason::ClassFull) };
        let gives = own.class.overflow == Overflow::DropOldest;
        let own_bounds = Amount {
            messages: own.class.messages.unwrap_or(usize::MAX),
            bytes: own.class.bytes.unwrap_or(usize::MAX),
        };
        let held = own.held.without(freed);
        let own_queued = if gives { own.queued.without(freed) } else { Amount::default() };
        let class_full = exceeds(held, bytes, own_bounds);
        if class_full && exceeds(held.without(own_queued), bytes, own_bounds) {
            return Room::None(DropReason::ClassFull);
        }
        let total = self.total.without(freed);
        let bounds = self.bounds_of_all();
        let total_full = exceeds(total, bytes, bounds);
        if !class_full && !total_full {
            return Room::Enough;
        }
        if total_full {
            let others = self.givers(class).filter(|&giver| giver != class);
            let displaced = others.fold(own_queued, |sum, giver| sum.plus(self.queues[giver].queued));
            if exceeds(total.without(displaced), bytes, bounds) {
                return Room::None(if gives { DropReason::OutboxFull } else { full(class_full) });
            }
        }
        if class_full {
            return Room::After(class, DropReason::ClassFull);
        }
        let queued = |giver: usize| {
            let freed = if giver == class { freed } else { Amount::default() };
            self.queues[giver].queued.without(freed).messages
        };
        match self.givers(class).find(|&giver| queued(giver) > 0) {
            Some(giver) => Room::After(giver, DropReason::OutboxFull),
            None => Room::None(DropReason::OutboxFull),
        }
    }

    /// The bounds of the whole outbox.
    fn bounds_of_all(&self) -> Amount {
        let Amount { messages, bytes } = self.bounds;
        match self.planted.is(Canary::OutboxHalved) {
            true => Amount { messages: messages.div_ceil(2), bytes: bytes / 2 },
            false => self.bounds,
        }
    }

    /// The classes that make room for one of this class, in this order.
    fn givers(&self, class: usize) -> impl Iterator<Item = usize> {
        let priority = self.queues.get(class).map_or(0, |queue| queue.class.priority);
        self.order.iter().rev().map(|&other| usize::from(other)).filter(move |&other| {
            let queue = &self.queues[other];
            let gives = queue.class.overflow == Overflow::DropOldest;
            gives && (other == class || queue.class.priority > priority)
        })
    }
}

fn full(class: bool) -> DropReason {
    if class { DropReason::ClassFull } else { DropReason::OutboxFull }
}
