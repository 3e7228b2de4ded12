//! Where what lives is, and how full each segment is.

use super::live::Live;
use super::{EntryNumber, Place, SegmentNumber};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// How a segment's bytes are used.
#[derive(Debug, Clone, Copy, Default)]
struct Usage {
    bytes: u64,
    entries: usize,
}

/// All live entries and all segments.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    live: Live,
    segments: BTreeMap<SegmentNumber, Usage>,
    live_bytes: u64,
    bytes: u64,
}

impl Index {
    /// Bytes of all segments.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes that hold nothing that lives.
    pub(super) fn dead_bytes(&self) -> u64 {
        self.bytes.saturating_sub(self.live_bytes)
    }

    /// Bytes of the records of what lives.
    pub(super) fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    pub(super) fn live(&self) -> &Live {
        &self.live
    }

    pub(super) fn place(&self, number: EntryNumber) -> Option<Place> {
        self.live.get(number)
    }

    pub(super) fn segments(&self) -> impl ExactSizeIterator<Item = SegmentNumber> + '_ {
        self.segments.keys().copied()
    }

    /// The oldest segment, and how many entries live in it.
    pub(super) fn oldest(&self) -> Option<(SegmentNumber, usize)> {
        self.segments.first_key_value().map(|(segment, usage)| (*segment, usage.entries))
    }

    /// What lives in a segment, in the order in which it was written.
    pub(super) fn entries_of(&self, segment: SegmentNumber) -> Vec<EntryNumber> {
        let here = self.live.iter().filter(|(_, place)| place.segment == segment);
        let mut entries: Vec<_> = here.map(|(number, place)| (place.offset, number)).collect();
        entries.sort_unstable();
        entries.into_iter().map(|(_, number)| number).collect()
    }

    /// Adds bytes to a segment, which begins with its first ones.
    pub(super) fn grow(&mut self, segment: SegmentNumber, bytes: usize) {
        self.segments.entry(segment).or_default().bytes += bytes as u64;
        self.bytes += bytes as u64;
    }

    /// Notes where an entry is; it lives there and nowhere else. In a segment that has no bytes yet nobody counts it.
    pub(super) fn put(&mut self, number: EntryNumber, place: Place) {
        self.remove(number);
        self.live.insert(number, place);
        self.live_bytes += u64::from(place.bytes);
        if let Some(usage) = self.segments.get_mut(&place.segment) {
            usage.entries += 1;
        }
    }

    /// Ends an entry; returns whether it lived.
    pub(super) fn remove(&mut self, number: EntryNumber) -> bool {
        let Some(place) = self.live.remove(number) else { return false };
        self.live_bytes -= u64::from(place.bytes);
        if let Some(usage) = self.segments.get_mut(&place.segment) {
            usage.entries -= 1;
        }
        true
    }

    /// Ends the entries from `first` to `last`; returns how many lived.
    pub(super) fn remove_range(&mut self, first: EntryNumber, last: EntryNumber) -> usize {
        if first > last {
            return 0;
        }
        let numbers = self.live.numbers(first, last);
        for number in &numbers {
            self.remove(*number);
        }
        numbers.len()
    }

    /// Takes a segment out, with whatever still lives in it; returns how many that were.
    pub(super) fn remove_segment(&mut self, segment: SegmentNumber) -> usize {
        let still_there = if self.segments.get(&segment).is_some_and(|usage| usage.entries > 0) {
            self.entries_of(segment)
        } else {
            Vec::new()
        };
        for number in &still_there {
            self.remove(*number);
        }
        if let Some(usage) = self.segments.remove(&segment) {
            self.bytes -= usage.bytes;
        }
        still_there.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(segment: u64, offset: u32) -> Place {
        Place { segment: SegmentNumber(segment), offset, bytes: 10 }
    }

    #[test]
    fn bytes_and_entries_add_up() {
        let mut index = Index::default();
        index.grow(SegmentNumber(1), 50);
        index.put(EntryNumber(1), place(1, 20));
        index.put(EntryNumber(2), place(1, 10));
        index.grow(SegmentNumber(2), 30);
        index.put(EntryNumber(3), place(2, 10));
        assert_eq!((index.bytes(), index.dead_bytes()), (80, 50));
        assert_eq!(index.entries_of(SegmentNumber(1)), [EntryNumber(2), EntryNumber(1)]);
        index.put(EntryNumber(1), place(2, 20));
        assert_eq!(index.oldest(), Some((SegmentNumber(1), 1)));
        assert_eq!(index.remove_range(EntryNumber(2), EntryNumber(9)), 2);
        assert_eq!(index.remove_range(EntryNumber(9), EntryNumber(2)), 0);
        assert_eq!(index.oldest(), Some((SegmentNumber(1), 0)));
        assert_eq!(index.remove_segment(SegmentNumber(2)), 1);
        assert_eq!((index.bytes(), index.dead_bytes(), index.live().len()), (50, 50, 0));
    }
}
