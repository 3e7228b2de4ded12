//! A scenario from a seed.
//!
//! Each fault is in a scenario or not (swarm testing): faults that are always on hide one another's effects. What is in
//! it has a range of its own, a part of what its verb allows, so that some scenarios have long pauses only and others
//! short ones only.

mod boundaries;
mod situations;
mod traffic;

use crate::catalogue::{self, Family};
use crate::classes;
use crate::dice::Dice;
use crate::scenario::settings::{CLOUD, EDGE, Setting};
use crate::scenario::{Action, Kind, Parameter, Scenario, Subject, Verb};
use edgehub_core::config::{LaneChoice, Probe};
use edgehub_core::{Config, Instant};
use std::time::Duration;

/// The scenario of a seed, with trouble for so long.
pub fn generate(seed: u64, duration: Duration) -> Scenario {
    let mut dice = Dice::new(seed);
    let mut scenario = Scenario::quiet(&format!("seed {seed}"), duration);
    scenario.salt = dice.seed();
    scenario.nodes = [1, 1, 1, 2, 2, 3][dice.number(0, 5) as usize];
    scenario.latency = Duration::from_micros(dice.magnitude(1_000, 150_000));
    scenario.ends_unhealed = dice.chance(150);
    let (first, later) = EDGE.split_at(SETTINGS_DRAWN_FIRST);
    settings(&mut dice, first, &mut scenario.edge);
    settings(&mut dice, &CLOUD, &mut scenario.cloud);
    if dice.chance(600) {
        scenario.edge.classes = classes::set(dice.index(classes::WORDS.len()) as u64);
    }
    if dice.chance(900) {
        scenario.cloud.node_limit = 1_000;
    }
    traffic::add(&mut dice, &mut scenario);
    faults(&mut dice, &mut scenario, catalogue::FAULTS.iter().chain(&catalogue::OWN));
    let (later, latest) = later.split_at(SETTINGS_DRAWN_LATER);
    reach(&mut dice, later, &mut scenario);
    faults(&mut dice, &mut scenario, &catalogue::LATER);
    lanes(&mut dice, latest, &mut scenario);
    faults(&mut dice, &mut scenario, &catalogue::LATEST);
    boundaries::add(&mut dice, &mut scenario);
    situations::add(&mut dice, &mut scenario);
    scenario.sort();
    scenario
}

/// Settings that came later are drawn last, so that a seed keeps most of what it meant.
const SETTINGS_DRAWN_FIRST: usize = 26;

/// … and those of the lanes behind them.
const SETTINGS_DRAWN_LATER: usize = 6;

/// How the cloud is reached, and asked for its session.
fn reach(dice: &mut Dice, later: &[Setting<Config>], scenario: &mut Scenario) {
    settings(dice, later, &mut scenario.edge);
    if dice.chance(500) {
        let [after, limit] =
            [5_000, 1_000].map(|low| Duration::from_micros(dice.magnitude(low * 1_000, 30_000_000)));
        scenario.edge.probe = Some(Probe { after, limit, ..Probe::default() });
    }
    if dice.chance(400) {
        scenario.edge.endpoints.weights = (1..=dice.number(2, 4) as u32).collect();
        scenario.edge.endpoints.return_after = Duration::from_micros(dice.magnitude(5_000_000, 60_000_000));
    }
}

/// Over which lanes, and what gets through on them.
fn lanes(dice: &mut Dice, latest: &[Setting<Config>], scenario: &mut Scenario) {
    if !dice.chance(400) {
        return;
    }
    settings(dice, latest, &mut scenario.edge);
    scenario.edge.lanes.choice = [LaneChoice::Auto, LaneChoice::Auto, LaneChoice::Quic][dice.index(3)];
    scenario.edge.lanes.retry_after = Duration::from_micros(dice.magnitude(5_000_000, 120_000_000));
    let verbs = catalogue::FAULTS.iter().flat_map(|family| family.verbs);
    for verb in verbs.filter(|verb| ["udp", "cut"].contains(&verb.name)) {
        for _ in 0..dice.number(0, 5) {
            strike(dice, scenario, verb, verb.parameters);
        }
    }
}

/// Some settings are not the default, in some scenarios.
fn settings<C>(dice: &mut Dice, settings: &[Setting<C>], config: &mut C) {
    let per_mille = [0, 150, 500][dice.number(0, 2) as usize];
    for Setting { parameter, change, .. } in settings {
        if dice.chance(per_mille) {
            change(config, value(dice, parameter));
        }
    }
}

fn faults(dice: &mut Dice, scenario: &mut Scenario, families: impl IntoIterator<Item = &'static Family>) {
    // In most scenarios few kinds of faults, in some all of them, in some none.
    let per_mille = [0, 50, 100, 100, 200, 500][dice.number(0, 5) as usize];
    let minutes = scenario.duration.as_secs().div_ceil(60);
    for verb in families.into_iter().flat_map(|family| family.verbs) {
        if !dice.chance(per_mille) {
            continue;
        }
        let ranges: Vec<Parameter> =
            verb.parameters.iter().map(|parameter| narrowed(dice, parameter)).collect();
        let most = match verb.name {
            "shutdown" | "long-pause" | "fail-over" => 1,
            _ => minutes * 2,
        };
        for _ in 0..dice.magnitude(1, most) {
            strike(dice, scenario, verb, &ranges);
        }
    }
}

fn strike(dice: &mut Dice, scenario: &mut Scenario, verb: &'static Verb, ranges: &[Parameter]) {
    // Days pass for everyone, and every node needs its events.
    if verb.name == "long-pause" && (scenario.nodes > 1 || !dice.chance(200)) {
        return;
    }
    let node = match verb.subject {
        Subject::Node => dice.number(0, scenario.nodes as u64 - 1) as usize,
        Subject::Cloud => 0,
    };
    let mut action = Action::simplest(moment(dice, scenario.duration), node, verb);
    for (place, range) in ranges.iter().enumerate() {
        action.values[place] = value(dice, range);
    }
    scenario.actions.push(action);
}

/// A moment of the run, other than its very start.
fn moment(dice: &mut Dice, duration: Duration) -> Instant {
    Instant(dice.number(1_000, (duration.as_micros() as u64).max(1_001)))
}

/// A part of a parameter's range.
fn narrowed(dice: &mut Dice, parameter: &Parameter) -> Parameter {
    if matches!(parameter.kind, Kind::Word(_)) || dice.chance(500) {
        return *parameter;
    }
    let (one, other) = (value(dice, parameter), value(dice, parameter));
    Parameter { low: one.min(other), high: one.max(other), ..*parameter }
}

/// A value of a parameter's range.
fn value(dice: &mut Dice, Parameter { kind, low, high, .. }: &Parameter) -> u64 {
    match kind {
        Kind::Word(_) => dice.number(*low, *high),
        _ => dice.magnitude(*low, *high),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_verb_is_drawn_sooner_or_later() {
        let mut missing: BTreeSet<&str> = catalogue::verbs().map(|verb| verb.name).collect();
        for seed in 0..400 {
            for action in generate(seed, Duration::from_secs(120)).actions {
                missing.remove(action.verb.name);
            }
        }
        assert!(missing.is_empty(), "never drawn: {missing:?}");
    }
}
