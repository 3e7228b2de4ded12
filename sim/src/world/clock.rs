//! A node's two clocks, and how wrong they are.

use crate::chance::{For, Salt};
use edgehub_core::{Instant, Now};
use std::time::Duration;

/// Unix time at the start of every run, in milliseconds.
pub(super) const START_WALL_MS: i64 = 1_700_000_000_000;

const MILLION: i128 = 1_000_000;

/// A wrong reading, for a while.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Swing {
    pub(crate) until: Instant,
    pub(crate) amplitude: Duration,
    pub(crate) period: Duration,
}

/// Both clocks of one node. At `base` the monotonic one showed `shown`; it runs fast by `drift_ppm`.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    node: u64,
    base: Instant,
    shown: u64,
    drift_ppm: i64,
    pub(crate) wall_skew_ms: i64,
    pub(crate) wave: Option<Swing>,
    pub(crate) noise: Option<Swing>,
    /// The latest time that was read.
    highest: u64,
}

impl Clock {
    pub(super) fn new(node: usize) -> Clock {
        Clock {
            node: node as u64,
            base: Instant(0),
            shown: 0,
            drift_ppm: 0,
            wall_skew_ms: 0,
            wave: None,
            noise: None,
            highest: 0,
        }
    }

    fn exact(&self, now: Instant) -> u64 {
        let passed = i128::from(now.0.saturating_sub(self.base.0));
        let shown = i128::from(self.shown) + passed * (MILLION + i128::from(self.drift_ppm)) / MILLION;
        u64::try_from(shown).unwrap_or_default()
    }

    /// Reads both.
    pub(super) fn read(&mut self, salt: Salt, now: Instant) -> Now {
        let mut mono = self.exact(now);
        if let Some(noise) = self.noise.filter(|noise| now < noise.until) {
            let wrong = salt.between(Duration::ZERO, noise.amplitude, For::Clock, [self.node, now.0, 0]);
            mono = mono.saturating_sub(wrong.as_micros() as u64);
        }
        self.highest = self.highest.max(mono);
        let mut wall = START_WALL_MS + (now.0 / 1000) as i64 + self.wall_skew_ms;
        if let Some(Swing { until, amplitude, period }) = self.wave
            && now < until
        {
            let (amplitude, period) = (amplitude.as_millis() as i64, period.as_millis().max(2) as i64);
            let phase = (now.0 / 1000) as i64 % period;
            wall += amplitude * (2 * phase - period).abs() / period;
        }
        Now::new(mono, wall)
    }

    /// Reads both for a process that knows of no earlier reading.
    pub(super) fn read_anew(&mut self, salt: Salt, now: Instant) -> Now {
        self.highest = 0;
        self.read(salt, now)
    }

    /// What the hub takes the time for: it holds a clock that goes back.
    pub(super) fn held(&self) -> Instant {
        Instant(self.highest)
    }

    /// When the clock will show this.
    pub(super) fn shows(&self, at: Instant) -> Instant {
        let missing = i128::from(at.0) - i128::from(self.shown);
        let rate = MILLION + i128::from(self.drift_ppm);
        let passes = (missing.max(0) * MILLION + rate - 1) / rate;
        self.base + Duration::from_micros(u64::try_from(passes).unwrap_or(u64::MAX))
    }

    fn rebase(&mut self, now: Instant) {
        (self.shown, self.base) = (self.exact(now), now);
    }

    pub(crate) fn step(&mut self, now: Instant, by: Duration, back: bool) {
        self.rebase(now);
        let by = by.as_micros() as u64;
        self.shown = if back { self.shown.saturating_sub(by) } else { self.shown.saturating_add(by) };
    }

    pub(crate) fn drift(&mut self, now: Instant, ppm: u64, back: bool) {
        self.rebase(now);
        self.drift_ppm = if back { -(ppm as i64) } else { ppm as i64 };
    }

    /// From now on both run right, the monotonic one from where it had come.
    pub(super) fn heal(&mut self, now: Instant) {
        self.rebase(now);
        self.shown = self.shown.max(self.highest);
        (self.drift_ppm, self.wave, self.noise) = (0, None, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_shows_a_time_when_it_says_so_and_not_before() {
        for (ppm, back) in [(0, false), (100_000, false), (100_000, true), (1, true)] {
            let mut clock = Clock::new(0);
            clock.drift(Instant(1_000), ppm, back);
            for wanted in [1_001, 5_000, 123_456_789] {
                let at = clock.shows(Instant(wanted));
                assert!(clock.exact(at) >= wanted, "{ppm} {back} {wanted}");
                assert!(clock.exact(Instant(at.0 - 1)) < wanted, "{ppm} {back} {wanted}");
            }
        }
    }
}
