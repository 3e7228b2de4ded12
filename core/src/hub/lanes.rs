//! Which of two lanes is dialled, where both may lead to the cloud: the better one, unless it does not get through.
//!
//! ```text
//!   dial an endpoint:   QUIC ──failed──▶ WebSocket ──failed──▶ that endpoint has failed
//!                         │                  │
//!                       opened             opened: QUIC is blocked; for a while, twice as long each time, it comes second
//! ```
//!
//! Only what became of dials of one endpoint counts: a lane that did not open where the other one then did is blocked. When neither opens,
//! nothing is learnt of either. A link over QUIC that fell silent before it held is a failure of the lane, too: there are paths that let a
//! handshake pass and nothing else.
//!
//! A link over the WebSocket may live for months. When QUIC's time comes meanwhile, it is seen, beside the link, whether it gets
//! through; only if it does, the link is left, as for another certificate: with nothing lost and nothing sent twice.

use super::timers::{Deadline, TimerKind};
use super::{Hub, LinkEnd, LinkState, Note, Output};
use crate::canary::{Canary, Planted};
use crate::config::{Lane, LaneChoice, Lanes as Config};
use crate::limits::{BACKOFF_FLOOR, LANE_RETRY_MAX};
use crate::rng::Rng;
use crate::time::Instant;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// What is known of both.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Lanes {
    /// The lane of the present dial or link.
    present: Lane,
    /// What did not open at the present endpoint, while the other lane may.
    failed: Option<Lane>,
    /// Until when QUIC is blocked, and for how long it was said to be.
    blocked: Option<(Instant, Duration)>,
    /// When it is to be seen whether QUIC gets through, beside the present link.
    ask_at: Option<Instant>,
    /// That was asked, and not yet answered.
    asked: bool,
}

impl Lanes {
    /// What was known is of another configuration.
    pub(super) fn forget(&mut self) {
        (self.failed, self.blocked, self.ask_at, self.asked) = (None, None, None, false);
    }

    /// Other endpoints have come: what failed at the present one says nothing of them.
    pub(super) fn elsewhere(&mut self) {
        self.failed = None;
    }

    /// The lane to dial now.
    pub(super) fn dials(&mut self, now: Instant, config: &Config, planted: Planted) -> Lane {
        let blocked = self.blocked.is_some_and(|(until, _)| now < until);
        (self.ask_at, self.asked) = (None, false);
        self.present = match (config.choice, self.failed) {
            (LaneChoice::WebSocket, _) => Lane::WebSocket,
            (LaneChoice::Quic, _) if planted.is(Canary::LaneNotAsked) => Lane::WebSocket,
            (LaneChoice::Quic, _) => Lane::Quic,
            (LaneChoice::Auto, Some(Lane::Quic)) if planted.is(Canary::LaneStuck) => Lane::Quic,
            (LaneChoice::Auto, Some(Lane::Quic)) => Lane::WebSocket,
            (LaneChoice::Auto, Some(Lane::WebSocket)) => Lane::Quic,
            (LaneChoice::Auto, None) if blocked => Lane::WebSocket,
            (LaneChoice::Auto, None) => Lane::Quic,
        };
        self.present
    }

    /// How long the present dial may take, of the time that any may.
    pub(super) fn open_timeout(&self, longest: Duration, config: &Config) -> Duration {
        match (config.choice, self.present) {
            // The other lane waits for its turn.
            (LaneChoice::Auto, Lane::Quic) => longest.min(config.trial),
            _ => longest,
        }
    }

    /// The present lane has opened.
    pub(super) fn opened(&mut self, now: Instant, config: &Config, planted: Planted) {
        match (self.present, self.failed.take()) {
            // Whether it holds is not known yet: there are paths on which it does not.
            (Lane::Quic, _) => self.blocked = self.blocked.map(|(until, length)| (until.min(now), length)),
            (Lane::WebSocket, Some(Lane::Quic)) if !planted.is(Canary::LaneForgotten) => {
                self.block(now, config, planted);
            }
            (Lane::WebSocket, _) => {}
        }
    }

    /// QUIC comes second from now on, for twice as long as the last time.
    fn block(&mut self, now: Instant, config: &Config, planted: Planted) {
        let twice = self.blocked.map(|(_, length)| length.saturating_mul(2));
        let length = twice.unwrap_or(config.retry_after).min(LANE_RETRY_MAX.max(config.retry_after));
        let for_ever = if planted.is(Canary::LaneNeverRetried) { u32::MAX } else { 1 };
        self.blocked = Some((now + length.saturating_mul(for_ever), length));
    }

    /// A link is up: when is QUIC to be asked for, if this is the worse lane? Many nodes may have lost it in the same moment. A
    /// question waits until the time of the one before it is over.
    pub(super) fn up(&mut self, now: Instant, config: &Config, rng: &mut Rng) {
        let worse = config.choice == LaneChoice::Auto && self.present == Lane::WebSocket;
        self.ask_at = self.blocked.filter(|_| worse).map(|(until, length)| {
            let spread = rng.between(Duration::ZERO, length / 4);
            (until + spread).max(now + config.trial.max(BACKOFF_FLOOR))
        });
    }

    /// QUIC is asked for. Until it answers it is as blocked as before, and for longer.
    fn asks(&mut self, now: Instant, config: &Config, rng: &mut Rng, planted: Planted) {
        self.block(now, config, planted);
        self.up(now, config, rng);
        self.asked = true;
    }

    /// It answers. Returns whether it was asked.
    fn reached(&mut self, now: Instant) -> bool {
        let asked = core::mem::take(&mut self.asked);
        if asked {
            self.ask_at = None;
            self.blocked = self.blocked.map(|(_, length)| (now, length));
        }
        asked
    }

    /// A dial failed, or a link has ended that lived so long, where `held` is long enough. Returns whether the same endpoint is to be dialled over the other lane.
    fn ended(&mut self, end: LinkEnd, lived: Option<Duration>, held: Duration, config: &Config) -> bool {
        let failed = match (lived, self.present) {
            (None, _) => true,
            (Some(lived), Lane::Quic) if lived >= held => {
                self.blocked = None;
                false
            }
            (Some(_), Lane::Quic) => end == LinkEnd::Silent,
            (Some(_), Lane::WebSocket) => false,
        };
        let second = self.failed.take().is_some();
        let other = failed && !second && config.choice == LaneChoice::Auto;
        self.failed = other.then_some(self.present);
        other
    }
}

impl Hub {
    /// When it is to be seen whether the better lane gets through.
    pub(super) fn lane_deadline(&self) -> Option<Deadline> {
        let at = self.lanes.ask_at.filter(|_| self.state == LinkState::Up)?;
        (!self.planted.is(Canary::BetterLaneUnasked)).then_some(Deadline { at, kind: TimerKind::BetterLane })
    }

    pub(super) fn ask_for_better_lane(&mut self) {
        let lanes = &self.config.lanes;
        self.lanes.asks(self.now.mono, lanes, &mut self.rng, self.planted);
        let (epoch, endpoint, within) = (self.epoch, self.selection.present(), lanes.trial);
        self.outputs.push_back(Output::Reach { epoch, endpoint, lane: Lane::Quic, within });
    }

    /// The better lane gets through: the link is left for it, unless it is being left anyway.
    pub(super) fn better_lane_reached(&mut self) {
        if !self.lanes.reached(self.now.mono) {
            return self.note(Note::UnexpectedLinkEvent { epoch: self.epoch });
        }
        if !self.planted.is(Canary::BetterLaneIgnored) {
            self.note(Note::BetterLane { epoch: self.epoch });
            self.leave();
        }
    }

    /// A dial failed, or a link has ended. Returns the wait before the same endpoint is dialled over the other lane, if it is.
    pub(super) fn other_lane(&mut self, end: LinkEnd, lived: Option<Duration>) -> Option<Duration> {
        // The silence itself was no time in which the link held.
        let held = self.config.stable_after.saturating_add(self.config.silence_limit());
        // What became of an endpoint that is in no list any more says nothing of those that are.
        let here = !self.selection.is_elsewhere();
        (here && self.lanes.ended(end, lived, held, &self.config.lanes)).then(|| self.soon())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    const HELD: Duration = Duration::from_secs(50);

    const AUTO: Config = Config {
        choice: LaneChoice::Auto,
        trial: Duration::from_secs(5),
        retry_after: Duration::from_secs(600),
    };

    /// Dials once, with the lanes that get through; returns the lane, whether it opened, and whether the other is to follow.
    fn dial(lanes: &mut Lanes, now: Instant, quic: bool, websocket: bool) -> (Lane, bool, bool) {
        let lane = lanes.dials(now, &AUTO, Planted::default());
        if if lane == Lane::Quic { quic } else { websocket } {
            lanes.opened(now, &AUTO, Planted::default());
            // A link that holds.
            lanes.ended(LinkEnd::Closed, Some(HELD), HELD, &AUTO);
            return (lane, true, false);
        }
        (lane, false, lanes.ended(LinkEnd::OpenFailed, None, HELD, &AUTO))
    }

    /// The lanes of one round.
    fn round(lanes: &mut Lanes, now: Instant, quic: bool, websocket: bool) -> Vec<Lane> {
        let mut tried = Vec::new();
        loop {
            let (lane, _, more) = dial(lanes, now, quic, websocket);
            tried.push(lane);
            if !more {
                return tried;
            }
        }
    }

    #[test]
    fn a_blocked_lane_comes_second_for_longer_each_time() {
        use Lane::{Quic, WebSocket};
        let (mut lanes, mut now, mut length) = (Lanes::default(), Instant(1), AUTO.retry_after);
        for _ in 0..12 {
            assert_eq!(round(&mut lanes, now, false, true), [Quic, WebSocket]);
            let last = now + length - Duration::from_micros(1);
            assert_eq!(round(&mut lanes, last, true, true), [WebSocket], "until the last moment");
            now = now + length;
            length = (length * 2).min(LANE_RETRY_MAX);
        }
        assert_eq!(length, LANE_RETRY_MAX);
        assert_eq!(round(&mut lanes, now, true, true), [Quic]);
        assert_eq!(
            round(&mut lanes, now, false, true),
            [Quic, WebSocket],
            "it worked: nothing was held against it"
        );
        assert_eq!(round(&mut lanes, now + AUTO.retry_after, true, true), [Quic], "from the start again");
    }

    #[test]
    fn an_outage_teaches_nothing() {
        use Lane::{Quic, WebSocket};
        let (mut lanes, now) = (Lanes::default(), Instant(1));
        assert_eq!(round(&mut lanes, now, false, false), [Quic, WebSocket]);
        assert_eq!(round(&mut lanes, now, true, true), [Quic], "not blocked by that");
        round(&mut lanes, now, false, true);
        assert_eq!(round(&mut lanes, now, false, false), [WebSocket, Quic]);
        assert_eq!(round(&mut lanes, now, true, true), [WebSocket], "nor unblocked");
        assert_eq!(round(&mut lanes, now, true, false), [WebSocket, Quic]);
        assert_eq!(round(&mut lanes, now, true, true), [Quic], "it worked");
    }

    /// A path that lets a handshake pass, and nothing else.
    #[test]
    fn a_link_that_falls_silent_is_a_failure_of_quic() {
        let (now, moment) = (Instant(1), Duration::from_micros(1));
        let check = |end, lived, next| {
            let mut lanes = Lanes::default();
            dial(&mut lanes, now, true, true);
            assert_eq!(lanes.ended(end, Some(lived), HELD, &AUTO), next == Lane::WebSocket);
            assert_eq!(lanes.dials(now, &AUTO, Planted::default()), next, "{end:?} {lived:?}");
        };
        check(LinkEnd::Silent, HELD - moment, Lane::WebSocket);
        check(LinkEnd::Silent, HELD, Lane::Quic);
        check(LinkEnd::Closed, moment, Lane::Quic);
        // A handshake alone does not make up for it: it is left alone for longer each time.
        let mut lanes = Lanes::default();
        for length in [AUTO.retry_after, AUTO.retry_after * 2, AUTO.retry_after * 4] {
            assert_eq!(lanes.dials(now, &AUTO, Planted::default()), Lane::Quic);
            lanes.opened(now, &AUTO, Planted::default());
            assert!(lanes.ended(LinkEnd::Silent, Some(moment), HELD, &AUTO));
            assert_eq!(lanes.dials(now, &AUTO, Planted::default()), Lane::WebSocket);
            lanes.opened(now, &AUTO, Planted::default());
            assert_eq!(lanes.blocked, Some((now + length, length)));
            lanes.asked = true;
            assert!(lanes.reached(now));
        }
        dial(&mut lanes, now, false, true);
        dial(&mut lanes, now, false, true);
        assert!(
            !lanes.ended(LinkEnd::Silent, Some(moment), HELD, &AUTO),
            "not of the WebSocket, which nothing is better than"
        );
    }

    #[test]
    fn one_lane_never_tries_the_other() {
        for (choice, lane) in [(LaneChoice::Quic, Lane::Quic), (LaneChoice::WebSocket, Lane::WebSocket)] {
            let (config, mut lanes) = (Config { choice, ..AUTO }, Lanes::default());
            for _ in 0..3 {
                assert_eq!(lanes.dials(Instant(1), &config, Planted::default()), lane);
                assert_eq!(lanes.open_timeout(Duration::from_secs(30), &config), Duration::from_secs(30));
                assert!(!lanes.ended(LinkEnd::OpenFailed, None, HELD, &config));
            }
        }
    }

    proptest! {
        /// Whatever was before: as long as one lane gets through, one round finds it.
        #[test]
        fn a_round_finds_a_way(
            before in prop::collection::vec((any::<bool>(), any::<bool>(), 0_u64..100_000_000_000), 0..20),
            quic in any::<bool>(), websocket in any::<bool>(),
        ) {
            let (mut lanes, mut now) = (Lanes::default(), Instant(1));
            for (quic, websocket, pause) in before {
                dial(&mut lanes, now, quic, websocket);
                now = now + Duration::from_micros(pause);
            }
            // A round that has begun may end with the first one.
            let tried = [(); 3].map(|()| dial(&mut lanes, now, quic, websocket));
            prop_assert_eq!(tried.into_iter().any(|(_, opened, _)| opened), quic || websocket, "{:?}", tried);
        }
    }
}
