//! Segments to index, or the reason why not.

use super::header::cut;
use super::index::Index;
use super::{
    EntryNumber, FORMAT_VERSION, Found, Header, HeaderError, Purpose, Record, Scan, Seed, SegmentNumber,
};
use crate::limits::{JOURNAL_SEGMENT_BYTES_MAX, JOURNAL_SKIPPED_MAX};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Where a live entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The segment.
    pub segment: SegmentNumber,
    /// Where its record begins.
    pub offset: u32,
    /// The length of its record.
    pub bytes: u32,
}

/// Why a segment was not read. Nothing of it was taken up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A newer version wrote it.
    Newer {
        /// Its version.
        found: u16,
        /// The newest version that is read here.
        supported: u16,
    },
    /// It is the journal of another node.
    OtherOwner {
        /// Whose.
        found: String,
    },
    /// It is a journal of messages where dead letters are expected, or the other way round.
    OtherPurpose {
        /// What it is for.
        found: Purpose,
    },
    /// Its file has the name of another segment.
    OtherNumber {
        /// The number it was written with.
        found: SegmentNumber,
    },
    /// It is larger than [`JOURNAL_SEGMENT_BYTES_MAX`].
    TooLarge,
    /// It holds no header and no record of this journal.
    Unreadable,
    /// It was given after one with a higher number: the caller's mistake.
    OutOfOrder,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Newer { found, supported } => {
                write!(
                    f,
                    "format version {found}, written by a newer edgehub; this one reads up to version {supported}"
                )
            }
            Refusal::OtherOwner { found } => write!(f, "the journal of another node, `{found}`"),
            Refusal::OtherPurpose { found: Purpose::Messages } => {
                f.write_str("a journal of messages, not of dead letters")
            }
            Refusal::OtherPurpose { found: Purpose::DeadLetters } => {
                f.write_str("a journal of dead letters, not of messages")
            }
            Refusal::OtherNumber { found } => {
                write!(f, "written as segment {found}, so the file was renamed")
            }
            Refusal::TooLarge => write!(f, "larger than {JOURNAL_SEGMENT_BYTES_MAX} bytes"),
            Refusal::Unreadable => f.write_str("not a journal of this node, or damaged beyond reading"),
            Refusal::OutOfOrder => f.write_str("read after a later segment"),
        }
    }
}

impl core::error::Error for Refusal {}

/// A damaged stretch that was passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skipped {
    /// The segment.
    pub segment: SegmentNumber,
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub bytes: u64,
}

/// The unfinished end of a segment, which is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Torn {
    /// The segment.
    pub segment: SegmentNumber,
    /// Where its sound part ends.
    pub offset: u64,
    /// How many bytes come after.
    pub bytes: u64,
}

/// Reads segments back, in ascending order, and knows then what lives.
#[derive(Debug, Clone)]
pub struct Recovery {
    purpose: Purpose,
    identity: String,
    seed: Seed,
    pub(super) index: Index,
    pub(super) unborn: Vec<SegmentNumber>,
    newest: Option<SegmentNumber>,
    unused: EntryNumber,
    skipped: Vec<Skipped>,
    skipped_bytes: u64,
    torn: Vec<Torn>,
}

impl Recovery {
    /// Nothing read yet.
    pub fn new(purpose: Purpose, identity: &str) -> Recovery {
        Recovery {
            purpose,
            identity: String::from(cut(identity)),
            seed: Seed::new(purpose, identity),
            index: Index::default(),
            unborn: Vec::new(),
            newest: None,
            unused: EntryNumber(1),
            skipped: Vec::new(),
            skipped_bytes: 0,
            torn: Vec::new(),
        }
    }

    /// Reads the next segment. What a refusal leaves out is as if it were not there.
    pub fn segment(&mut self, segment: SegmentNumber, bytes: &[u8]) -> Result<(), Refusal> {
        if self.newest.is_some_and(|newest| newest >= segment) {
            return Err(Refusal::OutOfOrder);
        }
        // Also a refused segment keeps its number: no later one may take its file's name.
        self.newest = Some(segment);
        if bytes.len() as u64 > JOURNAL_SEGMENT_BYTES_MAX {
            return Err(Refusal::TooLarge);
        }
        let start = match Header::decode(bytes) {
            Ok((header, start)) => {
                self.check(&header, segment)?;
                self.unused = self.unused.max(header.unused);
                start
            }
            Err(HeaderError::Newer { found }) => {
                return Err(Refusal::Newer { found, supported: FORMAT_VERSION });
            }
            // The records name their owner too, by their seed: a damaged header costs nothing else.
            Err(HeaderError::Unreadable) if self.has_records(bytes) => 0,
            Err(HeaderError::Unreadable) if self.header(segment).may_become(bytes) => {
                self.unborn.push(segment);
                return Ok(());
            }
            Err(HeaderError::Unreadable) => return Err(Refusal::Unreadable),
        };
        self.index.grow(segment, start);
        for found in Scan::new(bytes, start, self.seed) {
            self.take(segment, found);
        }
        Ok(())
    }

    fn check(&self, header: &Header, segment: SegmentNumber) -> Result<(), Refusal> {
        if header.identity != self.identity {
            return Err(Refusal::OtherOwner { found: header.identity.clone() });
        }
        if header.purpose != self.purpose {
            return Err(Refusal::OtherPurpose { found: header.purpose });
        }
        if header.segment != segment {
            return Err(Refusal::OtherNumber { found: header.segment });
        }
        Ok(())
    }

    fn has_records(&self, bytes: &[u8]) -> bool {
        Scan::new(bytes, 0, self.seed).any(|found| matches!(found, Found::Record { .. }))
    }

    fn take(&mut self, segment: SegmentNumber, found: Found<'_>) {
        match found {
            Found::Record { offset, bytes, record } => {
                self.index.grow(segment, bytes);
                let used = match record {
                    Record::Store { number, .. } => {
                        let (offset, bytes) = (offset as u32, bytes as u32);
                        self.index.put(number, Place { segment, offset, bytes });
                        number
                    }
                    Record::Forget { first, last } => {
                        self.index.remove_range(first, last);
                        last
                    }
                };
                self.unused = self.unused.max(EntryNumber(used.0.saturating_add(1)));
            }
            Found::Damaged { offset, bytes } => {
                self.index.grow(segment, bytes);
                self.skipped_bytes += bytes as u64;
                if self.skipped.len() < JOURNAL_SKIPPED_MAX {
                    self.skipped.push(Skipped { segment, offset: offset as u64, bytes: bytes as u64 });
                }
            }
            Found::Torn { offset, bytes } => {
                self.torn.push(Torn { segment, offset: offset as u64, bytes: bytes as u64 });
            }
        }
    }

    /// Notes that a number is used now.
    pub(super) fn use_number(&mut self, number: EntryNumber) {
        self.unused = EntryNumber(number.0.saturating_add(1));
    }

    /// The header of a segment that would be begun now.
    pub(super) fn header(&self, segment: SegmentNumber) -> Header {
        Header { purpose: self.purpose, identity: self.identity.clone(), segment, unused: self.unused }
    }

    /// What lives, by number.
    pub fn live(&self) -> impl DoubleEndedIterator<Item = (EntryNumber, Place)> + '_ {
        self.index.live().iter()
    }

    /// The first number that was never used.
    pub fn unused(&self) -> EntryNumber {
        self.unused
    }

    /// The highest segment number seen, refused ones included.
    pub fn newest(&self) -> Option<SegmentNumber> {
        self.newest
    }

    /// What every checksum begins with.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// The damaged stretches, the first [`JOURNAL_SKIPPED_MAX`] of them.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// The bytes of all damaged stretches.
    pub fn skipped_bytes(&self) -> u64 {
        self.skipped_bytes
    }

    /// The torn ends.
    pub fn torn(&self) -> &[Torn] {
        &self.torn
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::UnixMillis;

    fn segment_of(identity: &str, number: u64, records: &[Record<'_>]) -> Vec<u8> {
        let mut recovery = Recovery::new(Purpose::Messages, identity);
        recovery.unused = EntryNumber(40);
        let mut bytes = recovery.header(SegmentNumber(number)).encode();
        for record in records {
            record.encode(recovery.seed, &mut bytes);
        }
        bytes
    }

    fn store(number: u64) -> Record<'static> {
        Record::Store { number: EntryNumber(number), class: 1, at: UnixMillis(2), reason: None, frame: "{}" }
    }

    fn forget(first: u64, last: u64) -> Record<'static> {
        Record::Forget { first: EntryNumber(first), last: EntryNumber(last) }
    }

    fn read(segments: &[(u64, &[u8])]) -> (Recovery, Result<(), Refusal>) {
        let mut recovery = Recovery::new(Purpose::Messages, "edge-1");
        let outcome =
            segments.iter().try_for_each(|(number, bytes)| recovery.segment(SegmentNumber(*number), bytes));
        (recovery, outcome)
    }

    fn live(recovery: &Recovery) -> Vec<u64> {
        recovery.live().map(|(number, _)| number.0).collect()
    }

    #[test]
    fn what_is_stored_and_not_forgotten_lives() {
        let one = segment_of("edge-1", 1, &[store(1), store(2), forget(1, 1), store(50)]);
        // A copy carried forward lies behind what is younger.
        let three = segment_of("edge-1", 3, &[store(51), store(2), forget(50, 50)]);
        let (recovery, outcome) = read(&[(1, &one), (3, &three)]);
        assert_eq!((outcome, live(&recovery)), (Ok(()), alloc::vec![2, 51]));
        assert_eq!((recovery.unused(), recovery.newest()), (EntryNumber(52), Some(SegmentNumber(3))));
        assert_eq!(recovery.index.oldest(), Some((SegmentNumber(1), 0)));
        assert_eq!(recovery.index.bytes(), (one.len() + three.len()) as u64);
    }

    #[test]
    fn numbers_are_never_used_twice() {
        let (recovery, outcome) = read(&[(1, &segment_of("edge-1", 1, &[]))]);
        assert_eq!((outcome, recovery.unused()), (Ok(()), EntryNumber(40)));
        let (recovery, _) = read(&[(1, &segment_of("edge-1", 1, &[forget(0, 99)]))]);
        assert_eq!(recovery.unused(), EntryNumber(100));
    }

    #[test]
    fn each_refusal_is_named() {
        let own = segment_of("edge-1", 1, &[store(1)]);
        let other = segment_of("edge-2", 1, &[store(1)]);
        assert_eq!(read(&[(1, &other)]).1, Err(Refusal::OtherOwner { found: "edge-2".into() }));
        assert_eq!(read(&[(2, &own)]).1, Err(Refusal::OtherNumber { found: SegmentNumber(1) }));
        assert_eq!(read(&[(1, b"a text of someone else")]).1, Err(Refusal::Unreadable));
        assert_eq!(read(&[(1, &own), (1, &own)]).1, Err(Refusal::OutOfOrder));
        let mut dead = Recovery::new(Purpose::DeadLetters, "edge-1");
        assert_eq!(
            dead.segment(SegmentNumber(1), &own),
            Err(Refusal::OtherPurpose { found: Purpose::Messages })
        );
        let mut newer = own.clone();
        newer[8..10].copy_from_slice(&9u16.to_le_bytes());
        newer[10..12].copy_from_slice(&(!9u16).to_le_bytes());
        assert_eq!(read(&[(1, &newer)]).1, Err(Refusal::Newer { found: 9, supported: FORMAT_VERSION }));
    }

    #[test]
    fn a_damaged_header_costs_no_record() {
        let mut own = segment_of("edge-1", 1, &[store(1), store(2)]);
        own[3] ^= 1;
        let (recovery, outcome) = read(&[(1, &own)]);
        assert_eq!((outcome, live(&recovery)), (Ok(()), alloc::vec![1, 2]));
        assert_eq!(recovery.skipped().len(), 1);
        // But not with another's records.
        let mut other = segment_of("edge-2", 1, &[store(1)]);
        other[3] ^= 1;
        assert_eq!(read(&[(1, &other)]).1, Err(Refusal::Unreadable));
    }

    #[test]
    fn a_torn_end_is_told_with_its_place() {
        let whole = segment_of("edge-1", 1, &[store(1), store(2)]);
        let cut = &whole[..whole.len() - 3];
        let (recovery, _) = read(&[(1, cut)]);
        let torn = Torn { segment: SegmentNumber(1), offset: whole.len() as u64 - 34, bytes: 31 };
        assert_eq!((live(&recovery), recovery.torn()), (alloc::vec![1], &[torn][..]));
        let (recovery, outcome) = read(&[(1, &whole[..20])]);
        assert_eq!((outcome, recovery.unborn.len()), (Ok(()), 1));
    }
}
