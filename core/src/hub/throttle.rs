//! The rate limit on modules' messages: a token bucket that counts in millionths of a token.
//!
//! Whole numbers keep it exact: however the time is cut into pieces, the same messages pass.

use crate::canary::{Canary, Planted};
use crate::config::Rate;
use crate::time::Instant;
use core::time::Duration;
use serde::{Deserialize, Serialize};

const TOKEN: u64 = 1_000_000;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Throttle {
    rate: Option<Rate>,
    level: u64,
    at: Instant,
    planted: Planted,
}

impl Throttle {
    /// A full bucket; without a rate everything passes.
    pub(super) fn new(rate: Option<Rate>, now: Instant) -> Throttle {
        Throttle {
            rate,
            level: rate.map_or(0, |rate| u64::from(rate.burst) * TOKEN),
            at: now,
            planted: Planted::default(),
        }
    }

    #[cfg(feature = "canaries")]
    pub(super) fn plant(&mut self, planted: Planted) {
        self.planted = planted;
    }

    fn per_second(&self, rate: Rate) -> u64 {
        let rate = u64::from(rate.per_second);
        if self.planted.is(Canary::RefillHalved) { (rate / 2).max(1) } else { rate }
    }

    fn level_at(&self, rate: Rate, now: Instant) -> u64 {
        let refill = (now.0.saturating_sub(self.at.0)).saturating_mul(self.per_second(rate));
        self.level.saturating_add(refill).min(u64::from(rate.burst) * TOKEN)
    }

    /// Whether there is a token.
    pub(super) fn has_token(&self, now: Instant) -> bool {
        self.rate.is_none_or(|rate| self.level_at(rate, now) >= TOKEN)
    }

    /// Takes a token if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let Some(rate) = self.rate else { return true };
        let level = self.level_at(rate, now);
        if level < TOKEN {
            return false;
        }
        self.level = level - TOKEN;
        self.at = now;
        true
    }

    /// When the next token is there.
    pub(super) fn next_token(&self) -> Instant {
        let Some(rate) = self.rate else { return self.at };
        let missing = TOKEN.saturating_sub(self.level);
        self.at + Duration::from_micros(missing.div_ceil(self.per_second(rate)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_is_there_at_the_promised_moment_and_not_before() {
        let mut throttle = Throttle::new(Some(Rate { per_second: 3, burst: 2 }), Instant(0));
        assert!(throttle.take(Instant(0)) && throttle.take(Instant(0)) && !throttle.take(Instant(0)));
        let due = throttle.next_token();
        assert_eq!(due, Instant(333_334));
        assert!(!throttle.take(due - Duration::from_micros(1)));
        assert!(throttle.take(due));
    }

    proptest! {
        /// In any window of length t at most burst + rate × t messages pass.
        #[test]
        fn no_window_holds_more(rate in 1u32..1000, burst in 1u32..50, gaps in prop::collection::vec(0u64..20_000, 1..300)) {
            let mut throttle = Throttle::new(Some(Rate { per_second: rate, burst }), Instant(0));
            let (mut now, mut passed) = (0, std::vec::Vec::new());
            for gap in gaps {
                now += gap;
                if throttle.take(Instant(now)) { passed.push(now); }
            }
            for (first, start) in passed.iter().enumerate() {
                for (last, end) in passed.iter().enumerate().skip(first) {
                    let allowed = u64::from(burst) + (end - start) * u64::from(rate) / 1_000_000 + 1;
                    prop_assert!((last - first + 1) as u64 <= allowed);
                }
            }
        }
    }
}
