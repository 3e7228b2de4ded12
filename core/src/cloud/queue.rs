//! A queue of messages, bounded in number and in bytes.

use crate::message::Message;
use alloc::collections::VecDeque;

/// How much a queue may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

impl Room {
    /// Whether one more message fits beside what is there; one larger message may pass alone.
    pub(super) fn admits(self, messages: usize, bytes: usize, more: usize) -> bool {
        messages < self.messages && (messages == 0 || bytes.saturating_add(more) <= self.bytes)
    }
}

/// Messages in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    queue: VecDeque<Message>,
    bytes: usize,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn admits(&self, message: &Message, room: Room) -> bool {
        room.admits(self.queue.len(), self.bytes, message.bytes())
    }

    pub(super) fn push(&mut self, message: Message) {
        self.bytes += message.bytes();
        self.queue.push_back(message);
    }

    pub(super) fn front(&self) -> Option<&Message> {
        self.queue.front()
    }

    pub(super) fn pop(&mut self) -> Option<Message> {
        self.remove(0)
    }

    pub(super) fn remove(&mut self, position: usize) -> Option<Message> {
        let message = self.queue.remove(position)?;
        self.bytes -= message.bytes();
        Some(message)
    }

    pub(super) fn position(&self, msg_id: &str) -> Option<usize> {
        self.queue.iter().position(|message| message.msg_id() == msg_id)
    }

    /// The first becomes the last.
    pub(super) fn rotate(&mut self) {
        if let Some(message) = self.queue.pop_front() {
            self.queue.push_back(message);
        }
    }

    /// The last becomes the first; only ever called for a canary.
    pub(super) fn unrotate(&mut self) {
        self.queue.rotate_right(self.queue.len().min(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_larger_than_the_room_may_pass_alone() {
        let room = Room { messages: 2, bytes: 10 };
        assert!(room.admits(0, 0, 11));
        assert!(!room.admits(1, 11, 1));
        assert!(room.admits(1, 5, 5));
        assert!(!room.admits(1, 5, 6));
        assert!(!room.admits(2, 2, 1));
        assert!(!Room { messages: 0, bytes: 10 }.admits(0, 0, 1));
    }
}
