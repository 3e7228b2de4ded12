//! The books: every accepted message ends in exactly one place.

use super::note::DropReason;
use serde::{Deserialize, Serialize};

/// One direction's books. `accepted = confirmed + written + pending + dropped`, at every moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    /// Messages taken in. Downstream, a message for several modules counts once for each.
    pub accepted: u64,
    /// Upstream: the cloud has them, as a pong says. Downstream: delivered, or answered by the hub itself.
    pub confirmed: u64,
    /// Upstream: handed to a link, and nobody says whether they arrived: what is delivered at most once, and the hub's own
    /// keepalives, questions and answers to link control. Downstream: none.
    pub written: u64,
    /// Queued, or written and not yet confirmed. After a stop: what the journal keeps for the next start.
    pub pending: u64,
    dropped: [u64; DropReason::ALL.len()],
}

impl Ledger {
    /// Messages dropped for this reason.
    pub fn dropped_for(&self, reason: DropReason) -> u64 {
        self.dropped[reason as usize]
    }

    /// Messages dropped for any reason.
    pub fn dropped(&self) -> u64 {
        self.dropped.iter().sum()
    }

    /// Messages that have come to the end that they were to come to.
    pub fn settled(&self) -> u64 {
        self.confirmed + self.written
    }

    /// Why messages were dropped, and how many for each reason.
    pub fn dropped_by_reason(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        let all = DropReason::ALL.into_iter().map(|reason| (reason, self.dropped_for(reason)));
        all.filter(|(_, dropped)| *dropped > 0)
    }

    /// Whether the books balance.
    pub fn balanced(&self) -> bool {
        self.accepted == self.settled() + self.pending + self.dropped()
    }

    /// Every count of it.
    pub(super) fn counts(&self) -> impl Iterator<Item = u64> {
        [self.accepted, self.confirmed, self.written, self.pending].into_iter().chain(self.dropped)
    }

    pub(super) fn drop_one(&mut self, reason: DropReason) {
        self.dropped[reason as usize] += 1;
    }
}

/// Both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Account {
    /// From modules, and from the hub itself, to the cloud.
    pub up: Ledger,
    /// From the cloud, and from the hub itself, to modules.
    pub down: Ledger,
    /// Frames that were not messages.
    pub malformed: u64,
    /// Links that came up.
    pub links: u64,
    /// Messages taken up again from the journal: a part of what was accepted upstream.
    pub restored: u64,
    /// Dropped messages that are dead letters: on the disk, durable when that was said.
    #[serde(default)]
    pub letters: u64,
    /// Dropped messages that should have become dead letters, and did not.
    #[serde(default)]
    pub letters_lost: u64,
    /// Dead letters that were durable and are gone: they made room for newer ones, or the disk does not give them back.
    #[serde(default)]
    pub letters_discarded: u64,
}

impl Account {
    /// Whether both books balance.
    pub fn balanced(&self) -> bool {
        self.up.balanced() && self.down.balanced()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_column() {
        for (column, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, column);
        }
    }

    #[test]
    fn only_reasons_that_there_were_are_listed() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.dropped_by_reason().count(), 0);
        for reason in [DropReason::OutboxFull, DropReason::Duplicate, DropReason::OutboxFull] {
            ledger.drop_one(reason);
        }
        let mut listed: std::vec::Vec<_> = ledger.dropped_by_reason().collect();
        listed.sort_by_key(|(_, dropped)| *dropped);
        assert_eq!(listed, [(DropReason::Duplicate, 1), (DropReason::OutboxFull, 2)]);
    }
}
