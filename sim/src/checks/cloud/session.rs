//! A connection that serves a node, and what ends with it.

use super::super::amount::Amount;
use edgehub_core::Instant;
use edgehub_core::cloud::NodeName;
use edgehub_core::limits::{WRITE_WINDOW_BYTES, WRITE_WINDOW_MESSAGES};
use std::collections::VecDeque;

/// A connection that serves a node.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) node: NodeName,
    /// It ends then, if nothing is heard.
    pub(super) keepalive_until: Instant,
    /// Written and not flushed.
    pub(super) unflushed: VecDeque<usize>,
    /// Sent to be delivered once, and not written.
    pub(super) once: VecDeque<(u64, usize)>,
}

impl Session {
    pub(super) fn new(node: NodeName, keepalive_until: Instant) -> Session {
        Session { node, keepalive_until, unflushed: VecDeque::new(), once: VecDeque::new() }
    }

    pub(super) fn flushed(&mut self, messages: usize) {
        let flushed = self.unflushed.len().min(messages);
        self.unflushed.drain(..flushed);
    }

    /// Whether a message of so many bytes could be written.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        let window = Amount { messages: WRITE_WINDOW_MESSAGES, bytes: WRITE_WINDOW_BYTES };
        self.unflushed.iter().copied().collect::<Amount>().has_room(bytes, window)
    }
}
