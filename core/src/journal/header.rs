//! What begins a segment.
//!
//! ```text
//!  0  8  magic            24  8  first unused entry number
//!  8  2  version          32  n  owner's identity, UTF-8
//! 10  2  version, inverted   4  CRC-32 of all before
//! 12  1  purpose
//! 13  1  zero                numbers are little-endian
//! 14  2  n
//! 16  8  segment number
//! ```
//!
//! The version stands where every later format must leave it, and guards itself: a flipped bit is damage and not a
//! newer format.

use super::{EntryNumber, SegmentNumber};
use crate::limits::JOURNAL_IDENTITY_BYTES_MAX;
use alloc::string::String;
use alloc::vec::Vec;

/// The version of the format that is written, and the newest that is read.
pub const FORMAT_VERSION: u16 = 1;

const MAGIC: [u8; 8] = *b"EdgeHubJ";
const FIXED_BYTES: usize = 32;
const CRC_BYTES: usize = 4;
/// Where the first unused number stands, the one part that cannot be foretold from the file's name.
const UNUSED: core::ops::Range<usize> = 24..32;

/// What a journal is for; one is not read as the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// Messages on their way.
    Messages = 1,
    /// Messages that were dropped, with the reason.
    DeadLetters = 2,
}

/// Why a header cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderError {
    /// It is incomplete, damaged or no header at all.
    Unreadable,
    /// It was written by a newer version.
    Newer {
        /// The version of the file.
        found: u16,
    },
}

/// What begins a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// What the journal is for.
    pub purpose: Purpose,
    /// Whose journal it is.
    pub identity: String,
    /// The segment's number.
    pub segment: SegmentNumber,
    /// All entry numbers below were given out before this segment was begun.
    pub unused: EntryNumber,
}

impl Header {
    /// The header as bytes. An identity longer than the limit is cut, for reading and writing alike.
    pub fn encode(&self) -> Vec<u8> {
        let identity = cut(&self.identity);
        let mut bytes = Vec::with_capacity(FIXED_BYTES + identity.len() + CRC_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes.extend_from_slice(&(!FORMAT_VERSION).to_le_bytes());
        bytes.extend_from_slice(&[self.purpose as u8, 0]);
        bytes.extend_from_slice(&(identity.len() as u16).to_le_bytes());
        bytes.extend_from_slice(&self.segment.0.to_le_bytes());
        bytes.extend_from_slice(&self.unused.0.to_le_bytes());
        bytes.extend_from_slice(identity.as_bytes());
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a header from the beginning of a segment; returns it with its length in bytes.
    pub fn decode(bytes: &[u8]) -> Result<(Header, usize), HeaderError> {
        let (found, guard) = bytes
            .strip_prefix(&MAGIC)
            .and_then(|rest| Some((number::<2>(rest, 0)? as u16, number::<2>(rest, 2)? as u16)))
            .ok_or(HeaderError::Unreadable)?;
        if found != !guard {
            return Err(HeaderError::Unreadable);
        }
        if found > FORMAT_VERSION {
            return Err(HeaderError::Newer { found });
        }
        Self::decode_fields(bytes).ok_or(HeaderError::Unreadable)
    }

    fn decode_fields(bytes: &[u8]) -> Option<(Header, usize)> {
        let identity_bytes = usize::try_from(number::<2>(bytes, 14)?).ok()?;
        let end = FIXED_BYTES + identity_bytes;
        let crc = number::<4>(bytes, end)?;
        if u64::from(crc32fast::hash(bytes.get(..end)?)) != crc {
            return None;
        }
        let purpose = match bytes.get(12)? {
            1 => Purpose::Messages,
            2 => Purpose::DeadLetters,
            _ => return None,
        };
        let header = Header {
            purpose,
            identity: String::from(core::str::from_utf8(bytes.get(FIXED_BYTES..end)?).ok()?),
            segment: SegmentNumber(number::<8>(bytes, 16)?),
            unused: EntryNumber(number::<8>(bytes, UNUSED.start)?),
        };
        Some((header, end + CRC_BYTES))
    }

    /// Whether the bytes are what a crash may leave of this header while it is being written: each byte is the right
    /// one, or zero. A header is synced before any record follows it, so nothing is lost with such a segment.
    pub fn may_become(&self, bytes: &[u8]) -> bool {
        let whole = self.encode();
        let foretold = whole.len() - CRC_BYTES;
        bytes.len() <= whole.len()
            && bytes.iter().zip(&whole).enumerate().all(|(at, (byte, right))| {
                *byte == 0 || byte == right || UNUSED.contains(&at) || at >= foretold
            })
    }
}

/// The part of an identity that is written.
pub(super) fn cut(identity: &str) -> &str {
    &identity[..identity.floor_char_boundary(JOURNAL_IDENTITY_BYTES_MAX)]
}

/// The little-endian number of `N` bytes at `at`.
pub(super) fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let digits = bytes.get(at..at.checked_add(N)?)?;
    Some(digits.iter().rev().fold(0, |value, digit| (value << 8) | u64::from(*digit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            purpose: Purpose::Messages,
            identity: "edge-1".into(),
            segment: SegmentNumber(7),
            unused: EntryNumber(300),
        }
    }

    #[test]
    fn a_header_reads_back_and_every_flipped_bit_is_seen() {
        let bytes = header().encode();
        assert_eq!(Header::decode(&bytes), Ok((header(), bytes.len())));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::decode(&damaged), Err(HeaderError::Unreadable), "bit {bit}");
        }
        for end in 0..bytes.len() {
            assert_eq!(Header::decode(&bytes[..end]), Err(HeaderError::Unreadable), "cut at {end}");
            assert!(header().may_become(&bytes[..end]));
        }
    }

    #[test]
    fn a_newer_version_is_named() {
        let mut bytes = header().encode();
        bytes[8..10].copy_from_slice(&2u16.to_le_bytes());
        bytes[10..12].copy_from_slice(&(!2u16).to_le_bytes());
        assert_eq!(Header::decode(&bytes), Err(HeaderError::Newer { found: 2 }));
    }

    #[test]
    fn what_is_no_header_of_ours_does_not_pass_for_a_torn_one() {
        assert!(header().may_become(&[0; 12]));
        assert!(!header().may_become(b"a text"));
        let other = Header { segment: SegmentNumber(8), ..header() };
        assert!(!header().may_become(&other.encode()));
        let later = Header { unused: EntryNumber(9999), ..header() };
        assert!(header().may_become(&later.encode()), "the first unused number cannot be foretold");
    }

    #[test]
    fn a_long_identity_is_cut_at_a_character() {
        let identity = "é".repeat(JOURNAL_IDENTITY_BYTES_MAX);
        let (read, _) = Header::decode(&Header { identity, ..header() }.encode()).unwrap();
        assert_eq!(read.identity.len(), JOURNAL_IDENTITY_BYTES_MAX);
    }
}
