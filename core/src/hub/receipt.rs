//! What a sender is told of its message.

use super::note::DropReason;
use serde::{Deserialize, Serialize};

/// One stage of a message's way. The last one is the only one that ends it: exactly one of `Written`, `Confirmed` and
/// `Dropped` comes for each message, unless the hub's process ends first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
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
    /// Dropped, for a reason other than its size.
    pub(super) fn dropped(reason: DropReason) -> Stage {
        Stage::Dropped { reason, limit: None }
    }
}
