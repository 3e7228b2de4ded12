//! What a message is about: its source, group and resource.

use crate::message::Message;
use crate::package::Class as Stream;
use serde::{Deserialize, Serialize};

/// A hash of what a message is about, of 48 bits. Two may have the same one: whoever drops something for its sake compares the
/// texts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Key([u16; 3]);

impl Key {
    /// The key of a message that has a place in an order. Answers, keepalives and link control have none: they may pass by
    /// everything, also on a lane of several streams.
    pub(super) fn of(message: &Message) -> Option<Key> {
        (Stream::of(message) != Stream::Urgent).then(|| Key::from_hash(message.subject_hash()))
    }

    /// Its upper bits: each of them depends on all that came before.
    pub(super) fn from_hash(hash: u64) -> Key {
        Key([(hash >> 48) as u16, (hash >> 32) as u16, (hash >> 16) as u16])
    }

    /// Whether two messages are about the same thing.
    pub(super) fn is_same(one: &Message, other: &Message) -> bool {
        (one.source(), one.group(), one.resource()) == (other.source(), other.group(), other.resource())
    }
}
