//! Leaving a link for a better one, so that nothing is lost and nothing is sent twice: the node has another certificate, or the
//! better lane gets through.
//!
//! ```text
//!   Up ── something better ─────▶ Renewing ── every ping is answered ──▶ closed, dialled again at once
//!         a ping goes out, nothing     │        and all is confirmed
//!         of modules after it          └─ the grace is over ──▶ the same; what is unconfirmed is sent again
//! ```
//!
//! It is the hub's own wish and no failed attempt: the next dial waits for no backoff, goes to the same endpoint, and what
//! gathered meanwhile is not the backlog of an outage. Keepalives and answers to link control go on until the end.
//!
//! A dial that has begun shows the old certificate, which may be why it is going to fail: it begins again. What waits for
//! its next dial goes on waiting: that one has the new certificate in any case.

use super::link::LinkChange;
use super::{Hub, LinkEnd, LinkState, Output};
use crate::canary::Canary;
use crate::limits::RENEWAL_GRACE;
use core::time::Duration;

impl Hub {
    /// The node has another certificate.
    pub(super) fn renew(&mut self) {
        let was = self.state;
        if was == LinkState::Opening && self.planted.is(Canary::RenewalMissesDial) {
            return;
        }
        if !self.change(LinkChange::Renew) {
            return;
        }
        if was == LinkState::Opening {
            self.outputs.push_back(Output::Close { epoch: self.epoch });
            return self.dial_at_once(0);
        }
        self.begin_leaving();
    }

    /// Leaves the link in good order for a better one; one that is left already, or does not end here, goes on as it is.
    pub(super) fn leave(&mut self) {
        if self.state == LinkState::Up && self.change(LinkChange::Renew) {
            self.begin_leaving();
        }
    }

    fn begin_leaving(&mut self) {
        self.state_ends = Some(self.now.mono + RENEWAL_GRACE);
        // Its pong speaks for all that was written, also for what wants no confirmation.
        self.ping();
    }

    /// Leaves the link once nothing on it is waited for any more.
    pub(super) fn finish_renewing(&mut self) {
        if self.state != LinkState::Renewing {
            return;
        }
        let settled = self.outbox.unconfirmed() == 0 && self.flight.unanswered_since().is_none();
        if settled || self.planted.is(Canary::RenewalUnawaited) {
            self.reopen();
        }
    }

    /// Leaves the link, and dials again.
    pub(super) fn reopen(&mut self) {
        if !self.change(LinkChange::Drained) {
            return;
        }
        self.outputs.push_back(Output::Close { epoch: self.epoch });
        let unconfirmed = self.link_ended(false);
        self.keep_pace(!self.planted.is(Canary::RenewalPaced));
        if self.planted.is(Canary::RenewalBacksOff) {
            self.wait_to_dial(LinkEnd::Renewed, unconfirmed);
        } else {
            self.dial_at_once(unconfirmed);
        }
    }

    /// Dials where it was, without a wait: nobody has failed.
    fn dial_at_once(&mut self, unconfirmed: usize) {
        let lived = self.opened_at.take().map(|opened| self.now.mono.since(opened));
        if let Some(lived) = lived {
            self.suspect_end(LinkEnd::Renewed, lived);
            self.backoff.other(Some(lived), &self.config, self.planted);
            if lived >= self.config.stable_after {
                self.selection.held(self.planted);
            }
        }
        self.link_down(LinkEnd::Renewed, Some(Duration::ZERO), unconfirmed);
        if lived.is_some() {
            self.publish_connect_info("cloud_disconnected");
        }
        self.open();
    }
}
