//! A table whose entries stay where they are: a message is moved in once, and out once.

use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// An empty table gives back its memory when it was larger than this.
const KEPT: usize = 1024;

/// An entry's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::hub) struct Place(u32);

/// By how many a full table of so many grows. Doubled, half of a large one would be empty.
pub(super) fn growth(len: usize) -> usize {
    (len / 8).max(16)
}

impl Place {
    /// Where it is in the table.
    pub(super) fn at(self) -> usize {
        self.0 as usize
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Slab<T> {
    entries: Vec<Option<T>>,
    free: Vec<Place>,
}

impl<T> Slab<T> {
    pub(super) fn new() -> Slab<T> {
        Slab { entries: Vec::new(), free: Vec::new() }
    }

    /// Puts an entry in. The bound of the outbox is far below the number of places.
    pub(super) fn insert(&mut self, entry: T) -> Place {
        if let Some(place) = self.free.pop()
            && let Some(vacant) = self.entries.get_mut(place.0 as usize)
        {
            *vacant = Some(entry);
            return place;
        }
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve_exact(growth(self.entries.len()));
        }
        self.entries.push(Some(entry));
        Place((self.entries.len() - 1) as u32)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    pub(super) fn get(&self, place: Place) -> Option<&T> {
        self.entries.get(place.0 as usize)?.as_ref()
    }

    /// Places, used or free.
    pub(super) fn places(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is an entry at a place.
    pub(super) fn is_used(&self, place: usize) -> bool {
        self.entries.get(place).is_some_and(Option::is_some)
    }

    /// The places that are said to be free.
    pub(super) fn free_places(&self) -> impl Iterator<Item = usize> {
        self.free.iter().map(|place| place.at())
    }

    /// Takes an entry out.
    pub(super) fn remove(&mut self, place: Place) -> Option<T> {
        let entry = self.entries.get_mut(place.0 as usize)?.take()?;
        self.is_vacant(place);
        Some(entry)
    }

    /// Drops an entry where it is, after a look at it.
    pub(super) fn vacate(&mut self, place: Place, look: impl FnOnce(&T)) {
        if let Some(taken) = self.entries.get_mut(place.0 as usize)
            && let Some(entry) = taken
        {
            look(entry);
            *taken = None;
            self.is_vacant(place);
        }
    }

    fn is_vacant(&mut self, place: Place) {
        self.free.push(place);
        if self.free.len() == self.entries.len() && self.entries.len() > KEPT {
            *self = Slab::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_used_again_and_given_back() {
        let mut slab = Slab::new();
        let places: Vec<Place> = (0..KEPT + 1).map(|number| slab.insert(number)).collect();
        assert_eq!(slab.remove(places[3]), Some(3));
        assert_eq!((slab.remove(places[3]), slab.get(places[3])), (None, None));
        assert_eq!(slab.insert(9), places[3]);
        assert_eq!(slab.get(places[3]), Some(&9));
        let mut seen = None;
        slab.vacate(places[4], |number| seen = Some(*number));
        slab.vacate(places[4], |_| unreachable!("it has left"));
        assert_eq!((seen, slab.insert(4)), (Some(4), places[4]));
        assert_eq!(places.into_iter().filter_map(|place| slab.remove(place)).count(), KEPT + 1);
        assert_eq!(slab.entries.capacity(), 0);
    }

    #[test]
    fn a_large_table_is_not_half_empty() {
        let mut slab = Slab::new();
        for number in 0..10_000 {
            slab.insert(number);
            assert!(slab.entries.capacity() <= slab.entries.len() * 9 / 8 + 16);
        }
    }
}
