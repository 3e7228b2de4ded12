//! A message as the queues know it: small enough to be moved about.

use super::key::Key;
use super::slab::Place;
use crate::time::Instant;
use serde::{Deserialize, Serialize};

/// One message of the outbox.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(in crate::hub) struct Slot {
    /// Rises with every accepted message.
    pub(super) number: u64,
    /// When it was accepted.
    pub(super) at: Instant,
    pub(super) bytes: u32,
    place: Place,
    key: Key,
    pub(super) class: u8,
    marks: u8,
}

/// What may be so of a message, or not.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(super) enum Mark {
    /// It has been written, if only to a link that is gone.
    Sent = 1,
    /// Another one of its key may supersede it.
    Yields = 2,
    /// The journal has it, or is about to.
    Kept = 4,
    /// Its key is known.
    Keyed = 8,
    Away = 16,
    Asked = 32,
    Gone = 64,
}

/// Where the message itself is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::hub) enum Spot {
    /// In memory.
    Here(Place),
    /// In the journal; in memory is what must be known of it.
    Away(Place),
    /// It has left, from the middle of a queue.
    Gone,
    /// In the journal, which was asked for it.
    Asked(Place),
}

impl Slot {
    pub(super) fn new(number: u64, at: Instant, bytes: usize, class: usize, place: Place) -> Slot {
        // No frame is longer than 32 MiB.
        let bytes = bytes as u32;
        Slot { number, at, bytes, place, key: Key::default(), class: class as u8, marks: 0 }
    }

    pub(super) fn is(&self, mark: Mark) -> bool {
        self.marks & mark as u8 != 0
    }

    pub(super) fn set(&mut self, mark: Mark, so: bool) {
        let others = self.marks & !(mark as u8);
        self.marks = if so { others | mark as u8 } else { others };
    }

    pub(super) fn spot(&self) -> Spot {
        match self.place {
            _ if self.is(Mark::Gone) => Spot::Gone,
            place if self.is(Mark::Asked) => Spot::Asked(place),
            place if self.is(Mark::Away) => Spot::Away(place),
            place => Spot::Here(place),
        }
    }

    pub(super) fn set_spot(&mut self, spot: Spot) {
        if let Spot::Here(place) | Spot::Away(place) | Spot::Asked(place) = spot {
            self.place = place;
        }
        self.set(Mark::Gone, spot == Spot::Gone);
        self.set(Mark::Asked, matches!(spot, Spot::Asked(_)));
        self.set(Mark::Away, matches!(spot, Spot::Away(_)));
    }

    /// The place of a message that is in memory.
    pub(super) fn here(&self) -> Option<Place> {
        match self.spot() {
            Spot::Here(place) => Some(place),
            Spot::Away(_) | Spot::Asked(_) | Spot::Gone => None,
        }
    }

    /// Whether the journal has it, and what must be known of it is here.
    pub(super) fn is_away(&self) -> bool {
        matches!(self.spot(), Spot::Away(_) | Spot::Asked(_))
    }

    /// What it is about, as far as somebody has asked for that.
    pub(super) fn key(&self) -> Option<Key> {
        self.is(Mark::Keyed).then_some(self.key)
    }

    pub(super) fn set_key(&mut self, key: Option<Key>) {
        self.set(Mark::Keyed, key.is_some());
        self.key = key.unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// There is one for each message that waits.
    #[test]
    fn a_slot_is_small() {
        assert_eq!(size_of::<Slot>(), 32);
    }

    #[test]
    fn marks_do_not_touch_each_other() {
        let mut slab = super::super::slab::Slab::new();
        let places = [slab.insert(()), slab.insert(())];
        let mut slot = Slot::new(1, Instant(2), 3, 4, places[0]);
        let key = Key::from_hash(u64::MAX - 7);
        slot.set_key(Some(key));
        slot.set(Mark::Kept, true);
        for spot in [Spot::Away(places[1]), Spot::Asked(places[1]), Spot::Gone, Spot::Here(places[0])] {
            slot.set_spot(spot);
            assert_eq!((slot.spot(), slot.key(), slot.is(Mark::Kept)), (spot, Some(key), true));
        }
        slot.set(Mark::Kept, false);
        slot.set_key(None);
        assert_eq!((slot.marks, slot.key()), (0, None));
    }
}
