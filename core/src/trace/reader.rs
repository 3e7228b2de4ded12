//! Reads a trace: its head, and where its blocks are.

use super::block::{BlockError, BlockKind, Head, MAGIC};
use super::filter::{id_hash, may_hold};
use super::format::Format;
use super::header::{Contents, HEAD_BYTES_MAX, Header, Start};
use super::problem::{Broken, Damage, Refusal};
use super::record::{Record, RecordReader};
use super::snapshot::{self, Unread};
use super::source::Source;
use super::summary::Summary;
use crate::hub::Hub;
use crate::time::{Instant, Now};
use alloc::borrow::Cow;
use alloc::vec::Vec;

/// A block and its place in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockPlace {
    pub(super) offset: usize,
    pub(super) head: Head,
}

impl BlockPlace {
    /// Where it begins, in bytes from the start of the file.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Its length in the file, in bytes.
    pub fn bytes(&self) -> usize {
        self.head.bytes()
    }

    /// What is in it.
    pub fn kind(&self) -> BlockKind {
        self.head.kind
    }

    /// The number of its first record.
    pub fn first_record(&self) -> u64 {
        self.head.first
    }

    /// How many records it has.
    pub fn records(&self) -> u32 {
        self.head.records
    }

    /// The number of the first record behind it.
    pub fn after(&self) -> u64 {
        self.head.first.saturating_add(u64::from(self.head.records))
    }

    /// When its first record happened.
    pub fn begin(&self) -> Instant {
        self.head.begin.mono
    }

    /// When its first record happened, by both clocks.
    pub fn begins(&self) -> Now {
        self.head.begin
    }

    /// When its last record happened, or an earlier one if the clock went back.
    pub fn end(&self) -> Instant {
        self.head.end
    }

    /// What happened to messages meanwhile; `None` in a format that does not say it.
    pub fn summary(&self) -> Option<Summary> {
        self.head.summary
    }
}

/// A trace: a file, checked and indexed.
#[derive(Debug)]
pub struct Trace<'a> {
    file: Source<'a>,
    header: Header,
    blocks: Vec<BlockPlace>,
    damage: Vec<Damage>,
}

impl<'a> Trace<'a> {
    /// Reads a file. What is damaged in it is listed in [`Trace::damage`] and left out; only a file whose head cannot be
    /// read is refused.
    pub fn open(file: impl Into<Source<'a>>) -> Result<Trace<'a>, Refusal> {
        let file = file.into();
        let begin = file.get(0..file.length().min(HEAD_BYTES_MAX)).ok_or(Refusal::Unreadable)?;
        let (header, format, at) = Header::decode(&begin)?;
        let mut trace = Trace { file, header, blocks: Vec::new(), damage: Vec::new() };
        trace.index(at, format);
        Ok(trace)
    }

    fn index(&mut self, mut at: usize, format: Format) {
        let mut hashed_in_vain = 0;
        let mut next = match self.header.start {
            Start::New => Some(0),
            Start::Checkpoint => None,
        };
        while at < self.file.length() {
            match Head::read(self.file, at, format) {
                Ok(head) => {
                    if let Some(expected) = next.filter(|&expected| expected != head.first) {
                        self.damage.push(Damage::Missing { offset: at, from: expected, to: head.first });
                    }
                    let place = BlockPlace { offset: at, head };
                    next = Some(place.after());
                    self.blocks.push(place);
                    at += head.bytes();
                }
                Err(error) => {
                    let mut found = self.next_magic(at);
                    let why = match error {
                        BlockError::Truncated if found.is_none() => None,
                        BlockError::Truncated => Some("its length is wrong"),
                        BlockError::Corrupt(why) => Some(why),
                        BlockError::Hash { bytes } => {
                            hashed_in_vain += bytes;
                            let gives_up = hashed_in_vain / VAIN_MAX > self.file.length();
                            match found.take_if(|_| gives_up) {
                                Some(_) => {
                                    Some("its hash is wrong, and nothing behind it is looked at any more")
                                }
                                None => Some("its hash is wrong"),
                            }
                        }
                    };
                    self.damage.push(match why {
                        Some(why) => Damage::Corrupt { offset: at, why },
                        None => Damage::Truncated { offset: at },
                    });
                    // The gap in the numbers is the damage that was just told.
                    next = None;
                    at = found.unwrap_or(self.file.length());
                }
            }
        }
    }

    /// Where the next block may begin behind this place.
    fn next_magic(&self, at: usize) -> Option<usize> {
        let mut from = at + 1;
        while from < self.file.length() {
            let until = from.saturating_add(LOOK_BYTES).min(self.file.length());
            let part = self.file.get(from..until)?;
            if let Some(found) = part.windows(MAGIC.len()).position(|window| window == MAGIC) {
                return Some(from + found);
            }
            // One may begin in this part and end in the next.
            from = if until < self.file.length() { until - (MAGIC.len() - 1) } else { until };
        }
        None
    }

    /// The head.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The blocks that can be read, in their order.
    pub fn blocks(&self) -> &[BlockPlace] {
        &self.blocks
    }

    /// What cannot be read.
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// Records that can be read.
    pub fn records(&self) -> u64 {
        self.blocks.iter().map(|block| u64::from(block.records())).sum()
    }

    /// Length of the file in bytes.
    pub fn bytes(&self) -> usize {
        self.file.length()
    }

    fn kept(&self) -> bool {
        self.header.contents == Contents::Kept
    }

    /// The payload of a block, unpacked.
    pub(super) fn raw(&self, block: &BlockPlace) -> Result<Cow<'a, [u8]>, Broken> {
        block.head.payload(self.file, block.offset)
    }

    /// Those of some ids of whose messages a block may hold records; of the others it holds none for certain.
    pub fn may_hold<'i>(&self, block: &BlockPlace, ids: impl Iterator<Item = &'i str>) -> Vec<&'i str> {
        let filter = block.head.filter(self.file, block.offset);
        // What cannot be read is found out by whoever goes on to read it.
        let may_be_there =
            |id: &&str| filter.as_ref().is_none_or(|filter| may_hold(filter, id_hash(id.as_bytes())));
        ids.filter(may_be_there).collect()
    }

    /// Calls `visit` with each record of a block, until it returns `false`.
    pub fn each_record(
        &self,
        block: &BlockPlace,
        mut visit: impl FnMut(u64, Record) -> bool,
    ) -> Result<(), Damage> {
        let corrupt = |Broken(why)| Damage::Corrupt { offset: block.offset, why };
        let raw = self.raw(block).map_err(corrupt)?;
        let mut reader = RecordReader::new(&raw, block.head.begin, self.kept());
        let mut number = block.head.first;
        while !reader.is_at_end() {
            let at = raw.len() - reader.left();
            let damaged = |Broken(why)| Damage::Record { offset: block.offset, record: number, at, why };
            if !visit(number, reader.read().map_err(damaged)?) {
                return Ok(());
            }
            number = number.saturating_add(1);
        }
        Ok(())
    }

    /// The state in a checkpoint.
    pub fn restore(&self, block: &BlockPlace) -> Result<Hub, Damage> {
        let corrupt = |Broken(why)| Damage::Corrupt { offset: block.offset, why };
        let raw = self.raw(block).map_err(corrupt)?;
        snapshot::read(&raw, self.kept()).map_err(|unread| match unread {
            Unread::Broken(broken) => corrupt(broken),
            Unread::OtherShape => {
                Damage::OtherVersion { offset: block.offset, versions: self.header.versions() }
            }
        })
    }
}

/// Heads that are none may claim any length. So many times the file's length is hashed for their sake, and no more.
const VAIN_MAX: usize = 4;

/// Bytes that are looked through at once for the next block.
const LOOK_BYTES: usize = 1 << 20;
