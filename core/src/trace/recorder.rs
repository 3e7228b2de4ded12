//! Writes down what a hub is told.

use super::block::{Block, BlockKind, RAW_BYTES_MAX};
use super::digest::Digest;
use super::header::{Contents, Header, Start};
use super::record::RecordWriter;
use super::snapshot;
use super::summary::{Summary, Summing};
use super::template::ContentRule;
use crate::hub::{Hub, Input, Output};
use crate::time::{Instant, Now};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// A block is finished when its records have this many bytes, unpacked.
const BLOCK_BYTES: usize = 64 * 1024;

/// Largest checkpoint in bytes, unpacked. A hub that holds more is recorded without, until it holds less.
const CHECKPOINT_BYTES_MAX: usize = RAW_BYTES_MAX;

/// A checkpoint may cost this share of the bytes between two of them, at most: one in so many.
const CHECKPOINT_SHARE: usize = 32;

/// Writes down what a hub is told. A driver calls it beside the hub:
///
/// 1. [`Recorder::input`] with everything that it is about to hand to [`Hub::handle`], and the hub;
/// 2. [`Recorder::output`] with everything that [`Hub::poll_output`] returns;
/// 3. [`Recorder::drained`] once that is `None`, with the hub;
/// 4. [`Recorder::next_block`] until that is `None`: these are to be kept, packed, wherever the trace goes.
#[derive(Debug)]
pub struct Recorder {
    header: Header,
    key: u64,
    records: RecordWriter,
    digest: Digest,
    raw: Vec<u8>,
    begin: Option<Now>,
    end: Now,
    /// The latest time that was: what a hub takes for the time when its clock goes back.
    latest: Instant,
    summing: Summing,
    first: u64,
    next: u64,
    blocks: VecDeque<Block>,
    checkpoint_every: usize,
    since_checkpoint: usize,
    checkpoint_bytes: usize,
    /// A checkpoint follows after so many bytes even if it costs more than its share.
    checkpoint_within: usize,
}

impl Recorder {
    /// Records a hub. `key` is a random number for the hashes of this trace; it is not written. A checkpoint follows
    /// about this many bytes of records, unpacked. A recorder that begins with [`Start::Checkpoint`] needs
    /// [`Recorder::checkpoint`] before anything else.
    pub fn new(header: Header, key: u64, checkpoint_every: usize) -> Recorder {
        Recorder {
            key,
            records: RecordWriter::new(header.begin, key),
            digest: Digest::new(header.contents),
            raw: Vec::with_capacity(BLOCK_BYTES + 4096),
            begin: None,
            end: header.begin,
            latest: header.begin.mono,
            summing: Summing::default(),
            first: 0,
            next: 0,
            blocks: VecDeque::new(),
            checkpoint_every,
            since_checkpoint: 0,
            checkpoint_bytes: 0,
            checkpoint_within: usize::MAX,
            header,
        }
    }

    /// For a [`Ring`](super::Ring) of so many bytes: a checkpoint follows twice in it at least, whatever it costs, so that
    /// the ring can drop what is old.
    pub fn for_ring(self, ring_bytes: usize) -> Recorder {
        Recorder { checkpoint_within: ring_bytes / 2, ..self }
    }

    #[cfg(feature = "canaries")]
    pub(crate) fn plant(&mut self, planted: crate::canary::Planted<crate::canary::TraceCanary>) {
        self.summing.plant(planted);
    }

    /// The head of the trace as bytes.
    pub fn head(&self) -> Vec<u8> {
        self.header.encode()
    }

    /// The head of a trace that begins with a checkpoint of this recording.
    pub fn later_head(&self) -> Vec<u8> {
        Header { start: Start::Checkpoint, ..self.header.clone() }.encode()
    }

    /// The head.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Records so far.
    pub fn records(&self) -> u64 {
        self.next
    }

    /// Something is about to be handed to the hub.
    pub fn input(&mut self, now: Now, input: &Input, hub: &Hub) {
        let rule = match self.header.contents {
            Contents::Kept => ContentRule::Keep,
            Contents::Redacted => ContentRule::Hash,
        };
        self.put_input(now, input, rule, || hub.holds_since());
    }

    /// Something was handed to a hub that held something since `held_since`; what was redacted then has only its hash now.
    pub(super) fn input_again(
        &mut self,
        now: Now,
        input: &Input,
        content_hash: Option<u64>,
        held_since: Option<Instant>,
    ) {
        let rule = match (content_hash, self.header.contents) {
            (Some(hash), _) => ContentRule::Known(hash),
            (None, Contents::Kept) => ContentRule::Keep,
            (None, Contents::Redacted) => ContentRule::Hash,
        };
        self.put_input(now, input, rule, || held_since);
    }

    fn put_input(
        &mut self,
        now: Now,
        input: &Input,
        rule: ContentRule,
        held_since: impl FnOnce() -> Option<Instant>,
    ) {
        self.begin_at(now);
        self.end = now;
        self.latest = self.latest.max(now.mono);
        self.summing.step(self.latest, held_since);
        self.records.put_input(&mut self.raw, now, input, rule);
        self.next += 1;
    }

    /// The hub wants something.
    pub fn output(&mut self, output: &Output) {
        self.digest.add(output);
        self.summing.output(output);
    }

    /// The hub wants nothing more: the moment between two steps.
    pub fn drained(&mut self, hub: &Hub) {
        if let Some((count, digest)) = self.digest.take() {
            self.begin_at(self.end);
            self.records.put_outputs(&mut self.raw, count, digest);
            self.next += 1;
        }
        if self.raw.len() >= BLOCK_BYTES {
            self.finish_block();
        }
        // Where little happens, it is the driver that has finished the blocks.
        let enough = self.checkpoint_every.max(self.checkpoint_bytes.saturating_mul(CHECKPOINT_SHARE));
        if self.since_checkpoint >= enough.min(self.checkpoint_within) {
            self.checkpoint(hub);
        }
    }

    fn begin_at(&mut self, now: Now) {
        if self.begin.is_none() {
            self.begin = Some(now);
            self.records.begin(now);
        }
    }

    /// Finishes the block that is being written, so that everything recorded so far is in [`Recorder::next_block`].
    pub fn finish_block(&mut self) {
        let Some(begin) = self.begin.take() else { return };
        self.since_checkpoint += self.raw.len();
        let capacity = BLOCK_BYTES + 4096;
        self.blocks.push_back(Block {
            kind: BlockKind::Records,
            raw: core::mem::replace(&mut self.raw, Vec::with_capacity(capacity)),
            ids: self.records.begin(begin),
            first: self.first,
            records: u32::try_from(self.next - self.first).unwrap_or(u32::MAX),
            begin,
            end: self.latest,
            summary: self.summing.take(),
        });
        self.first = self.next;
    }

    /// Writes the whole state of the hub, which must have been drained, so that a replay can begin here.
    pub fn checkpoint(&mut self, hub: &Hub) {
        self.finish_block();
        // The clock of a hub that has not been recorded before may have gone back.
        self.latest = self.latest.max(hub.now().mono);
        let rule = match self.header.contents {
            Contents::Kept => ContentRule::Keep,
            Contents::Redacted => ContentRule::Known(0),
        };
        let mut raw = Vec::new();
        let written = snapshot::write(&mut raw, hub, rule, self.key);
        self.since_checkpoint = 0;
        self.checkpoint_bytes = raw.len();
        if !written || raw.len() > CHECKPOINT_BYTES_MAX {
            return;
        }
        self.blocks.push_back(Block {
            kind: BlockKind::Checkpoint,
            raw,
            ids: Vec::new(),
            first: self.next,
            records: 0,
            begin: self.end,
            end: self.latest,
            summary: Summary::default(),
        });
    }

    /// The next finished block.
    pub fn next_block(&mut self) -> Option<Block> {
        self.blocks.pop_front()
    }
}
