//! The pace at which a long backlog leaves after the link has come up.
//!
//! When a cloud comes back, all its nodes do, each with what has gathered meanwhile. So a backlog above a mark begins after
//! a random wait and leaves at a rate of its own. What modules send from then on is not slowed down, but for its place: it
//! stays behind what was accepted before it in its own and in higher classes. Control traffic is exempt, and a shutdown
//! does not wait for any of it.

use super::Hub;
use super::link::LinkState;
use super::throttle::Throttle;
use crate::canary::Canary;
use crate::config::Rate;
use crate::limits::DRAIN_BURST_PER_SECOND;
use crate::time::Instant;
use core::time::Duration;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Pace {
    /// The newest message of the backlog; `None` when nothing is paced.
    up_to: Option<u64>,
    /// Nothing of it leaves before.
    from: Instant,
    throttle: Throttle,
    /// The next link goes on like the last one, if it comes at once: nothing has gathered that an outage would have made.
    goes_on: bool,
}

impl Pace {
    /// Nothing is paced.
    pub(super) fn off() -> Pace {
        Pace { up_to: None, from: Instant(0), throttle: Throttle::new(None, Instant(0)), goes_on: false }
    }

    /// Whether a message of this number may leave as far as the pace is concerned.
    fn allows(&self, number: u64, now: Instant) -> bool {
        self.up_to.is_none_or(|up_to| number > up_to) || (self.from <= now && self.throttle.has_token(now))
    }
}

impl Hub {
    /// The link is up: what waits leaves at its pace, if it is much.
    pub(super) fn begin_drain(&mut self) {
        if core::mem::take(&mut self.pace.goes_on) {
            return;
        }
        self.pace = Pace::off();
        let Some(drain) = self.config.drain else { return };
        if self.outbox.limited_backlog() <= drain.above || self.planted.is(Canary::DrainUnpaced) {
            return;
        }
        let longest = u64::try_from(drain.spread.as_micros()).unwrap_or(u64::MAX);
        let wait = Duration::from_micros(self.rng.below(longest.max(1)));
        let rate =
            Rate { per_second: drain.per_second, burst: (drain.per_second / DRAIN_BURST_PER_SECOND).max(1) };
        let from = self.now.mono + wait;
        let throttle = Throttle::new(Some(rate), from);
        self.pace = Pace { up_to: Some(self.outbox.newest()), from, throttle, goes_on: false };
    }

    /// Whether the next link goes on at the pace of this one, or begins as after an outage.
    pub(super) fn keep_pace(&mut self, goes_on: bool) {
        self.pace.goes_on = goes_on;
    }

    /// The backlog is not slowed down any more.
    pub(super) fn end_drain(&mut self) {
        self.pace = Pace::off();
    }

    /// Whether there is a backlog that leaves at its pace.
    pub(super) fn is_draining_backlog(&self) -> bool {
        matches!(self.state, LinkState::Up | LinkState::Renewing)
            && self.pace.up_to.is_some_and(|up_to| self.outbox.has_limited_before(up_to))
    }

    /// Whether the next message of this class has to wait for its turn in the backlog.
    pub(super) fn waits_for_pace(&self, class: usize) -> bool {
        self.is_paced(class)
            && self.outbox.front_number(class).is_some_and(|number| !self.pace.allows(number, self.now.mono))
    }

    /// The next message of this class leaves: takes its turn, if it needs one.
    pub(super) fn take_turn(&mut self, class: usize) {
        let of_backlog = |number| self.pace.up_to.is_some_and(|up_to| number <= up_to);
        if self.is_paced(class) && self.outbox.front_number(class).is_some_and(of_backlog) {
            self.pace.throttle.take(self.now.mono);
        }
    }

    /// When the next message of this class has its turn in the backlog.
    pub(super) fn next_turn(&self, class: usize) -> Option<Instant> {
        self.waits_for_pace(class).then(|| self.pace.throttle.next_token().max(self.pace.from))
    }

    fn is_paced(&self, class: usize) -> bool {
        self.pace.up_to.is_some()
            && self.state == LinkState::Up
            && (self.planted.is(Canary::DrainHoldsControl)
                || self.outbox.class(class).is_some_and(|class| class.rate_limited))
    }
}
