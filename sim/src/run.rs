//! One scenario from start to end.

use crate::caught::{Panicked, caught};
use crate::checks::Broken;
use crate::effects::Effects;
use crate::log::{Log, LogKind};
use crate::scenario::Scenario;
use crate::watchdog::Playing;
use crate::world::World;
use edgehub_core::Instant;
use std::fmt;
use std::time::Duration;

/// A rule that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The check.
    pub check: String,
    /// Its rule; of a panic, the file in which it happened.
    pub rule: String,
    /// What was seen instead.
    pub what: String,
    /// When.
    pub at: Instant,
}

impl Failure {
    fn broken(at: Instant, Broken { check, rule, what }: Broken) -> Failure {
        Failure { check: check.to_string(), rule: rule.to_string(), what, at }
    }

    fn panicked(at: Instant, Panicked { message, file }: Panicked) -> Failure {
        Failure { check: "panic".to_string(), rule: file, what: message, at }
    }

    /// Whether both are of the same rule of the same check.
    pub fn is_like(&self, other: &Failure) -> bool {
        (&self.check, &self.rule) == (&other.check, &other.rule)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { check, rule, what, at } = self;
        write!(f, "{check}/{rule}, after {}.{:06} s: {what}", at.0 / 1_000_000, at.0 % 1_000_000)
    }
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
    /// Messages that a start took up again from a journal.
    pub restored: u64,
    /// What the actions did, by verb.
    pub effects: Effects,
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
        self.restored += other.restored;
        self.effects.add(&other.effects);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { scenarios, hub_time, events, links, confirmed, delivered, requests, restored, effects } =
            self;
        let faults = effects.faults();
        write!(
            f,
            "{scenarios} scenarios, {} hub-seconds, {events} events, {faults} faults, {links} links, \
             {confirmed} confirmed, {delivered} delivered, {requests} requests, {restored} restored",
            hub_time.as_secs()
        )
    }
}

/// Runs a scenario: its trouble, then the healing, then the shutdown. A panic on the way is a failure of the check
/// `panic`.
pub fn run(scenario: &Scenario, kind: LogKind) -> (Result<Report, Failure>, Log) {
    let _playing = Playing::begin(scenario);
    match caught(|| World::new(scenario, kind)) {
        Ok(mut world) => (play(&mut world, scenario), world.into_log()),
        Err(panicked) => (Err(Failure::panicked(Instant(0), panicked)), Log::new(kind)),
    }
}

/// A node's number, and the trace of one start of its hub.
pub type Recorded = (usize, Vec<u8>);

/// Runs a scenario and records every hub; returns the traces, one for each start of a hub.
pub fn record(scenario: &Scenario) -> (Result<Report, Failure>, Vec<Recorded>) {
    let _playing = Playing::begin(scenario);
    match caught(|| World::new(scenario, LogKind::Nothing).recorded()) {
        Ok(mut world) => {
            let outcome = play(&mut world, scenario);
            let traces = world.land().into_iter().map(|flight| (flight.node, flight.file)).collect();
            (outcome, traces)
        }
        Err(panicked) => (Err(Failure::panicked(Instant(0), panicked)), Vec::new()),
    }
}

fn play(world: &mut World, scenario: &Scenario) -> Result<Report, Failure> {
    match caught(|| world.run(scenario)) {
        Ok(Ok(())) => Ok(world.report()),
        Ok(Err(broken)) => Err(Failure::broken(world.now(), broken)),
        Err(panicked) => Err(Failure::panicked(world.now(), panicked)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::Effect;
    use crate::generate::generate;
    use crate::scenario::verb::Call;
    use crate::scenario::{Action, Subject, Verb};
    use crate::shrink;

    /// A minute in which this happens, after half of it.
    fn with(act: fn(&mut World, &Call) -> Effect) -> Scenario {
        // A verb lives as long as the program does.
        let verb = Box::leak(Box::new(Verb { name: "test", subject: Subject::Cloud, parameters: &[], act }));
        let mut scenario = Scenario::quiet("test", Duration::from_secs(60));
        scenario.actions.push(Action::simplest(Instant(30_000_000), 0, verb));
        scenario
    }

    fn check(act: fn(&mut World, &Call) -> Effect, check: &str) {
        let scenario = with(act);
        let failure = run(&scenario, LogKind::Nothing).0.unwrap_err();
        assert_eq!((&*failure.check, failure.at), (check, Instant(30_000_000)), "{failure}");
        // The head of the generated one too: its actions may speak of nodes that a quiet world does not have.
        let mut more = generate(1, TWO_MINUTES);
        more.actions.extend(scenario.actions.clone());
        more.sort();
        let shrunk = shrink(&more, 1_000).unwrap();
        assert_eq!((&*shrunk.failure.check, shrunk.scenario.actions.len()), (check, 1), "{}", shrunk.failure);
    }

    #[test]
    fn a_panic_is_a_failure_like_any_other() {
        check(|_, _| panic!("boom"), "panic");
    }

    #[test]
    fn what_happens_for_ever_at_one_instant_is_a_failure() {
        check(|world, _| world.flap(0, u64::MAX, 0, 0).map(|()| true), "livelock");
    }

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
    fn two_hundred_seeds_hold_and_use_every_verb() {
        let mut sum = Report::default();
        // Seeds among which some crash with messages in their journals.
        for seed in 100..300 {
            match run(&generate(seed, TWO_MINUTES), LogKind::Nothing).0 {
                Ok(report) => sum.add(&report),
                Err(failure) => panic!(
                    "{failure}\nreproduce: cargo run --release -p edgehub-sim -- run --seed {seed} --minutes 2"
                ),
            }
        }
        // A world in which nothing happens keeps every rule.
        assert!(sum.links > 100 && sum.effects.faults() > 300, "{sum:?}");
        assert!(sum.restored > 0, "{sum:?}");
        assert_eq!(sum.effects.missing(), [""; 0], "these never did anything");
        assert!(sum.confirmed > 4_000 && sum.delivered > 3_000 && sum.requests > 400, "{sum:?}");
    }
}
