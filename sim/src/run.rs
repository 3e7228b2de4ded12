//! One scenario from start to end.

use crate::log::{Log, LogKind};
use crate::scenario::Scenario;
use crate::world::World;
use edgehub_core::Instant;
use std::fmt;
use std::time::Duration;

/// A rule that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The rule.
    pub check: String,
    /// What was seen instead.
    pub what: String,
    /// When.
    pub at: Instant,
}

impl Failure {
    /// A check says its name, a colon, and what is wrong.
    fn new(at: Instant, text: String) -> Failure {
        let (check, what) = text.split_once(": ").unwrap_or(("world", &text));
        Failure { check: check.to_string(), what: what.to_string(), at }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { check, what, at } = self;
        write!(f, "{check}, after {}.{:06} s: {what}", at.0 / 1_000_000, at.0 % 1_000_000)
    }
}

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Report {
    /// Scenarios.
    pub scenarios: u64,
    /// Virtual time of all hubs together, without the time that they slept.
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
        self.scenarios += other.scenarios;
        self.hub_time += other.hub_time;
        self.events += other.events;
        self.links += other.links;
        self.confirmed += other.confirmed;
        self.delivered += other.delivered;
        self.requests += other.requests;
        self.faults += other.faults;
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { scenarios, hub_time, events, links, confirmed, delivered, requests, faults } = self;
        write!(
            f,
            "{scenarios} scenarios, {} hub-seconds, {events} events, {faults} faults, {links} links, \
             {confirmed} confirmed, {delivered} delivered, {requests} requests",
            hub_time.as_secs()
        )
    }
}

/// Runs a scenario: its trouble, then the healing, then the shutdown.
pub fn run(scenario: &Scenario, kind: LogKind) -> (Result<Report, Failure>, Log) {
    let mut world = World::new(scenario, kind);
    let outcome = world.run(scenario);
    let (report, at) = (world.report(), world.now());
    (outcome.map(|()| report).map_err(|what| Failure::new(at, what)), world.into_log())
}

/// A node's number, and the trace of one start of its hub.
pub type Recorded = (usize, Vec<u8>);

/// Runs a scenario and records every hub; returns the traces, one for each start of a hub.
pub fn record(scenario: &Scenario) -> (Result<Report, Failure>, Vec<Recorded>) {
    let mut world = World::new(scenario, LogKind::Nothing).recorded();
    let outcome = world.run(scenario);
    let (report, at) = (world.report(), world.now());
    let traces = world.land().into_iter().map(|flight| (flight.node, flight.file)).collect();
    (outcome.map(|()| report).map_err(|what| Failure::new(at, what)), traces)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::generate;

    const TWO_MINUTES: Duration = Duration::from_secs(120);

    /// First of all, since nothing below means anything without it.
    #[test]
    fn a_the_same_scenario_is_the_same_run() {
        for seed in 0..5 {
            let scenario = generate(seed, TWO_MINUTES);
            let (first, first_log) = run(&scenario, LogKind::Everything);
            let (second, second_log) = run(&scenario, LogKind::Everything);
            assert!(first.clone().unwrap_or_else(|failure| panic!("{failure}")).events > 0);
            assert_eq!(first, second);
            assert_eq!(first_log.text(), second_log.text());
            assert!(!first_log.text().contains(crate::world::SECRET), "contents do not belong into logs");
        }
    }

    #[test]
    fn fifty_seeds_hold_for_two_minutes() {
        let mut sum = Report::default();
        for seed in 0..50 {
            match run(&generate(seed, TWO_MINUTES), LogKind::Nothing).0 {
                Ok(report) => sum.add(&report),
                Err(failure) => panic!(
                    "{failure}\nreproduce: cargo run --release -p edgehub-sim -- run --seed {seed} --minutes 2"
                ),
            }
        }
        // A world in which nothing happens keeps every rule.
        assert!(sum.links > 100 && sum.faults > 300, "{sum:?}");
        assert!(sum.confirmed > 4_000 && sum.delivered > 3_000 && sum.requests > 400, "{sum:?}");
    }
}
