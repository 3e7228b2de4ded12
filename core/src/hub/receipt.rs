//! What a sender is told of its message.

use super::note::DropReason;
use serde::{Deserialize, Serialize};

/// One stage of a message's way. `Stored` may come once, if its class is persistent; then exactly one of `Written`,
/// `Confirmed` and `Dropped` ends it, unless the hub's process ends first or a stop leaves the message to the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// It is in the journal, synced: it survives a crash and a power cut from now on.
    Stored,
    /// It was handed to the link, once. It is delivered at most once, and nobody will say whether it arrived.
    Written,
    /// The cloud has it: it answered a ping that was written behind it.
    Confirmed,
    /// The hub has given it up. With [`DropReason::LinkLost`] and [`DropReason::Expired`] it may have arrived
    /// nevertheless, if it had been written before.
    Dropped {
        /// Why.
        reason: DropReason,
        /// The limit that it exceeds, in bytes, if that is why.
        limit: Option<usize>,
    },
}

impl Stage {
    /// Whether nothing follows it.
    pub fn is_last(self) -> bool {
        self != Stage::Stored
    }

    /// Dropped, for a reason other than its size.
    pub(super) fn dropped(reason: DropReason) -> Stage {
        Stage::Dropped { reason, limit: None }
    }
}
