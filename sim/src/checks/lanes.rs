//! What a hub must know of its lanes, told by what it did: which one it must dial next.

use edgehub_core::Instant;
use edgehub_core::config::{Lane, LaneChoice, Lanes as Config};
use edgehub_core::hub::LinkEnd;
use edgehub_core::limits::{BACKOFF_FLOOR, LANE_RETRY_MAX};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Lanes {
    config: Config,
    /// A link that was silent after less had not held.
    held: Duration,
    present: Lane,
    /// The lane that failed at the present endpoint.
    failed: Option<Lane>,
    /// QUIC comes second until then.
    second_until: Instant,
    /// For how long it was said to, last.
    length: Option<Duration>,
    /// When the present link came up.
    up: Option<Instant>,
    /// It was asked whether QUIC gets through.
    asked: bool,
    /// What is known of the lanes may be otherwise: an end may have been judged by either of two configurations.
    unsure: bool,
}

impl Lanes {
    pub(super) fn new(config: &edgehub_core::Config) -> Lanes {
        Lanes {
            config: config.lanes.clone(),
            held: config.stable_after + config.silence_limit(),
            present: Lane::WebSocket,
            failed: None,
            second_until: Instant(0),
            length: None,
            up: None,
            asked: false,
            unsure: false,
        }
    }

    /// A lane is dialled. Returns whether it may be.
    pub(super) fn opens(&mut self, now: Instant, lane: Lane) -> bool {
        (self.present, self.asked) = (lane, false);
        match self.config.choice {
            LaneChoice::WebSocket => lane == Lane::WebSocket,
            LaneChoice::Quic => lane == Lane::Quic,
            LaneChoice::Auto if self.unsure => true,
            LaneChoice::Auto => match self.failed {
                Some(failed) => lane != failed,
                None => (lane == Lane::Quic) == (now >= self.second_until),
            },
        }
    }

    /// The dial has opened.
    pub(super) fn opened(&mut self, now: Instant) {
        let instead = self.failed.take() == Some(Lane::Quic);
        match self.present {
            Lane::Quic => self.second_until = Instant(0),
            Lane::WebSocket if instead => self.comes_second(now),
            Lane::WebSocket => {}
        }
        self.up = Some(now);
    }

    /// QUIC comes second from now on.
    fn comes_second(&mut self, now: Instant) {
        let first = self.config.retry_after;
        let length = self.length.map_or(first, |before| before * 2).min(LANE_RETRY_MAX.max(first));
        (self.second_until, self.length) = (now + length, Some(length));
    }

    /// It is seen whether QUIC gets through, beside a link. Returns whether that may be.
    pub(super) fn asks(&mut self, now: Instant) -> bool {
        let worse = self.config.choice == LaneChoice::Auto && self.present == Lane::WebSocket;
        let may = worse && self.up.is_some() && self.length.is_some() && now >= self.second_until;
        self.comes_second(now);
        self.asked = true;
        may || self.unsure
    }

    /// It does. Nobody listens who has not asked.
    pub(super) fn reached(&mut self) {
        if std::mem::take(&mut self.asked) {
            (self.second_until, self.up) = (Instant(0), None);
        }
    }

    /// The link is over.
    pub(super) fn down(&mut self) {
        self.up = None;
    }

    /// When that must have been seen, at the latest.
    pub(super) fn asked_by(&self) -> Option<Instant> {
        let worse = self.config.choice == LaneChoice::Auto && self.present == Lane::WebSocket;
        let up = self.up.filter(|_| worse && !self.unsure)?;
        let last = self.config.trial.max(BACKOFF_FLOOR);
        Some(up.max(self.second_until + self.length? / 4) + last)
    }

    /// It cannot be told by which rules an end was judged.
    pub(super) fn may_have_failed(&mut self) {
        self.unsure = true;
    }

    /// A dial has failed, or a link ended that lived so long. Returns whether the other lane has to follow, if that is known.
    pub(super) fn ended(&mut self, end: LinkEnd, lived: Option<Duration>) -> Option<bool> {
        if self.present == Lane::Quic && lived.is_some_and(|lived| lived >= self.held) {
            (self.length, self.unsure) = (None, false);
        }
        let silent = self.present == Lane::Quic && end == LinkEnd::Silent;
        let counts = lived.is_none_or(|lived| silent && lived < self.held);
        let first = self.failed.take().is_none();
        let follows = self.config.choice == LaneChoice::Auto && counts && first;
        self.failed = follows.then_some(self.present);
        // No lane has failed before a link.
        let sure = !self.unsure || lived.is_some() || self.config.choice != LaneChoice::Auto;
        sure.then_some(follows)
    }

    /// What was tried was elsewhere.
    pub(super) fn elsewhere(&mut self) {
        self.failed = None;
    }

    /// Another configuration counts from now on; `elsewhere`: so do other endpoints.
    pub(super) fn reconfigure(&mut self, config: &edgehub_core::Config, elsewhere: bool) {
        if config.lanes != self.config {
            (self.second_until, self.length, self.unsure) = (Instant(0), None, false);
            self.asked = false;
        }
        if config.lanes != self.config || elsewhere {
            self.failed = None;
        }
        self.config = config.lanes.clone();
        self.held = config.stable_after + config.silence_limit();
    }
}
