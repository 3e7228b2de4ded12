//! Which of two lanes to dial, when both may lead to the cloud: the better one, unless it does not get through.
//!
//! Only what becomes of dials counts. A lane that did not open, while the other one then did, is blocked: it is left alone for
//! a while, twice as long each time it is tried in vain. When neither opens, nothing is known of either, and they take turns.
//! A choice is made when a link is to be dialled anyway: no live link is given up for a better lane.

use crate::limits::{LANE_RETRY, LANE_RETRY_MAX};
use crate::time::Instant;
use core::time::Duration;

/// One of two lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The one that is tried first.
    Better,
    /// The one that gets through where the other may not.
    Safe,
}

/// What is known of both.
#[derive(Debug, Clone, Default)]
pub struct LaneChoice {
    /// The better lane did not open, and nothing has opened since.
    failed: bool,
    /// Until when the better lane is blocked, and for how long it was said to be.
    blocked: Option<(Instant, Duration)>,
}

impl LaneChoice {
    /// The lane to dial now.
    pub fn next(&self, now: Instant) -> Choice {
        let blocked = self.blocked.is_some_and(|(until, _)| now < until);
        if self.failed || blocked { Choice::Safe } else { Choice::Better }
    }

    /// A lane has opened.
    pub fn opened(&mut self, choice: Choice, now: Instant) {
        match choice {
            Choice::Better => self.blocked = None,
            Choice::Safe if self.failed => {
                let before = self.blocked.map(|(_, length)| length.saturating_mul(2));
                let length = before.unwrap_or(LANE_RETRY).min(LANE_RETRY_MAX);
                self.blocked = Some((now + length, length));
            }
            Choice::Safe => {}
        }
        self.failed = false;
    }

    /// A lane did not open.
    pub fn failed(&mut self, choice: Choice) {
        self.failed = choice == Choice::Better;
        if choice == Choice::Safe {
            // What was known of the network is old: it may be another one.
            self.blocked = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: Instant = Instant(1);

    /// Dials once, with the lanes that get through; returns the lane that was tried.
    fn dial(lanes: &mut LaneChoice, now: Instant, better: bool, safe: bool) -> Choice {
        let choice = lanes.next(now);
        match if choice == Choice::Better { better } else { safe } {
            true => lanes.opened(choice, now),
            false => lanes.failed(choice),
        }
        choice
    }

    #[test]
    fn a_blocked_lane_is_left_alone_for_longer_each_time() {
        let mut lanes = LaneChoice::default();
        let mut now = START;
        let mut length = LANE_RETRY;
        for _ in 0..12 {
            assert_eq!(dial(&mut lanes, now, false, true), Choice::Better);
            assert_eq!(dial(&mut lanes, now, false, true), Choice::Safe);
            let last = now + length - Duration::from_micros(1);
            assert_eq!(lanes.next(last), Choice::Safe, "until the last moment");
            now = now + length;
            length = (length * 2).min(LANE_RETRY_MAX);
        }
        assert_eq!(length, LANE_RETRY_MAX);
        assert_eq!(dial(&mut lanes, now, true, true), Choice::Better);
        assert_eq!(
            dial(&mut lanes, now, false, true),
            Choice::Better,
            "it worked: nothing is held against it"
        );
        assert_eq!(dial(&mut lanes, now, true, true), Choice::Safe);
        assert_eq!(lanes.next(now + LANE_RETRY), Choice::Better, "from the start again");
    }

    #[test]
    fn without_any_way_they_take_turns() {
        let mut lanes = LaneChoice::default();
        let tried = [(); 6].map(|()| dial(&mut lanes, START, false, false));
        assert_eq!(tried, [Choice::Better, Choice::Safe].repeat(3)[..]);
    }

    #[test]
    fn another_network_may_let_the_better_lane_through() {
        let mut lanes = LaneChoice::default();
        dial(&mut lanes, START, false, true);
        dial(&mut lanes, START, false, true);
        assert_eq!(dial(&mut lanes, START, true, false), Choice::Safe);
        assert_eq!(dial(&mut lanes, START, true, false), Choice::Better);
    }

    proptest! {
        /// Whatever was before: as long as one lane gets through, at most two dials find it.
        #[test]
        fn two_dials_find_a_way(
            before in prop::collection::vec((any::<bool>(), any::<bool>(), 0_u64..100_000_000_000), 0..20),
            better in any::<bool>(), safe in any::<bool>(),
        ) {
            let mut lanes = LaneChoice::default();
            let mut now = START;
            for (better, safe, pause) in before {
                dial(&mut lanes, now, better, safe);
                now = now + Duration::from_micros(pause);
            }
            let through = |choice| if choice == Choice::Better { better } else { safe };
            let tried = [(); 2].map(|()| dial(&mut lanes, now, better, safe));
            prop_assert_eq!(tried.into_iter().any(through), better || safe, "{:?}", tried);
        }
    }
}
