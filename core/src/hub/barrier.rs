//! Pings, and what their pongs confirm.

use super::{Hub, Note, Output, Stage};
use crate::canary::Canary;

impl Hub {
    /// Something was written that wants a pong behind it.
    pub(super) fn wants_barrier(&mut self, bytes: usize) {
        self.flight.wrote(bytes, self.now.mono, &self.config);
        let uncounted = self.planted.is(Canary::BarrierUncounted) || self.planted.is(Canary::BarrierMissing);
        if self.flight.wants_ping(&self.config) && !uncounted {
            self.ping();
        }
    }

    /// Sends a ping: its pong is a sign of life, a round-trip time and a receipt for everything written before it.
    pub(super) fn ping(&mut self) {
        let number = self.flight.pinged(self.outbox.written(), self.now.mono);
        self.keepalive.pinged(self.now.mono, &self.config);
        self.outputs.push_back(Output::Ping { epoch: self.epoch, number });
    }

    /// A pong came back.
    pub(super) fn pong(&mut self, number: u64) {
        let known = number != self.flight.last_ping() || !self.planted.is(Canary::PongCalledUnexpected);
        let answer = if known { self.flight.answered(number, self.now.mono) } else { None };
        let Some(answer) = answer else {
            return self.note(Note::UnexpectedLinkEvent { epoch: self.epoch });
        };
        self.keepalive.heard(self.now.mono);
        self.session.ponged(number, self.now.mono);
        let (outputs, mut again) = (&mut self.outputs, None);
        let again_planted = self.planted.is(Canary::ConfirmedWrittenAgain);
        self.account.up.confirmed += self.outbox.confirm(answer.messages, |entry| {
            outputs.extend(entry.receipt_of(Stage::Confirmed));
            if again_planted && again.is_none() {
                again = Some(entry.message.clone());
            }
        });
        if let Some(message) = again {
            self.put_on_link(message, 0);
        }
        if let Some(rtt) = answer.round_trip {
            self.note(Note::RoundTrip { rtt });
        }
        if core::mem::take(&mut self.peer_stalled) {
            self.note(Note::PeerRecovered { epoch: self.epoch });
        }
    }
}
