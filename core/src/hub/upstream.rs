//! From a module into the outbox, and onto the link.

use super::input::ModuleId;
use super::link::LinkState;
use super::outbox::{Entry, Lane};
use super::route::is_for_the_cloud;
use super::{Direction, DropReason, Hub, Note, Output, SyncOutcome};
use crate::canary::Canary;
use crate::limits::{WRITE_WINDOW_BYTES, WRITE_WINDOW_MESSAGES};
use crate::message::{Content, Draft, Message, operation};
use core::time::Duration;

/// Above this share of the outbox (in 1/256) modules must wait …
const INTAKE_CLOSES_ABOVE: usize = 192;
/// … and below this one they may go on.
const INTAKE_OPENS_AT: usize = 128;

impl Hub {
    /// A module sends a message. A request is remembered before it can leave.
    pub(super) fn sent(&mut self, module: ModuleId, message: Message, timeout: Option<Duration>) {
        self.account.up.accepted += 1;
        let mut wait = None;
        let refused = if matches!(self.state, LinkState::Draining | LinkState::Stopped) {
            Some(DropReason::Shutdown)
        } else if !self.modules.is_joined(module) {
            Some(DropReason::NotJoined)
        } else if !is_for_the_cloud(message.destination()) {
            Some(DropReason::NotForTheCloud)
        } else if message.is_sync() {
            let deadline =
                self.now.mono + timeout.unwrap_or(self.config.sync_timeout).max(Duration::from_micros(1));
            match self.sync_keeper.begin(module, &message, deadline) {
                Ok(begun) => {
                    wait = Some(begun);
                    None
                }
                Err(reason) => Some(reason),
            }
        } else {
            None
        };
        if let Some(reason) = refused {
            self.dropped_up(&message, reason);
            if message.is_sync() {
                self.request_rejected(module, &message, reason);
            }
            return;
        }
        if message.operation() == operation::RESPONSE {
            self.duplicates.acknowledged(message.parent_msg_id());
        }
        let lane = if is_control(&message) { Lane::Control } else { Lane::Bulk };
        self.enqueue(Entry { message: message.into_link_form(), lane, wait });
    }

    /// Queues a message of the hub's own making.
    pub(super) fn enqueue_own(&mut self, message: Message) {
        self.account.up.accepted += 1;
        self.enqueue(Entry { message, lane: Lane::Transient, wait: None });
    }

    fn enqueue(&mut self, entry: Entry) {
        for room in self.outbox.push(entry) {
            if self.planted.is(Canary::OldestUnbooked) {
                continue;
            }
            self.dropped_up(&room.message, DropReason::OutboxFull);
            if let Some(wait) = room.wait
                && let Some(waiter) = self.sync_keeper.end_wait(room.message.msg_id(), wait)
            {
                self.sync_ended(waiter, SyncOutcome::Rejected(DropReason::OutboxFull));
            }
        }
    }

    pub(super) fn dropped_up(&mut self, message: &Message, reason: DropReason) {
        self.account.up.drop_one(reason);
        self.note(Note::Dropped { direction: Direction::Up, msg_id: message.msg_id().into(), reason });
    }

    /// Whether the driver can take another message.
    pub(super) fn window_open(&self) -> bool {
        self.in_flight.messages < WRITE_WINDOW_MESSAGES && self.in_flight.bytes < WRITE_WINDOW_BYTES
    }

    /// Writes what the window and the rate limit allow, control traffic first.
    pub(super) fn write_ready(&mut self) {
        while self.state.is_open() && self.window_open() {
            let Some(lane) = self.outbox.next_lane() else { break };
            if let Some(expired) = self.outbox.pop_if(lane, |entry| {
                entry.wait.is_some_and(|wait| !self.sync_keeper.goes_on(entry.message.msg_id(), wait))
            }) {
                self.dropped_up(&expired.message, DropReason::RequestExpired);
                continue;
            }
            if self.is_throttled(lane) && !self.throttle.take(self.now.mono) {
                break;
            }
            let Some(entry) = self.outbox.pop(lane) else { break };
            self.write(entry);
        }
    }

    /// Acknowledgements and keepalives are exempt (defect D8).
    fn is_throttled(&self, lane: Lane) -> bool {
        match lane {
            Lane::Transient => false,
            Lane::Control => self.planted.is(Canary::AcknowledgementsThrottled),
            Lane::Bulk => !self.planted.is(Canary::BulkExempt),
        }
    }

    /// Puts a message on the link.
    pub(super) fn write(&mut self, entry: Entry) {
        self.in_flight.messages += 1;
        self.in_flight.bytes += entry.message.bytes();
        self.outputs.push_back(Output::Write { epoch: self.epoch, message: entry.message.clone() });
        if entry.lane == Lane::Transient || self.planted.is(Canary::WrittenIsForgotten) {
            self.account.up.settled += 1;
        } else {
            self.outbox.written(entry);
        }
        self.uncovered += 1;
        self.barrier_at.get_or_insert(self.now.mono + self.config.barrier_after);
        if self.uncovered >= self.config.barrier_messages {
            self.ping();
        }
    }

    /// The driver has handed so much to the operating system.
    pub(super) fn flushed(&mut self, messages: usize, bytes: usize) {
        self.in_flight.messages = self.in_flight.messages.saturating_sub(messages);
        self.in_flight.bytes = self.in_flight.bytes.saturating_sub(bytes);
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
        let sent = number <= self.last_ping;
        let Some(confirmed) = (if sent { self.outbox.confirm(number) } else { None }) else {
            return self.note(Note::UnexpectedLinkEvent { epoch: self.epoch });
        };
        self.keepalive.heard(self.now.mono);
        self.account.up.settled += confirmed;
        if number == self.last_ping {
            self.note(Note::RoundTrip { rtt: self.now.mono.since(self.pinged_at) });
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
        let draft = Draft {
            msg_id: id.as_str(),
            timestamp: self.now.wall,
            source: "websocket",
            group: "resource",
            operation: operation::KEEPALIVE,
            resource: "node",
            content: Content::Text("ping"),
            ..Draft::default()
        };
        if let Ok(message) = draft.encode() {
            self.enqueue_own(message);
        }
    }

    /// Makes modules wait while the link is up and does not keep pace. Without a link they need not wait: the oldest
    /// messages make room, and each is reported.
    pub(super) fn adjust_intake(&mut self) {
        let open = match (self.state, self.intake_open) {
            (LinkState::Up, true) => !self.outbox.is_fuller_than(INTAKE_CLOSES_ABOVE),
            (LinkState::Up, false) => !self.outbox.is_fuller_than(INTAKE_OPENS_AT),
            // Nothing follows a stop.
            (LinkState::Stopped, open) => open,
            _ => true,
        };
        if open != self.intake_open {
            self.intake_open = open;
            self.outputs.push_back(Output::Intake { open });
        }
    }
}

/// Acknowledgements and responses: what the cloud waits for must not queue behind data.
fn is_control(message: &Message) -> bool {
    message.is_response() || matches!(message.operation(), operation::RESPONSE | operation::KEEPALIVE)
}
