//! Every deadline of the hub, with its reason.

use super::link::LinkState;
use super::{Hub, LinkEnd, Note, SyncOutcome};
use crate::canary::Canary;
use crate::time::Instant;
use serde::{Deserialize, Serialize};

/// What a deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TimerKind {
    /// The driver had its time to open the link.
    OpenTimeout,
    /// The wait before the next attempt is over.
    Backoff,
    /// A shutdown's grace is over.
    ShutdownGrace,
    /// The link was silent for too long.
    LinkLost,
    /// The next keepalive message is due.
    Heartbeat,
    /// The link needs a sign of life.
    Ping,
    /// Written messages need a ping whose pong confirms them.
    Barrier,
    /// The next token of the rate limit is there.
    Throttle,
    /// A queued message's time to live is over.
    MessageExpiry,
    /// A sync request's time is over.
    SyncTimeout,
    /// A ping has been without an answer for so long that it is to be said.
    PeerStall,
    /// A ping has been without an answer for too long.
    PongOverdue,
    /// A module has taken nothing for too long, or too little for the link to be read again.
    ModuleStall,
    /// The next message of a long backlog has its turn.
    Drain,
    /// Nothing has proven for long that the cloud has a session.
    Probe,
    /// The cloud has read the question for the session, and not answered it.
    NoSession,
    /// The preferred endpoint is worth another attempt.
    Return,
    /// A link that is left for a better one has had its time.
    RenewalGrace,
    /// It is to be seen whether the better lane gets through by now.
    BetterLane,
}

/// A point in time and what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Deadline {
    /// When.
    pub at: Instant,
    /// What for.
    pub kind: TimerKind,
}

impl Hub {
    /// When the hub wants its next [`Input::Tick`](super::Input::Tick), and why. Asking changes nothing.
    pub fn next_deadline(&self) -> Option<Deadline> {
        let spins = self.planted.is(Canary::TicksForNothing) && self.state == LinkState::Up;
        let soon = Deadline { at: Instant((self.now.mono.0 / 1_000 + 1) * 1_000), kind: TimerKind::Ping };
        self.deadlines().into_iter().flatten().chain(spins.then_some(soon)).min()
    }

    /// The next deadline of each part of the hub.
    pub(super) fn deadlines(&self) -> [Option<Deadline>; 7] {
        [
            self.state_deadline(),
            self.link_deadline(),
            self.throttle_deadline(),
            self.next_expiry().map(|at| Deadline { at, kind: TimerKind::MessageExpiry }),
            self.sync_keeper.next_deadline().map(|at| Deadline { at, kind: TimerKind::SyncTimeout }),
            self.modules.slowest().and_then(|(_, since)| self.stall_deadline(since)),
            // A module that takes a message now and then must not keep the link unread either (defects D9, D11).
            self.paused.and_then(|since| self.stall_deadline(since)),
        ]
    }

    fn state_deadline(&self) -> Option<Deadline> {
        let kind = match self.state {
            LinkState::Opening => TimerKind::OpenTimeout,
            LinkState::Waiting => TimerKind::Backoff,
            LinkState::Draining if self.planted.is(Canary::GraceForgotten) => return None,
            LinkState::Draining => TimerKind::ShutdownGrace,
            LinkState::Renewing if self.planted.is(Canary::RenewalEndless) => return None,
            LinkState::Renewing => TimerKind::RenewalGrace,
            LinkState::Up | LinkState::Stopped => return None,
        };
        self.state_ends.map(|at| Deadline { at, kind })
    }

    fn link_deadline(&self) -> Option<Deadline> {
        if !self.state.is_open() {
            return None;
        }
        // While reading is paused, nobody can hear the peer: silence proves nothing.
        let unread = self.paused.is_some() && !self.planted.is(Canary::PausedCalledSilent);
        let unread = unread || self.planted.is(Canary::SilenceUnnoticed);
        let lost = if unread { None } else { self.keepalive.lost_at(&self.config) };
        let lost = match lost {
            Some(at) if self.planted.is(Canary::SilenceLate) => Some(at + self.config.ping_interval),
            Some(at) if self.planted.is(Canary::SilenceEarly) => Some(at - self.config.ping_interval),
            lost => lost,
        };
        let pings = !self.planted.is(Canary::PingMissing);
        let barrier = self.flight.ping_due().filter(|_| !self.planted.is(Canary::BarrierMissing));
        [
            lost.map(|at| Deadline { at, kind: TimerKind::LinkLost }),
            Some(Deadline { at: self.keepalive.heartbeat_at(), kind: TimerKind::Heartbeat }),
            pings.then(|| Deadline { at: self.keepalive.ping_at(), kind: TimerKind::Ping }),
            barrier.map(|at| Deadline { at, kind: TimerKind::Barrier }),
            self.pong_deadline().filter(|_| !unread),
            self.probe_deadline(),
            self.return_deadline(),
            self.lane_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// A peer that takes what we write and does not answer it is not taken for gone so soon: it may be busy.
    fn pong_deadline(&self) -> Option<Deadline> {
        let since = self.flight.unanswered_since()?;
        let (length, kind) = match self.peer_stalled {
            false => (self.config.silence_limit(), TimerKind::PeerStall),
            true if self.planted.is(Canary::PongLimitIgnored) => return None,
            true => (self.config.pong_limit, TimerKind::PongOverdue),
        };
        Some(Deadline { at: since + length, kind })
    }

    fn throttle_deadline(&self) -> Option<Deadline> {
        // With free windows, whatever waits waits for the rate limit, or for the journal.
        let free = self.state.takes_messages() && self.window_open() && self.flight.has_room(self.planted);
        let next = if free { self.outbox.next(|_| true) } else { None };
        let held = next.filter(|&class| !self.outbox.is_next_away(class))?;
        let throttled = Deadline { at: self.throttle.next_token(), kind: TimerKind::Throttle };
        let turn = self.next_turn(held).filter(|&turn| turn > throttled.at);
        Some(turn.map_or(throttled, |at| Deadline { at, kind: TimerKind::Drain }))
    }

    fn next_expiry(&self) -> Option<Instant> {
        // What a stop has left to the journal has no time to live here.
        if self.state == LinkState::Stopped { None } else { self.outbox.next_expiry() }
    }

    fn stall_deadline(&self, since: Instant) -> Option<Deadline> {
        let deadline = Deadline { at: since + self.config.stall_limit, kind: TimerKind::ModuleStall };
        (!self.planted.is(Canary::StallMissing)).then_some(deadline)
    }

    /// Settles every deadline that has come, each obligation once however late it is.
    pub(super) fn settle_timers(&mut self) {
        while let Some(Deadline { at, kind }) = self.next_deadline()
            && at <= self.now.mono
        {
            match kind {
                TimerKind::OpenTimeout => self.open_failed(LinkEnd::OpenTimeout),
                TimerKind::Backoff => self.open(),
                TimerKind::ShutdownGrace => self.stop(),
                TimerKind::LinkLost => self.link_lost(LinkEnd::Silent),
                TimerKind::PeerStall => {
                    self.peer_stalled = true;
                    self.note(Note::PeerStalled { epoch: self.epoch });
                }
                TimerKind::PongOverdue => self.link_lost(LinkEnd::Stalled),
                TimerKind::Heartbeat => self.send_keepalive(),
                TimerKind::Ping | TimerKind::Barrier => self.ping(),
                TimerKind::Throttle | TimerKind::Drain => self.write_ready(),
                TimerKind::MessageExpiry => self.drop_expired(),
                TimerKind::SyncTimeout => {
                    if let Some(waiter) = self.sync_keeper.pop_expired(self.now.mono) {
                        self.sync_ended(waiter, SyncOutcome::Timeout);
                    }
                }
                TimerKind::ModuleStall => self.module_stalled(),
                TimerKind::Probe => self.send_probe(),
                TimerKind::NoSession => self.no_session(),
                TimerKind::Return => self.return_to_preferred(),
                TimerKind::RenewalGrace => self.reopen(),
                TimerKind::BetterLane => self.ask_for_better_lane(),
            }
        }
    }

    /// Declares the slowest module stalled, or the fullest, if the link was not read for too long.
    fn module_stalled(&mut self) {
        let over = |since: Instant| since + self.config.stall_limit <= self.now.mono;
        let slowest = self.modules.slowest().filter(|&(_, since)| over(since)).map(|(module, _)| module);
        let Some(module) = slowest.or_else(|| self.modules.fullest()) else { return self.adjust_reading() };
        self.note(Note::ModuleStalled { module });
        for message in self.modules.stall(module) {
            self.dropped_in_inbox(module, &message, super::DropReason::ModuleStalled);
        }
        self.adjust_reading();
    }
}
