//! What a module was handed and has not taken: credit counts messages, and messages can be large.

use super::consistent::is_sum;
use crate::limits::HANDED_BYTES_MAX;
use alloc::collections::VecDeque;
use serde::{Deserialize, Serialize};

/// The lengths of messages that a module was handed, the oldest first.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Handed {
    lengths: VecDeque<u32>,
    bytes: usize,
}

impl Handed {
    /// Whether one more may be handed over. It may be as large as a message can be.
    pub(super) fn has_room(&self) -> bool {
        self.bytes < HANDED_BYTES_MAX
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn add(&mut self, bytes: usize) {
        let length = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.lengths.push_back(length);
        self.bytes += length as usize;
    }

    /// So many were taken. A module may say that of more than it was handed: it can take them then.
    pub(super) fn taken(&mut self, messages: u32) {
        let taken = self.lengths.len().min(messages as usize);
        self.bytes -= self.lengths.drain(..taken).map(|length| length as usize).sum::<usize>();
    }

    /// Whether this can be so, in a state out of a file.
    pub(super) fn is_consistent(&self) -> bool {
        is_sum(self.bytes as u64, self.lengths.iter().map(|&length| u64::from(length)))
    }
}
