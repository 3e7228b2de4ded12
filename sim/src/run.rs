//! One seed from start to end, and one seed twice.

use crate::log::{Log, LogKind};
use crate::world::World;
use edgehub_core::Instant;
use std::fmt;
use std::time::Duration;

/// A rule that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The run.
    pub seed: u64,
    /// Its length, faults included, heal phase not.
    pub minutes: u64,
    /// When.
    pub at: Instant,
    /// Which rule, and what was seen instead.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { seed, minutes, at, what } = self;
        let seconds = at.0 as f64 / 1e6;
        writeln!(f, "seed {seed} after {seconds:.6} s: {what}")?;
        write!(f, "reproduce: cargo run --release -p edgehub-sim -- run --seed {seed} --minutes {minutes}")
    }
}

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Report {
    /// Virtual time of all hubs together.
    pub hub_time: Duration,
    /// Events of the world.
    pub events: u64,
    /// Links that came up.
    pub links: u64,
    /// Messages confirmed by the cloud.
    pub confirmed: u64,
    /// Messages that modules received.
    pub delivered: u64,
    /// Sync requests that ended.
    pub requests: u64,
    /// Faults that struck.
    pub faults: u64,
}

impl Report {
    /// Adds another run.
    pub fn add(&mut self, other: &Report) {
        self.hub_time += other.hub_time;
        self.events += other.events;
        self.links += other.links;
        self.confirmed += other.confirmed;
        self.delivered += other.delivered;
        self.requests += other.requests;
        self.faults += other.faults;
    }
}

/// Runs one seed: so many minutes of trouble, then the healing, then the shutdown.
pub fn run(seed: u64, minutes: u64, kind: LogKind) -> (Result<Report, Failure>, Log) {
    let mut world = World::new(seed, kind);
    let outcome = world.run(Duration::from_secs(60 * minutes));
    let report = world.report();
    let at = world.now();
    let failed = |what| Failure { seed, minutes, at, what };
    (outcome.map(|()| report).map_err(failed), world.into_log())
}

/// Runs one seed twice and compares everything that happened. Nothing else counts while this does not hold.
pub fn twice(seed: u64, minutes: u64) -> Result<Report, Failure> {
    let (first, first_log) = run(seed, minutes, LogKind::Everything);
    let (second, second_log) = run(seed, minutes, LogKind::Everything);
    let mut lines = first_log.text().lines().zip(second_log.text().lines()).enumerate();
    if let Some((line, (one, other))) = lines.find(|(_, (one, other))| one != other) {
        let what = format!("two runs differ from line {line} on:\n  {one}\n  {other}");
        return Err(Failure { seed, minutes, at: Instant(0), what });
    }
    if first_log.text() != second_log.text() || first != second {
        let what = String::from("one of two runs is the longer one");
        return Err(Failure { seed, minutes, at: Instant(0), what });
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    /// First of all, since nothing below means anything without it.
    #[test]
    fn a_the_same_seed_is_the_same_run() {
        for seed in 0..5 {
            let report = twice(seed, 1).unwrap_or_else(|failure| panic!("{failure}"));
            assert!(report.events > 0);
        }
    }

    #[test]
    fn different_seeds_are_different_runs() {
        assert_ne!(run(1, 1, LogKind::Everything).1.text(), run(2, 1, LogKind::Everything).1.text());
    }

    #[test]
    fn fifty_seeds_hold_for_two_minutes() {
        let mut sum = Report::default();
        for seed in 0..50 {
            match run(seed, 2, LogKind::Nothing).0 {
                Ok(report) => sum.add(&report),
                Err(failure) => panic!("{failure}"),
            }
        }
        // A world in which nothing happens keeps every rule.
        assert!(sum.links > 200 && sum.faults > 100, "{sum:?}");
        assert!(sum.confirmed > 10_000 && sum.delivered > 10_000 && sum.requests > 1_000, "{sum:?}");
    }
}
