//! What can be wrong with a trace.

use super::format::{FORMAT_VERSION, OLDEST_FORMAT_VERSION};
use super::header::Versions;
use alloc::boxed::Box;
use core::fmt;

/// Bytes that are not what the format says, inside a block or a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken(pub(super) &'static str);

/// Why a file cannot be read as a trace at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It does not begin as a trace does.
    NotATrace,
    /// Its beginning cannot be read.
    Unreadable,
    /// It ends inside its header.
    Truncated,
    /// It was written in another version of the format.
    UnknownVersion {
        /// The version in the file.
        found: u16,
    },
    /// Its header is damaged or does not make sense.
    Header(Box<str>),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NotATrace => f.write_str("not a trace of an edge hub"),
            Refusal::Unreadable => f.write_str("the file cannot be read"),
            Refusal::Truncated => f.write_str("the file ends inside the header"),
            Refusal::UnknownVersion { found } => {
                write!(f, "the trace has format version {found}; this program reads ")?;
                write!(f, "versions {OLDEST_FORMAT_VERSION} to {FORMAT_VERSION}")
            }
            Refusal::Header(why) => write!(f, "the header is damaged: {why}"),
        }
    }
}

impl core::error::Error for Refusal {}

/// A part of a trace that cannot be read. What comes before it can, and what follows it after the next checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// The file ends inside a block, or inside the bytes of one that is not recognisable: a recording that was cut off.
    Truncated {
        /// Where the last whole block ends, in bytes from the start of the file.
        offset: usize,
    },
    /// A block does not make sense.
    Corrupt {
        /// Where the block begins, in bytes from the start of the file.
        offset: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A record does not make sense, in a block whose hash is right: it was written so.
    Record {
        /// Where the block begins, in bytes from the start of the file.
        offset: usize,
        /// The number of the record.
        record: u64,
        /// Where in the block's unpacked payload the record begins.
        at: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A checkpoint is the state of another version of the hub. No replay can begin there.
    OtherVersion {
        /// Where the block begins, in bytes from the start of the file.
        offset: usize,
        /// Which versions they are.
        versions: Versions,
    },
    /// Records are missing although no block is damaged: a part of the file was taken out.
    Missing {
        /// Where they should be.
        offset: usize,
        /// The number of the first missing record.
        from: u64,
        /// The number of the first one that is there again.
        to: u64,
    },
}

impl Damage {
    /// Where it is, in bytes from the start of the file.
    pub fn offset(&self) -> usize {
        match self {
            Damage::Truncated { offset }
            | Damage::Corrupt { offset, .. }
            | Damage::Record { offset, .. }
            | Damage::OtherVersion { offset, .. }
            | Damage::Missing { offset, .. } => *offset,
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Truncated { offset } => {
                write!(f, "the trace is cut off: what follows byte {offset} is not a whole block")
            }
            Damage::Corrupt { offset, why } => write!(f, "the block at byte {offset} is damaged: {why}"),
            Damage::Record { offset, record, at, why } => {
                write!(
                    f,
                    "record {record} is damaged, at byte {at} of the unpacked block at byte {offset}: {why}"
                )
            }
            Damage::OtherVersion { offset, versions } => write!(
                f,
                "no replay can begin at the checkpoint at byte {offset}: it is the state of another version; {versions}"
            ),
            Damage::Missing { offset, from, to } => {
                write!(f, "records {from} to {} are missing at byte {offset}", to.saturating_sub(1))
            }
        }
    }
}

impl core::error::Error for Damage {}
