//! The newest part of a recording, in memory.

use super::block::{Block, BlockKind};
use super::recorder::Recorder;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Keeps blocks up to a bound in bytes. When it is full, the oldest go, up to the next checkpoint: what is left can
/// always be replayed.
#[derive(Debug)]
pub struct Ring {
    blocks: VecDeque<Block>,
    bytes: usize,
    bytes_max: usize,
    dropped: bool,
}

impl Ring {
    /// An empty ring for so many bytes. The recorder's distance between checkpoints should be a quarter of it: the ring
    /// holds more than its bound while it has only one checkpoint.
    pub fn new(bytes_max: usize) -> Ring {
        Ring { blocks: VecDeque::new(), bytes: 0, bytes_max, dropped: false }
    }

    /// Bytes in the ring, unpacked.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the beginning of the recording is gone.
    pub fn has_dropped(&self) -> bool {
        self.dropped
    }

    /// Takes a block in.
    pub fn push(&mut self, block: Block) {
        self.bytes += block.bytes();
        self.blocks.push_back(block);
        while self.bytes > self.bytes_max && self.drop_oldest() {}
    }

    /// Drops everything before the second checkpoint, or before the first if the ring does not begin with one.
    fn drop_oldest(&mut self) -> bool {
        let checkpoint = |block: &Block| block.kind() == BlockKind::Checkpoint;
        let Some(next) = self.blocks.iter().skip(1).position(checkpoint) else { return false };
        for block in self.blocks.drain(..=next) {
            self.bytes -= block.bytes();
        }
        self.dropped = true;
        true
    }

    /// A trace of all that the ring holds. Finish the recorder's block and push it first.
    pub fn dump(&self, recorder: &Recorder) -> Vec<u8> {
        let mut out = if self.dropped { recorder.later_head() } else { recorder.head() };
        for block in &self.blocks {
            out.extend_from_slice(&block.pack());
        }
        out
    }
}
