//! A block: a run of records, or a checkpoint, that can be read by itself.

use super::filter::filter_of;
use super::format::Format;
use super::problem::Broken;
use super::source::Source;
use super::summary::Summary;
use super::wire::Cursor;
use crate::time::{Instant, Now, UnixMillis};
use alloc::borrow::Cow;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;
use lz4_flex::block::compress;
use xxhash_rust::xxh3::Xxh3;

/// What every block begins with; a reader that has lost its place looks for it.
pub(super) const MAGIC: &[u8; 4] = b"EHBK";

/// Length of the head of a block in bytes, in the format that is written.
pub(super) const HEAD_BYTES: usize = 72;

/// Bytes of the summary in it, which older formats do not have.
const SUMMARY_BYTES: usize = 12;

/// Bytes of the hash, with which a head ends.
const HASH_BYTES: usize = 8;

/// LZ4 makes at most 255 bytes of one: what claims more is no block.
const EXPANSION_MAX: usize = 255;

/// Longest payload in bytes, unpacked: what claims more is no block either, and no memory is set aside for it.
pub(super) const RAW_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Bytes of a block that are packed to see whether it is worth while.
const SAMPLE_BYTES: usize = 8 * 1024;

/// Blocks of a busy hub that are not tried after one that was not worth packing: less than a second of it.
const UNTRIED: u32 = 15;

/// What is in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum BlockKind {
    /// Records.
    Records,
    /// The state of the hub before the record of this number.
    Checkpoint,
}

/// A finished block, not yet packed: packing takes time and can be done elsewhere.
#[derive(Debug)]
pub struct Block {
    pub(super) kind: BlockKind,
    pub(super) raw: Vec<u8>,
    pub(super) ids: Vec<u64>,
    pub(super) first: u64,
    pub(super) records: u32,
    pub(super) begin: Now,
    pub(super) end: Instant,
    pub(super) summary: Summary,
}

impl Block {
    /// What is in it.
    pub fn kind(&self) -> BlockKind {
        self.kind
    }

    /// The bytes that it takes in memory, about.
    pub fn bytes(&self) -> usize {
        self.raw.capacity() + self.ids.capacity() * 8 + HEAD_BYTES
    }

    /// The block as it stands in a file. Whoever packs many keeps a [`Packer`].
    pub fn pack(&self) -> Vec<u8> {
        Packer::default().pack(self)
    }
}

/// Packs the blocks of a recording, one after the other.
#[derive(Debug, Default)]
pub struct Packer {
    /// Full blocks that are not even tried, after one that was not worth it.
    untried: u32,
}

impl Packer {
    /// A block as it stands in a file.
    pub fn pack(&mut self, block: &Block) -> Vec<u8> {
        let packed = if self.tries(&block.raw) { compress(&block.raw) } else { Vec::new() };
        let is_shorter = !packed.is_empty() && packed.len() < block.raw.len();
        let (packing, payload) = if is_shorter { (1, &packed) } else { (0, &block.raw) };
        let filter = filter_of(&block.ids);
        let mut out = Vec::with_capacity(HEAD_BYTES + filter.len() + payload.len());
        out.extend_from_slice(MAGIC);
        out.push(block.kind as u8);
        out.push(packing);
        out.extend_from_slice(&(filter.len() as u16).to_le_bytes());
        out.extend_from_slice(&(block.raw.len() as u32).to_le_bytes());
        out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        out.extend_from_slice(&block.first.to_le_bytes());
        out.extend_from_slice(&block.records.to_le_bytes());
        out.extend_from_slice(&block.begin.mono.0.to_le_bytes());
        out.extend_from_slice(&block.begin.wall.0.to_le_bytes());
        out.extend_from_slice(&block.end.0.to_le_bytes());
        let Summary { dropped, longest } = block.summary;
        out.extend_from_slice(&dropped.to_le_bytes());
        out.extend_from_slice(&u64::try_from(longest.as_micros()).unwrap_or(u64::MAX).to_le_bytes());
        let hash = hash([&out, &filter, payload]);
        out.extend_from_slice(&hash.to_le_bytes());
        out.extend_from_slice(&filter);
        out.extend_from_slice(payload);
        out
    }

    /// Whether packing makes at least the beginning shorter by an eighth. Ids and hashes of a busy hub are as good as random:
    /// to try all of them would cost more than all the rest of recording, and what was not worth it is not soon.
    fn tries(&mut self, raw: &[u8]) -> bool {
        let Some(sample) = raw.get(..SAMPLE_BYTES) else { return true };
        if self.untried > 0 {
            self.untried -= 1;
            return false;
        }
        let tries = compress(sample).len() < SAMPLE_BYTES - SAMPLE_BYTES / 8;
        self.untried = if tries { 0 } else { UNTRIED };
        tries
    }
}

fn hash<const PARTS: usize>(parts: [&[u8]; PARTS]) -> u64 {
    let mut hash = Xxh3::new();
    parts.into_iter().for_each(|part| hash.update(part));
    hash.digest()
}

/// The head of a block in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: BlockKind,
    packed: bool,
    filter_bytes: usize,
    raw_bytes: usize,
    payload_bytes: usize,
    pub(super) first: u64,
    pub(super) records: u32,
    pub(super) begin: Now,
    pub(super) end: Instant,
    /// `None` in a format that has no summaries.
    pub(super) summary: Option<Summary>,
}

impl Head {
    /// Length of the block, its head included.
    pub(super) fn bytes(&self) -> usize {
        self.head_bytes() + self.filter_bytes + self.payload_bytes
    }

    fn head_bytes(&self) -> usize {
        if self.summary.is_some() { HEAD_BYTES } else { HEAD_BYTES - SUMMARY_BYTES }
    }

    /// Reads the head of the block at this place and checks the whole block.
    pub(super) fn read(file: Source<'_>, at: usize, format: Format) -> Result<Head, BlockError> {
        const UNREADABLE: BlockError = BlockError::Corrupt("it cannot be read");
        let left = file.length().saturating_sub(at);
        let bytes = file.get(at..at + left.min(HEAD_BYTES)).ok_or(UNREADABLE)?;
        let begins = bytes.len().min(MAGIC.len());
        if bytes[..begins] != MAGIC[..begins] {
            return Err(BlockError::Corrupt("no block begins here"));
        }
        let mut cursor = Cursor::new(&bytes);
        let head = Head::fields(&mut cursor, format).map_err(|_| BlockError::Truncated)??;
        let hashed = u64::from_le_bytes(cursor.array().map_err(|_| BlockError::Truncated)?);
        if head.bytes() > left {
            return Err(BlockError::Truncated);
        }
        let body = file.get(at + head.head_bytes()..at + head.bytes()).ok_or(UNREADABLE)?;
        if hash([&bytes[..head.head_bytes() - HASH_BYTES], &body]) != hashed {
            return Err(BlockError::Hash { bytes: head.bytes() });
        }
        Ok(head)
    }

    fn fields(cursor: &mut Cursor<'_>, format: Format) -> Result<Result<Head, BlockError>, Broken> {
        cursor.take(MAGIC.len())?;
        let (kind, packing) = (cursor.byte()?, cursor.byte()?);
        let head = Head {
            kind: if kind == BlockKind::Records as u8 { BlockKind::Records } else { BlockKind::Checkpoint },
            packed: packing == 1,
            filter_bytes: usize::from(u16::from_le_bytes(cursor.array()?)),
            raw_bytes: u32::from_le_bytes(cursor.array()?) as usize,
            payload_bytes: u32::from_le_bytes(cursor.array()?) as usize,
            first: u64::from_le_bytes(cursor.array()?),
            records: u32::from_le_bytes(cursor.array()?),
            begin: Now {
                mono: Instant(u64::from_le_bytes(cursor.array()?)),
                wall: UnixMillis(i64::from_le_bytes(cursor.array()?)),
            },
            end: Instant(u64::from_le_bytes(cursor.array()?)),
            summary: match format {
                Format::Unsummed => None,
                Format::Summed => Some(Summary {
                    dropped: u32::from_le_bytes(cursor.array()?),
                    longest: Duration::from_micros(u64::from_le_bytes(cursor.array()?)),
                }),
            },
        };
        let sane = kind <= BlockKind::Checkpoint as u8
            && packing <= 1
            && head.raw_bytes.max(head.payload_bytes) <= RAW_BYTES_MAX
            && head.raw_bytes
                <= head.payload_bytes.saturating_mul(EXPANSION_MAX).saturating_add(EXPANSION_MAX);
        Ok(if sane { Ok(head) } else { Err(BlockError::Corrupt("its head makes no sense")) })
    }

    /// The filter of the block at this place.
    pub(super) fn filter<'a>(&self, file: Source<'a>, at: usize) -> Option<Cow<'a, [u8]>> {
        let begin = at + self.head_bytes();
        file.get(begin..begin + self.filter_bytes)
    }

    /// The payload of the block at this place, unpacked.
    pub(super) fn payload<'a>(&self, file: Source<'a>, at: usize) -> Result<Cow<'a, [u8]>, Broken> {
        let payload = file.get(at + self.head_bytes() + self.filter_bytes..at + self.bytes());
        let payload = payload.ok_or(Broken("it cannot be read"))?;
        if !self.packed {
            return Ok(payload);
        }
        let mut raw = vec![0; self.raw_bytes];
        match lz4_flex::block::decompress_into(&payload, &mut raw) {
            Ok(bytes) if bytes == raw.len() => Ok(Cow::Owned(raw)),
            _ => Err(Broken("it cannot be unpacked")),
        }
    }
}

/// What is wrong with a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BlockError {
    /// The file ends inside it, as far as its head can be believed.
    Truncated,
    /// It is damaged: a hash over so many bytes is another one.
    Hash { bytes: usize },
    /// It is damaged.
    Corrupt(&'static str),
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUMMARY: Summary = Summary { dropped: 8, longest: Duration::from_micros(9) };

    fn read(file: &[u8]) -> Result<Head, BlockError> {
        Head::read(file.into(), 0, Format::Summed)
    }

    fn block(raw: &[u8]) -> Block {
        Block {
            kind: BlockKind::Records,
            raw: raw.into(),
            ids: vec![1, 2, 3],
            first: 9,
            records: 3,
            begin: Now::new(5, -6),
            end: Instant(7),
            summary: SUMMARY,
        }
    }

    #[test]
    fn reads_what_it_packed() {
        for raw in [&[7; 1000][..], b"xyz", b""] {
            let file = block(raw).pack();
            let head = read(&file).unwrap();
            assert_eq!((head.bytes(), head.first, head.records), (file.len(), 9, 3));
            assert_eq!((head.begin, head.end), (Now::new(5, -6), Instant(7)));
            assert_eq!(head.summary, Some(SUMMARY));
            assert!(super::super::filter::may_hold(&head.filter(file[..].into(), 0).unwrap(), 2));
            assert_eq!(&*head.payload(file[..].into(), 0).unwrap(), raw);
        }
    }

    /// As the documentation of the format says, whatever machine writes it: each number in so many bytes, little end first.
    #[test]
    fn a_block_lies_in_the_file_as_it_is_documented() {
        let ended = Summary { dropped: 0x0807, longest: Duration::from_micros(0x0a09) };
        let file = Block {
            first: 0x0102,
            begin: Now::new(0x0304, -2),
            end: Instant(0x0506),
            summary: ended,
            ..block(b"xyz")
        };
        let file = file.pack();
        let head: [&[u8]; 12] = [
            b"EHBK",
            &[0],
            &[0],
            &[3, 0],
            &[3, 0, 0, 0],
            &[3, 0, 0, 0],
            &[2, 1, 0, 0, 0, 0, 0, 0],
            &[3, 0, 0, 0],
            &[4, 3, 0, 0, 0, 0, 0, 0],
            &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[6, 5, 0, 0, 0, 0, 0, 0],
            &[7, 8, 0, 0, 9, 10, 0, 0, 0, 0, 0, 0],
        ];
        let (filter, head) = (filter_of(&[1, 2, 3]), head.concat());
        let hash = xxhash_rust::xxh3::xxh3_64(&[&head[..], &filter[..], &b"xyz"[..]].concat());
        assert_eq!(file, [&head[..], &hash.to_le_bytes(), &filter, b"xyz"].concat());
    }

    /// One block in sixteen tells whether the others are tried.
    #[test]
    fn what_was_not_worth_packing_is_not_soon() {
        let mut rng = crate::rng::Rng::new(1);
        let random: Vec<u8> = (0..SAMPLE_BYTES).map(|_| rng.next_u64() as u8).collect();
        let (random, even) = (block(&random), block(&[7; SAMPLE_BYTES]));
        let (mut packer, whole) = (Packer::default(), even.pack().len());
        let mut packs = |block: &Block| packer.pack(block).len() == whole;
        assert!(packs(&even) && packs(&even) && !packs(&random));
        assert!((0..UNTRIED).all(|_| !packs(&even)));
        assert!(packs(&even) && packs(&even));
        // A small one always is: a quiet hub has no others.
        assert!(!packs(&random) && read(&packer.pack(&block(&[7; SAMPLE_BYTES - 1]))).unwrap().packed);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let file = block(&[7; 100]).pack();
        for at in 0..file.len() * 8 {
            let mut flipped = file.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            assert!(read(&flipped).is_err(), "bit {at}");
        }
        for cut in 0..file.len() {
            assert_eq!(read(&file[..cut]), Err(BlockError::Truncated), "cut at {cut}");
        }
    }
}
