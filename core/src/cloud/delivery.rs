//! Acknowledged delivery to one node: a queue, and at most one message in flight.
//!
//! ```text
//!  Idle ──written──▶ Waiting ──interval, sends < max──▶ Due ──written──▶ Waiting
//!   ▲                 │   │                              │
//!   ├── acknowledged ─┘   └─ interval, sends = max: to the back of the queue ──▶ Idle
//!   └── acknowledged, or the session ended ──────────────┘
//! ```
//!
//! What would go to the back of the queue behind a newer version of its object is dropped instead.
//!
//! The message in flight stays at the front of the queue until it is acknowledged: a session that ends takes nothing
//! with it. Behaviour: KubeEdge `cloudhub/session`, `sendMessageWithRetry` and `syncAckMessage`.

use super::config::CloudConfig;
use super::queue::{Queue, Room};
use super::versions::Versions;
use crate::canary::{CloudCanary, Planted};
use crate::message::Message;
use crate::time::Instant;

/// How far the front of the queue has come in this session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flight {
    /// Not written yet.
    Idle,
    /// Written so many times; its acknowledgement is expected by then.
    Waiting { sends: u32, until: Instant },
    /// To be written again as soon as the link has room.
    Due { sends: u32 },
}

/// What an expired wait led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expired {
    Resend,
    Requeued,
    /// A newer version of its object waits behind it, which it would follow at the back of the queue.
    Outdated(Option<Message>),
}

/// The acknowledged messages of one node, kept across its sessions.
#[derive(Debug, Clone)]
pub(super) struct AcknowledgedDelivery {
    queue: Queue,
    flight: Flight,
    versions: Versions,
}

impl AcknowledgedDelivery {
    pub(super) fn new() -> AcknowledgedDelivery {
        AcknowledgedDelivery { queue: Queue::default(), flight: Flight::Idle, versions: Versions::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn front(&self) -> Option<&Message> {
        self.queue.front()
    }

    pub(super) fn makes_old(&self, message: &Message) -> bool {
        self.versions.makes_old(message)
    }

    pub(super) fn admits(&self, message: &Message, room: Room) -> bool {
        self.queue.admits(message, room)
    }

    pub(super) fn push(&mut self, message: Message) {
        self.versions.accept(&message);
        self.queue.push(message);
    }

    /// Queues a message in front of all others, also of the one in flight; only ever called for a canary.
    pub(super) fn push_first(&mut self, message: Message) {
        self.push(message);
        self.queue.unrotate();
        self.flight = Flight::Idle;
    }

    /// Whether a response would acknowledge a message other than the first.
    pub(super) fn is_behind(&self, parent_msg_id: &str) -> bool {
        self.queue.position(parent_msg_id).is_some_and(|position| position > 0)
    }

    /// The message to write now, if any.
    pub(super) fn next_write(&self) -> Option<&Message> {
        match self.flight {
            Flight::Idle | Flight::Due { .. } => self.queue.front(),
            Flight::Waiting { .. } => None,
        }
    }

    /// The front was written; returns how many times by now.
    pub(super) fn written(&mut self, now: Instant, config: &CloudConfig) -> u32 {
        let sends = match self.flight {
            Flight::Idle => 1,
            Flight::Due { sends } | Flight::Waiting { sends, .. } => sends.saturating_add(1),
        };
        self.flight = Flight::Waiting { sends, until: now + config.resend_interval };
        sends
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.flight {
            Flight::Waiting { until, .. } => Some(until),
            Flight::Idle | Flight::Due { .. } => None,
        }
    }

    /// Ends a wait that is over, once, however late it is.
    pub(super) fn expire(
        &mut self,
        now: Instant,
        config: &CloudConfig,
        planted: Planted<CloudCanary>,
    ) -> Option<Expired> {
        let Flight::Waiting { sends, until } = self.flight else { return None };
        if now < until {
            return None;
        }
        if sends < config.sends_max || planted.is(CloudCanary::ResentForEver) {
            self.flight = Flight::Due { sends };
            return Some(Expired::Resend);
        }
        self.flight = Flight::Idle;
        if self.queue.front().is_some_and(|front| self.versions.makes_old(front)) {
            return Some(Expired::Outdated(self.queue.pop()));
        }
        self.queue.rotate();
        Some(Expired::Requeued)
    }

    /// Takes out the message that a response answers. A response that comes after its message went back into the
    /// queue counts too: else a node that needs longer than all resends would never be done.
    pub(super) fn acknowledge(&mut self, parent_msg_id: &str) -> Option<Message> {
        if parent_msg_id.is_empty() {
            return None;
        }
        let position = self.queue.position(parent_msg_id)?;
        if position == 0 {
            self.flight = Flight::Idle;
        }
        self.queue.remove(position)
    }

    /// The session is over: the next one starts with the same front.
    pub(super) fn disconnected(&mut self) {
        self.flight = Flight::Idle;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Draft;
    use alloc::string::String;
    use core::fmt::Write;
    use core::time::Duration;

    /// Every state with every event, as a picture.
    #[test]
    fn the_transitions_are_pinned() {
        let config =
            CloudConfig { resend_interval: Duration::from_micros(5), sends_max: 2, ..CloudConfig::default() };
        let states = [
            ("Idle", Flight::Idle),
            ("Waiting(1)", Flight::Waiting { sends: 1, until: Instant(15) }),
            ("Waiting(2)", Flight::Waiting { sends: 2, until: Instant(15) }),
            ("Due(1)", Flight::Due { sends: 1 }),
        ];
        type Event = fn(&mut AcknowledgedDelivery, &CloudConfig);
        let events: [(&str, Event); 5] = [
            ("written", |d, config| {
                if d.next_write().is_some() {
                    d.written(Instant(10), config);
                }
            }),
            ("early", |d, config| assert_eq!(d.expire(Instant(14), config, Planted::default()), None)),
            ("late", |d, config| {
                d.expire(Instant(15), config, Planted::default());
            }),
            ("acknowledged", |d, _| drop(d.acknowledge("a"))),
            ("disconnected", |d, _| d.disconnected()),
        ];
        let mut picture = String::from("\n");
        for (state, flight) in states {
            for (event, apply) in events {
                let mut delivery = AcknowledgedDelivery::new();
                for msg_id in ["a", "b"] {
                    delivery.push(Draft { msg_id, ..Draft::default() }.encode().unwrap());
                }
                delivery.flight = flight;
                apply(&mut delivery, &config);
                let to = match delivery.flight {
                    Flight::Idle => String::from("Idle"),
                    Flight::Waiting { sends, .. } => alloc::format!("Waiting({sends})"),
                    Flight::Due { sends } => alloc::format!("Due({sends})"),
                };
                let front = delivery.front().map_or("", Message::msg_id);
                writeln!(picture, "{state:<10} × {event:<12} → {to:<10} front {front} of {}", delivery.len())
                    .unwrap();
            }
        }
        assert_eq!(picture, PICTURE, "{picture}");
    }

    const PICTURE: &str = "
Idle       × written      → Waiting(1) front a of 2
Idle       × early        → Idle       front a of 2
Idle       × late         → Idle       front a of 2
Idle       × acknowledged → Idle       front b of 1
Idle       × disconnected → Idle       front a of 2
Waiting(1) × written      → Waiting(1) front a of 2
Waiting(1) × early        → Waiting(1) front a of 2
Waiting(1) × late         → Due(1)     front a of 2
Waiting(1) × acknowledged → Idle       front b of 1
Waiting(1) × disconnected → Idle       front a of 2
Waiting(2) × written      → Waiting(2) front a of 2
Waiting(2) × early        → Waiting(2) front a of 2
Waiting(2) × late         → Idle       front b of 2
Waiting(2) × acknowledged → Idle       front b of 1
Waiting(2) × disconnected → Idle       front a of 2
Due(1)     × written      → Waiting(2) front a of 2
Due(1)     × early        → Due(1)     front a of 2
Due(1)     × late         → Due(1)     front a of 2
Due(1)     × acknowledged → Idle       front b of 1
Due(1)     × disconnected → Idle       front a of 2
";
}
