//! Whether the cloud has a session for the node: asked of CloudHub itself, when nothing else says so.
//!
//! A CloudHub that turns a node away does not tell it. The link stays open, pings are answered, messages are read, and no
//! session exists: whatever the node is told to do never arrives. Only a message from the cloud proves a session. After a
//! while without one the hub asks for what CloudHub answers by itself, `k8s/ca.crt`.
//!
//! ```text
//!              nothing came for `after`              a pong of a later ping             `limit` over
//!    Served ──────────────────────────▶ Asked ─────────────────────────────▶ Read ───────────────────▶ link given up
//!      ▲                                  │                                   │
//!      └────────── the answer, or any other message of a session ────────────┘
//! ```
//!
//! How long it waits depends on what is known of the endpoint: see `patience`. The patience begins with the pong that proves
//! that the question was read: a slow link and a busy peer are not taken for a missing session, and what becomes of those is
//! decided elsewhere. While the link is not read nobody asks, and the time begins anew when it is read again: what filled the
//! inboxes came from a session.

use super::{Hub, LinkEnd, LinkState, Suspicion};
use crate::canary::Canary;
use crate::config::Probe;
use crate::hub::timers::{Deadline, TimerKind};
use crate::message::{Draft, Message, operation};
use crate::time::{Instant, UnixMillis};
use alloc::boxed::Box;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// How far the present question has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    /// None is open.
    Served,
    /// It waits to be written.
    Asked,
    /// It is written; a pong of a later ping than this one says that it was read.
    Written(u64),
    /// It was read then.
    Read(Instant),
}

/// What is known of the session.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Session {
    /// The last proof, or when the link came up.
    proven: Instant,
    stage: Stage,
    /// The id of the last question, until it is answered: an answer that comes when it is not needed any more is known, too.
    question: Option<Box<str>>,
}

impl Session {
    /// For a link that opened now.
    pub(super) fn new(now: Instant) -> Session {
        Session { proven: now, stage: Stage::Served, question: None }
    }

    /// The cloud has sent what only a session sends.
    pub(super) fn proven(&mut self, now: Instant) {
        self.proven = now;
        self.stage = Stage::Served;
    }

    /// A message of the hub's own leaves, behind the ping of this number.
    pub(super) fn wrote(&mut self, msg_id: &str, last_ping: u64) {
        if self.stage == Stage::Asked && self.question.as_deref() == Some(msg_id) {
            self.stage = Stage::Written(last_ping);
        }
    }

    /// A ping was answered.
    pub(super) fn ponged(&mut self, number: u64, now: Instant) {
        if let Stage::Written(before) = self.stage
            && number > before
        {
            self.stage = Stage::Read(now);
        }
    }

    /// Whether a message answers the question.
    fn is_answered_by(&mut self, parent: &str) -> bool {
        self.question.take_if(|question| **question == *parent).is_some()
    }

    fn deadline(&self, probe: &Probe, patience: Duration) -> Option<Deadline> {
        match self.stage {
            Stage::Served => Some(Deadline { at: self.proven + probe.after, kind: TimerKind::Probe }),
            Stage::Read(since) => Some(Deadline { at: since + patience, kind: TimerKind::NoSession }),
            Stage::Asked | Stage::Written(_) => None,
        }
    }
}

/// The question that only a session answers, for whoever asks it: a hub, and a check of the way to the cloud.
pub fn session_question<'a>(msg_id: &'a str, timestamp: UnixMillis, resource: &'a str) -> Draft<'a> {
    Draft {
        msg_id,
        timestamp,
        source: "edgehub",
        group: "resource",
        operation: operation::QUERY,
        resource,
        ..Draft::default()
    }
}

impl Hub {
    /// When the session is asked for, or given up. A link that only drains needs none.
    pub(super) fn probe_deadline(&self) -> Option<Deadline> {
        let probe = self.config.probe.as_ref()?;
        if self.state != LinkState::Up || self.paused.is_some() || self.planted.is(Canary::ProbeMissing) {
            return None;
        }
        let deadline = self.session.deadline(probe, self.session_patience()?)?;
        let stays = deadline.kind == TimerKind::NoSession && self.planted.is(Canary::NoSessionStays);
        (!stays).then_some(deadline)
    }

    /// Whether it has asked the cloud for its session, and has no answer yet.
    pub fn awaits_session(&self) -> bool {
        self.state == LinkState::Up && self.session.stage != Stage::Served
    }

    /// Asks.
    pub(super) fn send_probe(&mut self) {
        let Some(probe) = &self.config.probe else { return };
        let id = self.rng.uuid();
        let Ok(message) = session_question(id.as_str(), self.now.wall, &probe.resource).encode() else {
            // A resource that no message can carry is no question: the next one is as good.
            return self.session.proven(self.now.mono);
        };
        self.session.question = Some(id.as_str().into());
        self.session.stage = Stage::Asked;
        self.enqueue_own(message);
    }

    /// Nobody answers, although the question was read.
    pub(super) fn no_session(&mut self) {
        self.habits.unanswered();
        self.suspect(Suspicion::NoSession);
        self.link_lost(LinkEnd::NoSession);
    }

    /// Takes the answer to a question of the hub's own; it goes no further.
    pub(super) fn takes_probe_answer(&mut self, message: &Message) -> bool {
        if self.planted.is(Canary::ProbeAnswerRouted) || !self.session.is_answered_by(message.parent_msg_id())
        {
            return false;
        }
        self.habits.answered();
        self.account.down.accepted += 1;
        self.account.down.confirmed += 1;
        true
    }
}
