//! The books: where every message has gone.

use super::output::CloudDropReason;
use serde::Serialize;

/// Messages to nodes. `accepted = settled + pending + dropped`, at every moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct DownstreamLedger {
    /// Messages taken from cloud modules.
    pub accepted: u64,
    /// Acknowledged, or written where no acknowledgement is needed.
    pub settled: u64,
    /// Queued or in flight.
    pub pending: u64,
    dropped: [u64; CloudDropReason::ALL.len()],
}

impl DownstreamLedger {
    /// Messages dropped for this reason.
    pub fn dropped_for(&self, reason: CloudDropReason) -> u64 {
        self.dropped[reason as usize]
    }

    /// Messages dropped for any reason.
    pub fn dropped(&self) -> u64 {
        self.dropped.iter().sum()
    }

    /// Whether the books balance.
    pub fn balanced(&self) -> bool {
        self.accepted == self.settled + self.pending + self.dropped()
    }

    pub(super) fn drop_one(&mut self, reason: CloudDropReason) {
        self.dropped[reason as usize] += 1;
    }
}

/// Messages from nodes: each received one is counted once more, under what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct UpstreamLedger {
    /// Messages read.
    pub received: u64,
    /// Handed to cloud modules.
    pub dispatched: u64,
    /// Keepalives.
    pub keepalives: u64,
    /// Responses that ended an acknowledged delivery.
    pub acknowledgements: u64,
    /// Link control, answered here.
    pub link_control: u64,
    /// Queries of the CA certificate, answered here.
    pub ca_queries: u64,
    /// Read from a connection that has no session.
    pub stale: u64,
}

impl UpstreamLedger {
    /// Whether the books balance.
    pub fn balanced(&self) -> bool {
        self.received
            == self.dispatched
                + self.keepalives
                + self.acknowledgements
                + self.link_control
                + self.ca_queries
                + self.stale
    }
}

/// Both directions, and what happened to sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct CloudAccount {
    /// From cloud modules to nodes.
    pub down: DownstreamLedger,
    /// From nodes to cloud modules.
    pub up: UpstreamLedger,
    /// Sessions that began.
    pub sessions: u64,
    /// Connections closed because of a frame that is no message.
    pub violations: u64,
    /// Acknowledged messages written again in the same session.
    pub resends: u64,
    /// Acknowledged messages sent to the back of their queue.
    pub requeues: u64,
    /// Answers of CloudHub's own that were given up.
    pub answers_dropped: u64,
}

impl CloudAccount {
    /// Whether both books balance.
    pub fn balanced(&self) -> bool {
        self.down.balanced() && self.up.balanced()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_their_own_place_in_the_books() {
        for (number, reason) in CloudDropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, number);
            let mut ledger = DownstreamLedger { accepted: 1, ..DownstreamLedger::default() };
            assert!(!ledger.balanced());
            ledger.drop_one(reason);
            assert!(ledger.balanced() && ledger.dropped_for(reason) == 1, "{reason:?}");
        }
    }
}
