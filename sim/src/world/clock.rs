//! The two clocks of a node, or of the cloud, and how wrong they are.

use crate::chance::{For, Salt};
use edgehub_core::{Instant, Now};
use std::time::Duration;

/// Unix time at the start of every run, in milliseconds.
pub(super) const START_WALL_MS: i64 = 1_700_000_000_000;

const MILLION: i128 = 1_000_000;

/// A timer that fired too early is looked at again after this.
const RELOOK: Duration = Duration::from_millis(1);

/// A wrong reading, for a while.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Swing {
    pub(crate) until: Instant,
    pub(crate) amplitude: Duration,
    pub(crate) period: Duration,
}

impl Swing {
    /// How wrong a reading is in microseconds: from all of the amplitude to nothing and back, once in a period.
    fn wrong(self, now: Instant) -> u64 {
        let period = (self.period.as_micros() as u64).max(2);
        let from_the_middle = (2 * (now.0 % period)).abs_diff(period);
        (self.amplitude.as_micros() * u128::from(from_the_middle) / u128::from(period)) as u64
    }
}

/// How much a clock runs fast, in millionths, and since when.
#[derive(Debug, Clone, Copy)]
struct Drift {
    since: Instant,
    ppm: i64,
}

impl Drift {
    /// By how much it is ahead, in microseconds.
    fn ahead(self, now: Instant) -> i128 {
        i128::from(now.since(self.since).as_micros() as u64) * i128::from(self.ppm) / MILLION
    }
}

/// Both clocks. At `base` the monotonic one showed `shown`; it runs fast by `drift_ppm`.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    whose: u64,
    base: Instant,
    shown: u64,
    drift_ppm: i64,
    pub(crate) wall_skew_ms: i64,
    wall_drift: Option<Drift>,
    pub(crate) wall_wave: Option<Swing>,
    pub(crate) wall_noise: Option<Swing>,
    pub(crate) wave: Option<Swing>,
    pub(crate) noise: Option<Swing>,
    /// The latest time that was read.
    highest: u64,
}

impl Clock {
    /// The clocks of a node, by its number, or of whoever else there is.
    pub(super) fn new(whose: usize) -> Clock {
        Clock {
            whose: whose as u64,
            base: Instant(0),
            shown: 0,
            drift_ppm: 0,
            wall_skew_ms: 0,
            wall_drift: None,
            wall_wave: None,
            wall_noise: None,
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
            let wrong = salt.between(Duration::ZERO, noise.amplitude, For::Clock, [self.whose, now.0, 0]);
            mono = mono.saturating_sub(wrong.as_micros() as u64);
        }
        if let Some(wave) = self.wave.filter(|wave| now < wave.until) {
            mono = mono.saturating_sub(wave.wrong(now));
        }
        self.highest = self.highest.max(mono);
        Now::new(mono, self.wall(salt, now))
    }

    fn wall(&self, salt: Salt, now: Instant) -> i64 {
        let drifted = self.wall_drift.map_or(0, |drift| drift.ahead(now) / 1000) as i64;
        let mut wall = START_WALL_MS + (now.0 / 1000) as i64 + self.wall_skew_ms + drifted;
        if let Some(Swing { until, amplitude, period }) = self.wall_wave
            && now < until
        {
            let (amplitude, period) = (amplitude.as_millis() as i64, period.as_millis().max(2) as i64);
            let phase = (now.0 / 1000) as i64 % period;
            wall += amplitude * (2 * phase - period).abs() / period;
        }
        if let Some(noise) = self.wall_noise.filter(|noise| now < noise.until) {
            let wrong = salt.between(Duration::ZERO, noise.amplitude * 2, For::Clock, [self.whose, now.0, 1]);
            wall += wrong.as_millis() as i64 - noise.amplitude.as_millis() as i64;
        }
        wall
    }

    /// When to look again for a time that the clock ought to show by now, and does not.
    pub(super) fn relook(&self, now: Instant, wanted: Instant) -> Instant {
        let missing = wanted.since(self.held());
        // One that swings comes back to where it was, no sooner than the time passes.
        let swings = self.wave.is_some_and(|wave| now < wave.until);
        now + if swings { RELOOK.max(missing / 4) } else { RELOOK }
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

    pub(crate) fn wall_drift(&mut self, now: Instant, ppm: u64, back: bool) {
        self.keep_wall(now);
        self.wall_drift = Some(Drift { since: now, ppm: if back { -(ppm as i64) } else { ppm as i64 } });
    }

    /// The wall clock runs right, from where it had come.
    fn keep_wall(&mut self, now: Instant) {
        self.wall_skew_ms += self.wall_drift.take().map_or(0, |drift| drift.ahead(now) / 1000) as i64;
    }

    /// From now on both run right, the monotonic one from where it had come.
    pub(super) fn heal(&mut self, now: Instant) {
        self.rebase(now);
        self.keep_wall(now);
        self.shown = self.shown.max(self.highest);
        (self.drift_ppm, self.wave, self.noise) = (0, None, None);
        (self.wall_wave, self.wall_noise) = (None, None);
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

    #[test]
    fn what_swings_comes_back_and_is_right_when_it_is_over() {
        let (amplitude, period) = (Duration::from_secs(2), Duration::from_secs(10));
        let mut clock = Clock::new(0);
        clock.wave = Some(Swing { until: Instant(100_000_000), amplitude, period });
        let mut shown = |second: u64| clock.read(Salt(7), Instant(second * 1_000_000)).mono.0 / 1_000;
        assert_eq!([10, 12, 15, 18, 20].map(&mut shown), [8_000, 10_800, 15_000, 16_800, 18_000]);
        assert_eq!(shown(100), 100_000);
    }

    /// Both fast, by another rate, then healed: the wall clock stays where it had come, and goes on as time does.
    #[test]
    fn the_wall_clock_drifts_by_itself() {
        let mut clock = Clock::new(0);
        clock.wall_drift(Instant(0), 1_000, false);
        clock.drift(Instant(0), 500, false);
        let shown = |clock: &mut Clock, second: u64| {
            let now = clock.read(Salt(7), Instant(second * 1_000_000));
            (now.mono.0 / 1_000, now.wall.0 - START_WALL_MS)
        };
        assert_eq!(shown(&mut clock, 100), (100_050, 100_100));
        clock.wall_drift(Instant(100_000_000), 1_000, true);
        assert_eq!(shown(&mut clock, 200), (200_100, 200_000));
        clock.heal(Instant(200_000_000));
        assert_eq!(shown(&mut clock, 300), (300_100, 300_000));
    }

    #[test]
    fn a_wall_clock_that_trembles_does_so_both_ways() {
        let (amplitude, period) = (Duration::from_secs(1), Duration::from_secs(1));
        let mut clock = Clock::new(0);
        clock.wall_noise = Some(Swing { until: Instant(u64::MAX), amplitude, period });
        let wrong = (0..200).map(|second| {
            let now = Instant(second * 1_000_000);
            clock.read(Salt(7), now).wall.0 - START_WALL_MS - (now.0 / 1_000) as i64
        });
        let wrong: Vec<i64> = wrong.collect();
        assert!(wrong.iter().all(|wrong| wrong.abs() <= 1_000), "{wrong:?}");
        assert!(
            wrong.iter().any(|wrong| *wrong < -500) && wrong.iter().any(|wrong| *wrong > 500),
            "{wrong:?}"
        );
    }
}
