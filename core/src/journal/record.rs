//! One record as bytes.
//!
//! ```text
//!  0  1  0xFF             16  8  milliseconds since 1970; a forget's last number
//!  1  1  0xE7             24  4  CRC-32 of the body
//!  2  1  kind             28  4  CRC-32 of all before
//!  3  1  class            32  n  body, UTF-8
//!  4  4  n
//!  8  8  entry number        numbers are little-endian
//! ```
//!
//! No UTF-8 text holds the byte 0xFF, so no message can hold what looks like a record, and reading finds its way after
//! damage without being led astray by contents. Both checksums begin with a seed made of purpose and identity: the
//! records of another node are not records here.

use super::header::{cut, number};
use super::{Entry, EntryNumber, Purpose};
use crate::limits::JOURNAL_REASON_BYTES_MAX;
use crate::time::UnixMillis;
use alloc::vec::Vec;
use bytestring::ByteString;
use crc32fast::Hasher;

/// The first byte of a record.
pub(super) const MARK: u8 = 0xFF;
const SECOND: u8 = 0xE7;
/// Bytes of a record before its body; a forget record has no more.
pub(super) const HEAD_BYTES: usize = 32;

/// What every checksum of a journal begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed(u32);

impl Seed {
    /// The seed of one owner's journal.
    pub fn new(purpose: Purpose, identity: &str) -> Seed {
        let mut hasher = Hasher::new_with_initial(purpose as u32);
        hasher.update(cut(identity).as_bytes());
        Seed(hasher.finalize())
    }

    fn checksum(self, bytes: &[u8]) -> u32 {
        let mut hasher = Hasher::new_with_initial(self.0);
        hasher.update(bytes);
        hasher.finalize()
    }
}

/// What a record does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Adds an entry.
    Store = 1,
    /// Removes entries.
    Forget = 2,
    /// Adds a dead letter: its body is the reason, a line feed, and the frame.
    Dropped = 3,
}

/// One record, borrowed from its segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record<'a> {
    /// Adds an entry.
    Store {
        /// Its number.
        number: EntryNumber,
        /// The owner's class.
        class: u8,
        /// When.
        at: UnixMillis,
        /// Why it was dropped, for a dead letter.
        reason: Option<&'a str>,
        /// The message's text.
        frame: &'a str,
    },
    /// Removes the entries from `first` to `last`, both included.
    Forget {
        /// The first of them.
        first: EntryNumber,
        /// The last of them.
        last: EntryNumber,
    },
}

impl<'a> Record<'a> {
    /// The record of an entry.
    pub fn of(entry: &'a Entry) -> Record<'a> {
        Record::Store {
            number: entry.number,
            class: entry.class,
            at: entry.at,
            reason: entry.reason.as_deref(),
            frame: &entry.frame,
        }
    }

    /// An entry of its own; `None` for what adds none.
    pub fn to_entry(&self) -> Option<Entry> {
        match *self {
            Record::Store { number, class, at, reason, frame } => Some(Entry {
                number,
                class,
                at,
                reason: reason.map(ByteString::from),
                frame: ByteString::from(frame),
            }),
            Record::Forget { .. } => None,
        }
    }

    /// Its length in bytes, once written.
    pub fn bytes(&self) -> usize {
        HEAD_BYTES
            + match self {
                Record::Store { reason, frame, .. } => {
                    frame.len() + reason.map_or(0, |reason| short(reason).len() + 1)
                }
                Record::Forget { .. } => 0,
            }
    }

    /// Appends it to a segment. A frame beyond 4 GiB has no record; the limits of the writer lie far below.
    pub fn encode(&self, seed: Seed, into: &mut Vec<u8>) {
        let start = into.len();
        let Ok(body_bytes) = u32::try_from(self.bytes() - HEAD_BYTES) else { return };
        let (kind, class, first, second) = match *self {
            Record::Store { number, class, at, reason, .. } => {
                let kind = if reason.is_some() { Kind::Dropped } else { Kind::Store };
                (kind, class, number.0, at.0.to_le_bytes())
            }
            Record::Forget { first, last } => (Kind::Forget, 0, first.0, last.0.to_le_bytes()),
        };
        into.extend_from_slice(&[MARK, SECOND, kind as u8, class]);
        into.extend_from_slice(&body_bytes.to_le_bytes());
        into.extend_from_slice(&first.to_le_bytes());
        into.extend_from_slice(&second);
        into.extend_from_slice(&[0; 8]);
        if let Record::Store { reason, frame, .. } = self {
            if let Some(reason) = reason {
                // A line feed is one byte: replacing it in place keeps the text UTF-8.
                into.extend(short(reason).bytes().map(|byte| if byte == b'\n' { b' ' } else { byte }));
                into.push(b'\n');
            }
            into.extend_from_slice(frame.as_bytes());
        }
        let body_crc = seed.checksum(&into[start + HEAD_BYTES..]);
        into[start + 24..start + 28].copy_from_slice(&body_crc.to_le_bytes());
        let head_crc = seed.checksum(&into[start..start + 28]);
        into[start + 28..start + HEAD_BYTES].copy_from_slice(&head_crc.to_le_bytes());
    }

    /// The record at the beginning of `bytes`, with its length; `None` when there is no sound one.
    ///
    /// The text is checked before its checksum: on a damaged segment this ends at the next record's first byte, which
    /// keeps a search for the next sound record linear.
    pub fn decode(bytes: &'a [u8], seed: Seed) -> Option<(Record<'a>, usize)> {
        let head = bytes.get(..HEAD_BYTES)?;
        if head[0] != MARK
            || head[1] != SECOND
            || number::<4>(head, 28)? != u64::from(seed.checksum(&head[..28]))
        {
            return None;
        }
        let length = HEAD_BYTES.checked_add(usize::try_from(number::<4>(head, 4)?).ok()?)?;
        let body = core::str::from_utf8(bytes.get(HEAD_BYTES..length)?).ok()?;
        if number::<4>(head, 24)? != u64::from(seed.checksum(body.as_bytes())) {
            return None;
        }
        let (first, second) = (EntryNumber(number::<8>(head, 8)?), number::<8>(head, 16)?);
        let (class, at) = (head[3], UnixMillis(second as i64));
        let record = match head[2] {
            1 => Record::Store { number: first, class, at, reason: None, frame: body },
            2 if body.is_empty() => Record::Forget { first, last: EntryNumber(second) },
            3 => {
                let (reason, frame) = body.split_once('\n')?;
                Record::Store { number: first, class, at, reason: Some(reason), frame }
            }
            _ => return None,
        };
        Some((record, length))
    }
}

fn short(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(JOURNAL_REASON_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed() -> Seed {
        Seed::new(Purpose::Messages, "edge-1")
    }

    fn encoded(record: &Record<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        record.encode(seed(), &mut bytes);
        bytes
    }

    fn store<'a>(reason: Option<&'a str>, frame: &'a str) -> Record<'a> {
        Record::Store { number: EntryNumber(9), class: 3, at: UnixMillis(-5), reason, frame }
    }

    #[test]
    fn records_read_back_and_no_flipped_bit_passes() {
        for record in [
            store(None, "{}"),
            store(None, ""),
            store(Some("outbox full"), "{\"a\":\n1}"),
            Record::Forget { first: EntryNumber(1), last: EntryNumber(u64::MAX) },
        ] {
            let bytes = encoded(&record);
            assert_eq!(bytes.len(), record.bytes());
            assert_eq!(Record::decode(&bytes, seed()), Some((record, bytes.len())));
            for bit in 0..bytes.len() * 8 {
                let mut damaged = bytes.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(Record::decode(&damaged, seed()), None, "bit {bit} of {record:?}");
            }
            for end in 0..bytes.len() {
                assert_eq!(Record::decode(&bytes[..end], seed()), None, "{record:?} cut at {end}");
            }
        }
    }

    #[test]
    fn another_owner_has_other_records() {
        let bytes = encoded(&store(None, "{}"));
        assert_eq!(Record::decode(&bytes, Seed::new(Purpose::Messages, "edge-2")), None);
        assert_eq!(Record::decode(&bytes, Seed::new(Purpose::DeadLetters, "edge-1")), None);
    }

    #[test]
    fn a_reason_is_one_short_line() {
        let long = "two\nlines ".repeat(JOURNAL_REASON_BYTES_MAX);
        let record = store(Some(&long), "{}");
        let bytes = encoded(&record);
        let Some((Record::Store { reason: Some(reason), frame, .. }, length)) =
            Record::decode(&bytes, seed())
        else {
            panic!("not read back");
        };
        assert_eq!((length, frame, reason.len()), (record.bytes(), "{}", JOURNAL_REASON_BYTES_MAX));
        assert!(reason.starts_with("two lines two"));
    }
}
