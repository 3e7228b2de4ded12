//! What a writer wants done, and what it tells its owner.

use super::super::{Entry, EntryNumber, SegmentNumber};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What is to be done on the disk. One command is out at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Make a segment's file, write its header, sync the file, then its directory. A file of that name may be there
    /// only as the left-over of an attempt of this writer that failed.
    Create {
        /// The segment.
        segment: SegmentNumber,
        /// The header.
        header: Bytes,
    },
    /// Write all bytes at this place of a segment.
    Write {
        /// The segment.
        segment: SegmentNumber,
        /// Where.
        offset: u64,
        /// What.
        bytes: Bytes,
    },
    /// Make everything written to a segment durable, its length included.
    Sync {
        /// The segment.
        segment: SegmentNumber,
    },
    /// Cut a segment to this length and sync it.
    Cut {
        /// The segment.
        segment: SegmentNumber,
        /// Its new length.
        length: u64,
    },
    /// Delete a segment, then sync its directory. That it is gone already is no fault.
    Delete {
        /// The segment.
        segment: SegmentNumber,
    },
    /// Read from a segment.
    Read {
        /// The segment.
        segment: SegmentNumber,
        /// Where.
        offset: u64,
        /// How much.
        bytes: usize,
    },
}

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FullReason {
    /// The journal has its configured size.
    Limit,
    /// The disk has no space.
    Disk,
}

/// How a journal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Health {
    /// It stores.
    #[default]
    Good,
    /// It keeps what it has; what comes waits.
    Full(FullReason),
    /// The disk fails; what comes waits, and each retry tries again.
    Failing,
}

/// Why an entry was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedReason {
    /// Its number is not larger than all before.
    NumberUsed,
    /// Its record would be longer than a segment.
    TooLarge {
        /// The longest record, in bytes.
        limit: u64,
    },
    /// Too many wait already.
    TooManyWaiting,
    /// The journal is closing.
    Closing,
}

/// What the owner is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Every entry taken with a number up to this one is durable, or has been forgotten or refused.
    Stored {
        /// The last of them.
        up_to: EntryNumber,
    },
    /// An entry was not taken; nothing of it is kept.
    Refused {
        /// Its number.
        number: EntryNumber,
        /// Why.
        reason: RefusedReason,
    },
    /// An entry, read back.
    Fetched(Entry),
    /// An entry that is not there, or cannot be read any more; it has been forgotten.
    Lost {
        /// Its number.
        number: EntryNumber,
    },
    /// The oldest entries were given up to make room.
    Discarded {
        /// How many.
        entries: usize,
    },
    /// The health changed.
    Health(Health),
    /// The end: nothing follows.
    Closed {
        /// Entries that could not be written any more.
        unwritten: usize,
    },
}
