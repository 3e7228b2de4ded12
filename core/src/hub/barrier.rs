//! Pings, and what their pongs confirm.

use super::{Hub, Note, Output, Stage};
use crate::canary::Canary;

impl Hub {
    /// Something was written that wants a pong behind it.
    pub(super) fn wants_barrier(&mut self) {
        if !self.planted.is(Canary::BarrierUncounted) {
            self.uncovered += 1;
        }
        if !self.planted.is(Canary::BarrierMissing) {
            self.barrier_at.get_or_insert(self.now.mono + self.config.barrier_after);
        }
        if self.uncovered >= self.config.barrier_messages {
            self.ping();
        }
    }

    /// Sends a ping: its pong is a sign of life, a round-trip time and a receipt for everything written before it.
    pub(super) fn ping(&mut self) {
        self.last_ping += 1;
        self.pinged_at = self.now.mono;
        self.uncovered = 0;
        self.barrier_at = None;
        self.outbox.pinged(self.last_ping);
        self.keepalive.pinged(self.now.mono, &self.config);
        self.outputs.push_back(Output::Ping { epoch: self.epoch, number: self.last_ping });
    }

    /// A pong came back.
    pub(super) fn pong(&mut self, number: u64) {
        let known = number < self.last_ping || !self.planted.is(Canary::PongCalledUnexpected);
        let sent = number <= self.last_ping && known;
        let Some(confirmed) = (if sent { self.outbox.pong(number) } else { None }) else {
            return self.note(Note::UnexpectedLinkEvent { epoch: self.epoch });
        };
        self.keepalive.heard(self.now.mono);
        self.account.up.settled += confirmed;
        for _ in 0..confirmed {
            if let Some(entry) = self.outbox.take_confirmed() {
                self.tell_asker(&entry, Stage::Confirmed);
            }
        }
        if number == self.last_ping {
            self.note(Note::RoundTrip { rtt: self.now.mono.since(self.pinged_at) });
        }
    }
}
