//! The durable journal: what must survive a crash or a power cut, as an append-only log in segments.
//!
//! Nothing here touches a file. [`Writer`] decides what to write, when to sync, what to move and what to delete, as
//! [`Command`]s that a driver carries out one at a time; [`Recovery`] reads segments back. The same logic runs over real
//! files and over the simulator's disk.
//!
//! # What it promises
//!
//! - An entry reported as [`Event::Stored`] is there after any crash, until it is forgotten.
//! - What was never handed over never appears: every record carries a checksum seeded with the owner's identity.
//! - A forgotten entry may come back once after a crash when its forget record was not yet synced; forgetting alone is
//!   never worth a sync. Delivery is at least once, and this is its duplicate window on disk.
//! - Damage costs what it hits: reading goes on at the next sound record, and what was passed over is reported.
//! - No segment is ever overwritten, and none is deleted before what lives in it has been forgotten or synced elsewhere.
//!
//! # Order of segments
//!
//! Records are appended to the newest segment; only the oldest is deleted, one at a time, each deletion synced before
//! the next. So a forget record outlives every copy of what it forgets. Entries that live long are copied forward to the
//! end of the log when too much of the disk holds nothing else.
//!
//! | file | its one job |
//! |---|---|
//! | `header` | what begins a segment: format version, owner, numbers |
//! | `record` | one record as bytes |
//! | `scan` | sound records and damage, in the order of a segment |
//! | `index`, `live` | where what lives is, and how full each segment is |
//! | `recovery` | segments to index, or the reason why not |
//! | `writer`, `writer/*` | the machine: group commit, rotation, compaction, faults |

mod header;
mod index;
mod live;
mod record;
mod recovery;
mod scan;
mod writer;

pub use header::{FORMAT_VERSION, Header, HeaderError, Purpose};
pub use record::{Kind, Record, Seed};
pub use recovery::{Place, Recovery, Refusal, Skipped, Torn};
pub use scan::{Found, Scan};
pub use writer::{
    Command, Completion, Event, Fault, FullReason, Health, Input, Operation, Overflow, RefusedReason,
    Settings, Writer,
};

use crate::time::UnixMillis;
use bytestring::ByteString;
use core::fmt;
use serde::{Deserialize, Serialize};

/// An entry's number. The owner gives them out, each larger than the one before; they are never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct EntryNumber(pub u64);

/// A segment's number: its place in the order of the log, and its file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct SegmentNumber(pub u64);

impl fmt::Display for EntryNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for SegmentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08}", self.0)
    }
}

/// One entry: a message, and what its owner must know to take it up again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub number: EntryNumber,
    /// Whatever the owner wants to find again; the journal does not look at it.
    pub class: u8,
    /// When it was handed over, or, for a dead letter, dropped.
    pub at: UnixMillis,
    /// Why it was dropped; dead letters only. One line: a line feed in it becomes a space, and what is longer than
    /// [`JOURNAL_REASON_BYTES_MAX`](crate::limits::JOURNAL_REASON_BYTES_MAX) is cut.
    pub reason: Option<ByteString>,
    /// The message's text. Being UTF-8 is what keeps a record's first byte out of it.
    pub frame: ByteString,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn numbers_of_segments_sort_as_their_files_do() {
        assert_eq!(format!("{} {}", EntryNumber(7), SegmentNumber(7)), "7 00000007");
        assert!(format!("{}", SegmentNumber(9)) < format!("{}", SegmentNumber(10)));
    }
}
