//! What can happen to a writer.

use super::super::{Entry, EntryNumber};
use bytes::Bytes;

/// What the owner asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Keep this. Its number must be larger than all before, or it is refused.
    Store(Entry),
    /// The entries from `first` to `last`, both included, have ended. Those that still wait are not written any more;
    /// numbers without an entry are no mistake.
    Forget {
        /// The first of them.
        first: EntryNumber,
        /// The last of them.
        last: EntryNumber,
    },
    /// Read this entry back. [`Event::Fetched`](super::Event::Fetched) or [`Event::Lost`](super::Event::Lost) answers.
    Fetch(EntryNumber),
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The owner asks for something.
    Operation(Operation),
    /// The owner ends: write what waits, sync, and say [`Event::Closed`](super::Event::Closed).
    Close,
    /// Some time after a fault: try again. Changes nothing otherwise.
    Retry,
    /// The command that is out has been carried out.
    Completed(Completion),
    /// The command that is out has failed; whatever part of it was done stays done.
    Failed(Fault),
}

/// What a command brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completion {
    /// Nothing but being done.
    Done,
    /// The bytes of [`Command::Read`](super::Command::Read); fewer where the file ends.
    Read(Bytes),
}

/// Why a command failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No space on the disk, or no quota left.
    NoSpace,
    /// Anything else.
    Other,
}
