//! Situations that take several things at once: those hardly ever meet where each is drawn by itself.

use super::moment;
use crate::catalogue;
use crate::classes;
use crate::dice::Dice;
use crate::scenario::{Action, Scenario, Subject};
use crate::world::{GENEROUS, MODULES};
use edgehub_core::Instant;
use std::time::Duration;

/// One of a scenario's nodes, and what happens to it.
type Situation = fn(&mut Dice, &mut Scenario, usize);

const SITUATIONS: [Situation; 7] = [
    stored_and_crashed,
    more_than_the_link_takes,
    flooded,
    asleep_on_a_patient_link,
    left_to_the_journal,
    acknowledged_late,
    more_than_a_module_is_handed,
];

/// Most scenarios have none of them.
const PER_MILLE: u64 = 60;

pub(super) fn add(dice: &mut Dice, scenario: &mut Scenario) {
    for situation in SITUATIONS {
        if dice.chance(PER_MILLE) {
            let node = dice.index(scenario.nodes);
            situation(dice, scenario, node);
        }
    }
}

fn plan(scenario: &mut Scenario, at: Instant, node: usize, verb: &str, values: &[u64]) {
    let Some(verb) = catalogue::verb(Subject::Node, verb) else { return };
    let mut action = Action::simplest(at, node, verb);
    action.values[..values.len()].copy_from_slice(values);
    scenario.actions.push(action);
}

fn module(dice: &mut Dice) -> u64 {
    dice.index(MODULES.len()) as u64
}

/// The process ends when several messages are stored and none of them is confirmed.
fn stored_and_crashed(dice: &mut Dice, scenario: &mut Scenario, node: usize) {
    scenario.edge.classes = classes::of(["persistent", "persistent-tight"][dice.index(2)]);
    for _ in 0..dice.number(2, 6) {
        let at = moment(dice, scenario.duration);
        let (module, count) = (module(dice), dice.number(2, 30));
        plan(scenario, at, node, "send", &[module, 200, count, 0]);
        let crash = at + Duration::from_millis(dice.number(2, 60));
        plan(scenario, crash, node, "crash", &[dice.number(0, 3), dice.magnitude(1_000, 5_000_000), 1]);
    }
}

/// While there is no link, more gathers than is fetched from the journal at one time.
fn left_to_the_journal(dice: &mut Dice, scenario: &mut Scenario, node: usize) {
    scenario.edge.classes = classes::of("persistent");
    scenario.edge.spool_above = dice.number(0, 50_000) as usize;
    let at = moment(dice, scenario.duration);
    plan(scenario, at, node, "roam", &[dice.number(5_000_000, 20_000_000)]);
    let module = module(dice);
    for _ in 0..dice.number(2, 5) {
        let later = at + Duration::from_millis(dice.number(0, 5_000));
        let values = [module, dice.number(2_000, 20_000), dice.number(50, 200), 0];
        plan(scenario, later, node, "send", &values);
    }
}

/// A module acknowledges when CloudHub has written its messages for the last time and gone on to others.
fn acknowledged_late(dice: &mut Dice, scenario: &mut Scenario, node: usize) {
    scenario.cloud.resend_interval = Duration::from_millis(dice.number(500, 2_000));
    scenario.cloud.sends_max = dice.number(1, 3) as u32;
    for _ in 0..dice.number(1, 4) {
        let (at, module) = (moment(dice, scenario.duration), module(dice));
        plan(scenario, at, node, "slow-module", &[module, dice.number(3_000_000, 15_000_000)]);
        let later = at + Duration::from_millis(1);
        // Commands are told apart by who takes them, in the same order as modules.
        plan(scenario, later, node, "command", &[module, 200, dice.number(2, 6), 1]);
    }
}

/// Large messages in heaps, of which the link takes nothing for a while, with a rate limit or without.
fn more_than_the_link_takes(dice: &mut Dice, scenario: &mut Scenario, node: usize) {
    if dice.chance(500) {
        scenario.edge.rate = None;
    }
    for _ in 0..dice.number(2, 6) {
        let at = moment(dice, scenario.duration);
        for _ in 0..dice.number(1, 4) {
            let values = [module(dice), dice.magnitude(5_000, 100_000), dice.number(20, 200), 0];
            plan(scenario, at, node, "send", &values);
        }
        let stuck = at + Duration::from_millis(dice.number(0, 5_000));
        plan(scenario, stuck, node, "stuck", &[1, dice.magnitude(1_000_000, 15_000_000), 0, 0]);
    }
}

/// A module gets more than its inbox holds, and takes nothing for longer than the link may be silent.
fn flooded(dice: &mut Dice, scenario: &mut Scenario, node: usize) {
    scenario.edge.stall_limit = Duration::from_secs(dice.number(20, 30));
    scenario.edge.ping_interval = Duration::from_secs(dice.number(1, 5));
    for _ in 0..dice.number(1, 3) {
        let values = [module(dice), dice.number(200, 1_024), dice.number(10_000_000, 60_000_000)];
        let at = moment(dice, scenario.duration);
        plan(scenario, at, node, "flood-down", &values);
    }
}

/// A module with much credit gets large messages, and takes none for a while.
fn more_than_a_module_is_handed(dice: &mut Dice, scenario: &mut Scenario, node: usize) {
    for _ in 0..dice.number(1, 3) {
        let values =
            [GENEROUS, dice.number(100, 300), dice.number(5_000_000, 20_000_000), dice.number(8_000, 20_000)];
        let at = moment(dice, scenario.duration);
        plan(scenario, at, node, "flood-down", &values);
    }
}

/// The machine sleeps for several heartbeats, and its link outlives that.
fn asleep_on_a_patient_link(dice: &mut Dice, scenario: &mut Scenario, node: usize) {
    scenario.edge.heartbeat = Duration::from_secs(5);
    (scenario.edge.ping_interval, scenario.edge.ping_misses) = (Duration::from_secs(10), 5);
    scenario.cloud.keepalive_timeout = Duration::from_secs(90);
    for _ in 0..dice.number(1, 3) {
        let at = moment(dice, scenario.duration);
        plan(scenario, at, node, "pause", &[dice.number(12_000_000, 50_000_000)]);
    }
}
