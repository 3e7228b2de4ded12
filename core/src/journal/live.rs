//! What lives, by number: a tree of two levels whose leaves are full when numbers rise, as they nearly always do.

use super::{EntryNumber, Place};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Entries of a full leaf.
const LEAF: usize = 64;

type Leaf = Vec<(EntryNumber, Place)>;

/// All live entries.
#[derive(Debug, Clone, Default)]
pub(super) struct Live {
    /// Sorted, none empty; each under a number at most its first and above the last of the one before.
    leaves: BTreeMap<EntryNumber, Leaf>,
    len: usize,
}

impl Live {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// All of them, by number.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (EntryNumber, Place)> + '_ {
        self.leaves.values().flatten().copied()
    }

    pub(super) fn get(&self, number: EntryNumber) -> Option<Place> {
        let (_, leaf) = self.leaves.range(..=number).next_back()?;
        let at = leaf.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        leaf.get(at).map(|(_, place)| *place)
    }

    /// The numbers from `first` to `last`.
    pub(super) fn numbers(&self, first: EntryNumber, last: EntryNumber) -> Vec<EntryNumber> {
        let begins = self.leaves.range(..=first).next_back().map_or(first, |(begins, _)| *begins);
        let leaves = self.leaves.range(begins..).map(|(_, leaf)| leaf);
        let numbers = leaves.flatten().map(|(number, _)| *number);
        numbers.skip_while(|number| *number < first).take_while(|number| *number <= last).collect()
    }

    /// Puts one in that is not there.
    pub(super) fn insert(&mut self, number: EntryNumber, place: Place) {
        self.len += 1;
        let Some((_, leaf)) = self.leaves.range_mut(..=number).next_back() else {
            self.leaves.insert(number, Vec::from([(number, place)]));
            return;
        };
        let at = leaf.partition_point(|(other, _)| *other < number);
        if leaf.len() < LEAF {
            leaf.reserve_exact(LEAF - leaf.len());
            return leaf.insert(at, (number, place));
        }
        // Behind the end a new leaf begins, and this one stays full.
        let split = if at == LEAF { LEAF } else { LEAF / 2 };
        let mut rest = leaf.split_off(split);
        match at.checked_sub(split) {
            Some(at) => rest.insert(at, (number, place)),
            None => leaf.insert(at, (number, place)),
        }
        if let Some((first, _)) = rest.first() {
            self.leaves.insert(*first, rest);
        }
    }

    /// Takes one out.
    pub(super) fn remove(&mut self, number: EntryNumber) -> Option<Place> {
        let (&begins, leaf) = self.leaves.range_mut(..=number).next_back()?;
        let at = leaf.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        let (_, place) = leaf.remove(at);
        self.len -= 1;
        if leaf.is_empty() {
            self.leaves.remove(&begins);
        } else if leaf.len() < leaf.capacity() / 4 {
            leaf.shrink_to(leaf.len() * 2);
        }
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::super::SegmentNumber;
    use super::*;
    use proptest::prelude::*;

    fn place(offset: u32) -> Place {
        Place { segment: SegmentNumber(1), offset, bytes: 1 }
    }

    /// There is one for each stored message that lives.
    #[test]
    fn a_place_is_small_and_leaves_are_full() {
        assert_eq!(size_of::<(EntryNumber, Place)>(), 24);
        let mut live = Live::default();
        (1..=10_000).for_each(|number| live.insert(EntryNumber(number), place(0)));
        let room: usize = live.leaves.values().map(Vec::capacity).sum();
        assert!(room <= 10_000 + LEAF, "room for {room}");
    }

    proptest! {
        /// It is a map, whatever is done to it and in which order.
        #[test]
        fn it_is_like_a_map(steps in prop::collection::vec((0..3_u8, 0..400_u64), 0..600), from in 0..400_u64) {
            let (mut live, mut model) = (Live::default(), BTreeMap::new());
            for (offset, (step, number)) in (0_u32..).zip(steps) {
                let number = EntryNumber(number);
                if step == 0 {
                    prop_assert_eq!(live.remove(number), model.remove(&number));
                } else if let alloc::collections::btree_map::Entry::Vacant(vacant) = model.entry(number) {
                    vacant.insert(place(offset));
                    live.insert(number, place(offset));
                }
                prop_assert_eq!(live.get(number), model.get(&number).copied());
            }
            prop_assert_eq!(live.len(), model.len());
            prop_assert!(live.iter().eq(model.iter().map(|(number, place)| (*number, *place))));
            let (first, last) = (EntryNumber(from), EntryNumber(from + 90));
            let expected: Vec<_> = model.range(first..=last).map(|(number, _)| *number).collect();
            prop_assert_eq!(live.numbers(first, last), expected);
        }
    }
}
