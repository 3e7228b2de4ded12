//! The newest part of a recording, in memory.

use super::block::{Block, BlockKind};
use super::header::{Header, Start};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Keeps packed blocks up to a bound in bytes. When it is full, the oldest go, up to the next checkpoint: what is left
/// can always be replayed. Where there is none, everything goes, and the ring begins anew with the next checkpoint.
#[derive(Debug)]
pub struct Ring {
    header: Header,
    blocks: VecDeque<(BlockKind, Vec<u8>)>,
    bytes: usize,
    bytes_max: usize,
}

impl Ring {
    /// An empty ring for so many bytes of a recording with this head; it never holds more. The recorder should know of
    /// it ([`Recorder::for_ring`](super::Recorder::for_ring)), and the ring be more than twice as large as a checkpoint.
    pub fn new(header: Header, bytes_max: usize) -> Ring {
        Ring { header, blocks: VecDeque::new(), bytes: 0, bytes_max }
    }

    /// Bytes in the ring.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the beginning of the recording is gone.
    pub fn has_dropped(&self) -> bool {
        self.header.start == Start::Checkpoint
    }

    /// Packs a block and takes it in.
    pub fn push(&mut self, block: &Block) {
        self.push_packed(block.kind(), block.pack());
    }

    /// Takes a packed block in.
    pub fn push_packed(&mut self, kind: BlockKind, packed: Vec<u8>) {
        if self.blocks.is_empty() && self.has_dropped() && kind == BlockKind::Records {
            // Without the checkpoint before it nobody could replay it.
            return;
        }
        self.bytes += packed.len();
        self.blocks.push_back((kind, packed));
        while self.bytes > self.bytes_max && !self.blocks.is_empty() {
            self.drop_oldest();
        }
    }

    /// Drops everything before the next checkpoint, which is then the first block; all, if there is none.
    fn drop_oldest(&mut self) {
        let mut later = self.blocks.iter().skip(1).map(|(kind, _)| *kind);
        let dropped =
            later.position(|kind| kind == BlockKind::Checkpoint).map_or(self.blocks.len(), |at| at + 1);
        for (_, packed) in self.blocks.drain(..dropped) {
            self.bytes -= packed.len();
        }
        self.header.start = Start::Checkpoint;
    }

    /// A trace of all that the ring holds, and why it is written. Finish the recorder's block and push it first.
    pub fn dump(&self, why: &str) -> Vec<u8> {
        let mut out = Header { why: why.into(), ..self.header.clone() }.encode();
        out.reserve(self.bytes);
        self.blocks.iter().for_each(|(_, packed)| out.extend_from_slice(packed));
        out
    }
}
