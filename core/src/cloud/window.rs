//! What the driver was told to write and has not flushed yet.
//!
//! A slow node's socket fills, then the driver's buffer; from there on its messages wait here, where they are bounded
//! and where an acknowledged message can still go back to its queue.

use super::queue::Room;
use crate::limits::{WRITE_WINDOW_BYTES, WRITE_WINDOW_MESSAGES};
use alloc::collections::VecDeque;

const ROOM: Room = Room { messages: WRITE_WINDOW_MESSAGES, bytes: WRITE_WINDOW_BYTES };

/// The sizes of unflushed messages, oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct WriteWindow {
    unflushed: VecDeque<usize>,
    bytes: usize,
}

impl WriteWindow {
    pub(super) fn admits(&self, bytes: usize) -> bool {
        ROOM.admits(self.unflushed.len(), self.bytes, bytes)
    }

    pub(super) fn written(&mut self, bytes: usize) {
        self.unflushed.push_back(bytes);
        self.bytes += bytes;
    }

    /// The driver may report too many; there is no more to flush than was written.
    pub(super) fn flushed(&mut self, messages: usize) {
        let messages = messages.min(self.unflushed.len());
        self.bytes -= self.unflushed.drain(..messages).sum::<usize>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_opens_as_messages_are_flushed() {
        let mut window = WriteWindow::default();
        for _ in 0..WRITE_WINDOW_MESSAGES {
            assert!(window.admits(1));
            window.written(1);
        }
        assert!(!window.admits(1));
        window.flushed(1);
        assert!(window.admits(1));
        assert!(!window.admits(WRITE_WINDOW_BYTES));
        window.flushed(usize::MAX);
        assert!(window.admits(WRITE_WINDOW_BYTES + 1), "one larger message may pass alone");
    }
}
