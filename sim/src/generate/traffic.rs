//! What modules and the cloud send in a scenario: from hardly anything to more than the link carries.

use crate::catalogue;
use crate::dice::Dice;
use crate::scenario::{Action, Scenario, Subject};
use crate::world::{AskPlan, COMMAND_WORDS, MODULES};
use edgehub_core::Instant;
use std::time::Duration;

/// How much goes on at a node.
struct Density {
    /// Between two actions of a kind, on average.
    pause: Duration,
    /// Requests among what modules send, per mille.
    asks: u64,
    /// Requests with an odd answer, per mille.
    odd: u64,
    /// The most bytes of most contents.
    bytes: u64,
    /// Actions that are bursts, per mille.
    bursts: u64,
}

/// The others are drawn last, so that a seed keeps what it meant.
const ANSWERS_DRAWN_FIRST: u64 = 9;

/// Some of the requests that were to be answered promptly are answered at once.
pub(super) fn answer_at_once(dice: &mut Dice, scenario: &mut Scenario) {
    let at_once = AskPlan::ANSWERS.iter().position(|word| *word == AskPlan::AT_ONCE).unwrap_or_default();
    for action in scenario.actions.iter_mut().filter(|action| action.verb.name == "ask") {
        if action.values[2] == 0 && dice.chance(300) {
            action.values[2] = at_once as u64;
        }
    }
}

pub(super) fn add(dice: &mut Dice, scenario: &mut Scenario) {
    let odd = if dice.chance(500) { 0 } else { dice.magnitude(10, 800) };
    for node in 0..scenario.nodes {
        // Most nodes of the field have little to say; some have much.
        let pause = match dice.number(0, 9) {
            0 => continue,
            1..=5 => dice.number(5_000, 60_000),
            6..=8 => dice.number(1_000, 5_000),
            _ => dice.number(100, 1_000),
        };
        let density = Density {
            pause: Duration::from_millis(pause),
            asks: dice.number(0, 500),
            odd,
            bytes: dice.magnitude(200, 4_000),
            bursts: dice.magnitude(0, 60),
        };
        upstream(dice, scenario, node, &density);
        downstream(dice, scenario, node, &density);
    }
}

/// Moments with such a pause between two, on average.
fn moments(dice: &mut Dice, duration: Duration, pause: Duration) -> Vec<Instant> {
    let (mut at, mut moments) = (0, Vec::new());
    loop {
        at += dice.number(1, 2 * pause.as_micros() as u64);
        if at >= duration.as_micros() as u64 {
            return moments;
        }
        moments.push(Instant(at));
    }
}

fn bytes(dice: &mut Dice, density: &Density) -> u64 {
    if dice.chance(10) { dice.magnitude(0, 100_000) } else { dice.magnitude(0, density.bytes) }
}

fn upstream(dice: &mut Dice, scenario: &mut Scenario, node: usize, density: &Density) {
    let (Some(send), Some(ask)) =
        (catalogue::verb(Subject::Node, "send"), catalogue::verb(Subject::Node, "ask"))
    else {
        return;
    };
    for at in moments(dice, scenario.duration, density.pause) {
        let module = dice.number(0, MODULES.len() as u64 - 1);
        let bytes = bytes(dice, density);
        let mut action;
        if dice.chance(density.asks) {
            action = Action::simplest(at, node, ask);
            let odd = dice.chance(density.odd);
            let answer = if odd { dice.number(0, ANSWERS_DRAWN_FIRST - 1) } else { 0 };
            let after = if odd { dice.magnitude(0, 40_000_000) } else { dice.magnitude(0, 100_000) };
            let timeout = if odd { dice.magnitude(0, 30_000_000) } else { 0 };
            let repeated = u64::from(odd && dice.chance(200));
            action.values[..6].copy_from_slice(&[module, bytes, answer, after, timeout, repeated]);
        } else {
            action = Action::simplest(at, node, send);
            let count = if dice.chance(density.bursts) { dice.number(2, 60) } else { 1 };
            let elsewhere = u64::from(dice.chance(10));
            action.values[..4].copy_from_slice(&[module, bytes, count, elsewhere]);
        }
        scenario.actions.push(action);
    }
}

fn downstream(dice: &mut Dice, scenario: &mut Scenario, node: usize, density: &Density) {
    let Some(command) = catalogue::verb(Subject::Node, "command") else { return };
    for at in moments(dice, scenario.duration, density.pause) {
        let mut action = Action::simplest(at, node, command);
        let count = if dice.chance(density.bursts) { dice.number(2, 60) } else { 1 };
        let to = dice.number(0, COMMAND_WORDS.len() as u64 - 1);
        let acknowledged = u64::from(dice.chance(600));
        action.values[..4].copy_from_slice(&[to, bytes(dice, density), count, acknowledged]);
        scenario.actions.push(action);
    }
}
