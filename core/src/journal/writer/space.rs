//! Room: the oldest segment is deleted once nothing lives in it, and emptied when too little lives in the whole.

use super::super::{Entry, EntryNumber, SegmentNumber};
use super::{Command, Overflow, Step, Writer};
use crate::canary::JournalCanary;
use crate::journal::Record;
use crate::limits::JOURNAL_COPY_BYTES;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Segments beyond what their size explains, before the small ones that restarts leave are joined.
const SMALL_SEGMENTS_MAX: u64 = 32;

/// The copying of what lives in the oldest segment.
#[derive(Debug, Default)]
pub(super) struct Copying {
    segment: Option<SegmentNumber>,
    /// What is still to be read there.
    numbers: VecDeque<EntryNumber>,
    /// What was read, for the next chunk.
    entries: Vec<Entry>,
    bytes: usize,
}

impl Copying {
    pub(super) fn take(&mut self) -> Vec<Entry> {
        self.bytes = 0;
        core::mem::take(&mut self.entries)
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.bytes += Record::of(&entry).bytes();
        self.entries.push(entry);
    }

    pub(super) fn read_again(&mut self, number: EntryNumber) {
        self.numbers.push_front(number);
    }
}

impl Writer {
    /// The oldest segment, unless it is the one that is written to, and how much lives in it.
    fn oldest(&self) -> Option<(SegmentNumber, usize)> {
        self.index.oldest().filter(|(segment, _)| self.active.is_none_or(|active| active.segment != *segment))
    }

    pub(super) fn delete_oldest(&self) -> Option<(Step, Command)> {
        if self.deletes_fail || self.closing {
            return None;
        }
        let living = usize::from(self.planted.is(JournalCanary::DeletesLive));
        let (segment, _) = self.oldest().filter(|(_, entries)| *entries <= living)?;
        Some((Step::Delete(segment), Command::Delete { segment }))
    }

    /// For a journal that gives up its oldest entries: deletes them when the next one does not fit.
    pub(super) fn make_room(&self) -> Option<(Step, Command)> {
        if self.settings.overflow != Overflow::DropOldest || self.deletes_fail || !self.is_blocked() {
            return None;
        }
        let (segment, _) = self.oldest()?;
        Some((Step::Delete(segment), Command::Delete { segment }))
    }

    /// Whether something waits that the limits do not let in.
    fn is_blocked(&self) -> bool {
        let entry = self.waiting.first_key_value().map(|(_, entry)| Record::of(entry).bytes());
        entry.is_some_and(|bytes| !self.fits(bytes))
            || (!self.forgets.is_empty() && self.index.bytes() >= self.settings.forgets_until())
    }

    /// Whether moving what lives in the oldest segment frees enough for its trouble: the dead outweigh the living, or
    /// are in the way of what waits. Less than two segments may well lie in the one that is written to.
    pub(super) fn wants_compaction(&self) -> bool {
        let (dead, two_segments) = (self.index.dead_bytes(), 2 * self.settings.segment_bytes);
        let crowded = dead >= two_segments && (dead >= self.index.live_bytes() || self.is_blocked());
        let explained = self.settings.total_bytes / self.settings.segment_bytes;
        !self.closing
            && self.oldest().is_some()
            && (crowded || self.index.segments().len() as u64 > explained + SMALL_SEGMENTS_MAX)
    }

    /// Reads the next entry that is to be moved out of the oldest segment.
    pub(super) fn read_to_copy(&mut self) -> Option<(Step, Command)> {
        let bytes_max = JOURNAL_COPY_BYTES.min(self.settings.segment_bytes as usize / 4);
        if self.copying.bytes >= bytes_max || !self.wants_compaction() {
            return None;
        }
        let (segment, _) = self.oldest()?;
        if self.copying.segment != Some(segment) {
            self.copying.segment = Some(segment);
            self.copying.numbers = self.index.entries_of(segment).into();
        }
        while let Some(number) = self.copying.numbers.pop_front() {
            let here = self.index.place(number).filter(|place| place.segment == segment);
            if let Some(place) = here {
                let (offset, bytes) = (u64::from(place.offset), place.bytes as usize);
                return Some((Step::Copy(number), Command::Read { segment, offset, bytes }));
            }
        }
        None
    }

    /// Reads the next entry that the owner asked for. Nothing is pending here: all that lives has its place.
    pub(super) fn read_fetched(&mut self) -> Option<(Step, Command)> {
        while let Some(number) = self.fetches.pop_front() {
            if let Some(place) = self.index.place(number) {
                let (offset, bytes) = (u64::from(place.offset), place.bytes as usize);
                return Some((Step::Fetch(number), Command::Read { segment: place.segment, offset, bytes }));
            }
            self.lost(number);
        }
        None
    }
}
