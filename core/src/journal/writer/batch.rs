//! What is written at once, and where.

use super::super::record::{HEAD_BYTES, Record};
use super::super::{EntryNumber, Place, SegmentNumber};
use super::{Command, FullReason, Health, Overflow, Step, Writer};
use crate::canary::JournalCanary;
use alloc::vec::Vec;
use bytes::Bytes;

/// The segment that is written to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Active {
    pub(super) segment: SegmentNumber,
    /// Where its first record begins.
    pub(super) begin: u64,
    /// Where the next write goes.
    pub(super) length: u64,
}

/// Encoded records, and which entries they hold. What a chunk is does not depend on where it is written.
#[derive(Debug, Clone, Default)]
pub(super) struct Chunk {
    /// Its first bytes, as they were handed to the driver …
    shared: Bytes,
    /// … and what follows them.
    bytes: Vec<u8>,
    /// Entries, with their offsets in the chunk.
    pub(super) entries: Vec<(EntryNumber, u32)>,
    /// Whether it holds more than forget records.
    pub(super) must_sync: bool,
    /// The last new entry.
    pub(super) up_to: Option<EntryNumber>,
    /// Whether its bytes have a place in the active segment.
    pub(super) placed: bool,
}

impl Chunk {
    /// Appends another, which comes after it.
    pub(super) fn append(&mut self, other: Chunk) {
        if self.is_empty() {
            *self = other;
            return;
        }
        let shift = self.len() as u32;
        self.bytes.extend_from_slice(&other.shared);
        self.bytes.extend_from_slice(&other.bytes);
        self.entries.extend(other.entries.into_iter().map(|(number, offset)| (number, offset + shift)));
        self.must_sync |= other.must_sync;
        self.up_to = other.up_to.or(self.up_to);
    }

    /// Its buffer, if nobody else has it any more.
    pub(super) fn into_buffer(self) -> Option<Vec<u8>> {
        self.shared.is_unique().then(|| Vec::from(self.shared))
    }

    pub(super) fn len(&self) -> usize {
        self.shared.len() + self.bytes.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All its bytes in one piece.
    fn share(&mut self) {
        if self.shared.is_empty() {
            self.shared = Bytes::from(core::mem::take(&mut self.bytes));
        } else if !self.bytes.is_empty() {
            self.shared = [&self.shared[..], &self.bytes[..]].concat().into();
            self.bytes = Vec::new();
        }
    }
}

impl Writer {
    /// Brings the pending chunk to the disk: into the active segment if it has room, else into a new one.
    pub(super) fn write_or_create(&mut self) -> (Step, Command) {
        let bytes = self.pending.as_ref().map_or(0, Chunk::len) as u64;
        let placed = self.pending.as_ref().is_some_and(|chunk| chunk.placed);
        let room = |active: &Active| {
            placed || active.length == active.begin || active.length + bytes <= self.settings.segment_bytes
        };
        let Some(active) = self.active.filter(room) else {
            // What is unsynced is always in the active segment: it is settled before another one is begun.
            if !self.unsynced.is_empty()
                && let Some(sync) = self.sync()
            {
                return sync;
            }
            self.active = None;
            let segment = self.next_segment;
            return (Step::Create, Command::Create { segment, header: self.header(segment) });
        };
        let mut chunk = self.pending.take().unwrap_or_default();
        if !chunk.placed {
            self.place(&mut chunk, active);
        }
        let write =
            Command::Write { segment: active.segment, offset: active.length, bytes: chunk.shared.clone() };
        self.pending = Some(chunk);
        (Step::Write, write)
    }

    /// Gives a chunk its place at the end of the active segment.
    fn place(&mut self, chunk: &mut Chunk, active: Active) {
        chunk.share();
        chunk.placed = true;
        self.index.grow(active.segment, chunk.shared.len());
        for (number, offset) in &chunk.entries {
            // What was forgotten meanwhile stays forgotten; its forget record comes later in the log.
            if let Some(place) = self.index.place(*number) {
                let offset = (active.length as u32).saturating_add(*offset);
                self.index.put(*number, Place { segment: active.segment, offset, ..place });
            }
        }
    }

    pub(super) fn sync(&self) -> Option<(Step, Command)> {
        self.active.map(|active| (Step::Sync, Command::Sync { segment: active.segment }))
    }

    /// Encodes what waits into a chunk; returns whether there is one now.
    pub(super) fn fill(&mut self) -> bool {
        let mut chunk = Chunk { bytes: core::mem::take(&mut self.spare), ..Chunk::default() };
        chunk.bytes.clear();
        // Room for all that waits, at once: growing would leave holes of every size behind.
        if !self.waiting.is_empty() {
            chunk.bytes.reserve_exact(self.waiting_bytes.min(self.settings.batch_bytes) + HEAD_BYTES);
        }
        let seed = self.origin.seed();
        let until = self.settings.forgets_until();
        while chunk.bytes.len() < self.settings.batch_bytes
            && self.index.bytes() + ((chunk.bytes.len() + HEAD_BYTES) as u64) <= until
            && let Some((first, mut last)) = self.forgets.pop_first()
        {
            last.0 += u64::from(self.planted.is(JournalCanary::ForgetsTooMuch));
            Record::Forget { first, last }.encode(seed, &mut chunk.bytes);
        }
        for entry in self.copying.take() {
            if let Some(place) = self.index.place(entry.number) {
                self.add(&mut chunk, &Record::of(&entry), place);
            }
        }
        self.fill_waiting(&mut chunk);
        if chunk.bytes.is_empty() {
            self.spare = chunk.bytes;
            return false;
        }
        self.pending = Some(chunk);
        true
    }

    fn fill_waiting(&mut self, chunk: &mut Chunk) {
        while let Some(entry) = self.waiting.first_entry() {
            let record = Record::of(entry.get());
            let bytes = record.bytes();
            if !chunk.bytes.is_empty() && chunk.bytes.len() + bytes > self.settings.batch_bytes {
                break;
            }
            if !self.fits(chunk.bytes.len() + bytes) {
                if self.settings.overflow == Overflow::Wait && !self.wants_compaction() {
                    self.set_health(Health::Full(FullReason::Limit));
                }
                break;
            }
            if self.health == Health::Full(FullReason::Limit) {
                self.set_health(Health::Good);
            }
            let Some((number, entry)) = self.waiting.pop_first() else { break };
            self.waiting_bytes -= bytes;
            // Until the chunk is placed, the entry has no segment; it is found there once it is.
            let place = Place { segment: SegmentNumber(0), offset: 0, bytes: bytes as u32 };
            self.add(chunk, &Record::of(&entry), place);
            chunk.up_to = Some(number);
        }
    }

    fn add(&mut self, chunk: &mut Chunk, record: &Record<'_>, place: Place) {
        let Record::Store { number, .. } = *record else { return };
        chunk.entries.push((number, chunk.bytes.len() as u32));
        chunk.must_sync = true;
        record.encode(self.origin.seed(), &mut chunk.bytes);
        self.index.put(number, place);
    }

    /// Whether so many more bytes of new entries may be added.
    pub(super) fn fits(&self, bytes: usize) -> bool {
        self.index.bytes() + bytes as u64 <= self.settings.stores_until()
    }
}
