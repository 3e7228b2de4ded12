//! From the outbox onto the link.

use super::keepalive::keepalive_message;
use super::outbox::{Body, Taken};
use super::{DropReason, Hub, Output, Stage};
use crate::canary::Canary;
use crate::class::Delivery;
use crate::limits::{WRITE_WINDOW_BYTES, WRITE_WINDOW_MESSAGES};
use crate::message::{Message, operation};

impl Hub {
    /// Whether the driver can take another message.
    pub(super) fn window_open(&self) -> bool {
        let bytes = if self.planted.is(Canary::ByteWindowIgnored) { 0 } else { self.in_flight.bytes };
        self.in_flight.messages < WRITE_WINDOW_MESSAGES && bytes < WRITE_WINDOW_BYTES
    }

    /// Writes what the windows and the rate limit allow: the hub's own messages first, then class by class.
    ///
    /// What has waited too long is dropped before: a late tick brings tokens to what must not leave any more.
    pub(super) fn write_ready(&mut self) {
        self.drop_expired();
        while self.state.is_open() && self.window_open() {
            if let Some(message) = self.outbox.pop_own() {
                self.account.up.written += 1;
                self.session.wrote(message.msg_id(), self.flight.last_ping());
                if message.operation() == operation::KEEPALIVE {
                    self.keepalive.wrote(self.now.mono);
                }
                // Its time is of the wall clock, which decides nothing: not even by the number of its digits.
                self.put_on_link(message, 0);
                continue;
            }
            if !self.may_write_messages() {
                break;
            }
            let may = self.throttle.has_token(self.now.mono) && self.flight.has_room(self.planted);
            let Some(class) = self.outbox.next(|class| may || !self.is_throttled(class.rate_limited)) else {
                break;
            };
            let class = match self.waits_for_pace(class) {
                false => class,
                // What is exempt passes by what waits for its turn.
                true => match self.outbox.next(|class| !self.is_throttled(class.rate_limited)) {
                    Some(exempt) if exempt != class => exempt,
                    _ => break,
                },
            };
            if self.outbox.is_next_away(class) {
                // It was asked for. Nothing else may go before it.
                break;
            }
            let over = self.outbox.front(class).is_some_and(|entry| {
                entry.wait.is_some_and(|wait| !self.sync_keeper.goes_on(entry.message.msg_id(), wait))
            });
            if over {
                if let Some(entry) = self.outbox.pop(class) {
                    self.give_up(entry, DropReason::RequestExpired);
                }
                continue;
            }
            if self.outbox.class(class).is_some_and(|class| self.is_throttled(class.rate_limited)) {
                self.throttle.take(self.now.mono);
            }
            self.take_turn(class);
            self.write(class);
        }
    }

    /// A link that is to end in peace gets nothing more of what the cloud would see twice, or not at all.
    fn may_write_messages(&self) -> bool {
        self.state.takes_messages() || self.planted.is(Canary::RenewalWrites)
    }

    /// Acknowledgements and keepalives are exempt (defect D8), from what the link carries as from the rate limit.
    fn is_throttled(&self, rate_limited: bool) -> bool {
        match rate_limited {
            true => !self.planted.is(Canary::BulkExempt),
            false => self.planted.is(Canary::AcknowledgementsThrottled),
        }
    }

    /// Puts the next message of a class on the link.
    pub(super) fn write(&mut self, class: usize) {
        let once = self.outbox.class(class).is_some_and(|class| class.delivery == Delivery::AtMostOnce);
        if once || self.planted.is(Canary::WrittenIsForgotten) {
            let Some(Taken { body: Body::Here(entry), .. }) = self.outbox.pop(class) else { return };
            self.account.up.written += 1;
            let told = if self.planted.is(Canary::WrittenToldAsConfirmed) {
                Stage::Confirmed
            } else {
                Stage::Written
            };
            self.outputs.extend(entry.receipt_of(told));
            let bytes = entry.message.bytes();
            self.put_on_link(entry.message, bytes);
        } else if let Some(message) = self.outbox.write(class) {
            let bytes = message.bytes();
            self.put_on_link(message, bytes);
        }
    }

    /// Writes a message, which counts so much among what is on its way.
    pub(super) fn put_on_link(&mut self, message: Message, weight: usize) {
        self.in_flight.messages += 1;
        self.in_flight.bytes += message.bytes();
        self.outputs.push_back(Output::Write { epoch: self.epoch, message });
        self.wants_barrier(weight);
    }

    /// The driver has handed so much to the operating system.
    pub(super) fn flushed(&mut self, messages: usize, bytes: usize) {
        self.in_flight.messages = self.in_flight.messages.saturating_sub(messages);
        if !self.planted.is(Canary::FlushUncounted) {
            self.in_flight.bytes = self.in_flight.bytes.saturating_sub(bytes);
        }
    }

    /// The keepalive message that CloudHub waits for.
    pub(super) fn send_keepalive(&mut self) {
        let burst = self.planted.is(Canary::HeartbeatBurst);
        self.keepalive.beat(if burst { self.keepalive.heartbeat_at() } else { self.now.mono }, &self.config);
        if self.outbox.holds_keepalive() && !self.planted.is(Canary::HeartbeatBurst) {
            // The link is stuck: one keepalive says as much as many.
            return;
        }
        let id = self.rng.uuid();
        if let Ok(message) = keepalive_message(id.as_str(), self.now.wall).encode() {
            self.enqueue_own(message);
        }
    }
}
