//! What the ranges of the faults hardly ever meet by chance, and worlds of several clouds. It is drawn after everything else, so that a seed keeps what it meant.

use super::{strike, traffic};
use crate::dice::Dice;
use crate::faults::{closing, disk, silence};
use crate::scenario::{CLOUDS_MAX, Parameter, Scenario, Subject};
use edgehub_core::config::LaneChoice;
use std::time::Duration;

/// How near is near.
const A_LITTLE: Duration = Duration::from_millis(50);

pub(super) fn add(dice: &mut Dice, scenario: &mut Scenario) {
    if dice.chance(200) {
        traffic::answer_at_once(dice, scenario);
    }
    if dice.chance(200) {
        let [how, after] = closing::HALF_FOR_CLOUD;
        for _ in 0..dice.number(1, 4) {
            strike(dice, scenario, &closing::CLOSE, &[how, after]);
        }
    }
    if dice.chance(200) {
        flap_at_the_patience(dice, scenario);
    }
    if dice.chance(500) && scenario.edge.classes.classes.iter().any(|class| class.persistent) {
        for verb in [&disk::SLOW, &disk::FULL] {
            let mut ranges = verb.parameters.to_vec();
            // Long enough for something to be stored meanwhile.
            ranges[0].low = ranges[0].high / 10;
            for _ in 0..dice.number(1, 3) {
                strike(dice, scenario, verb, &ranges);
            }
        }
    }
    if dice.chance(500) && scenario.edge.lanes.choice == LaneChoice::Quic {
        scenario.streams_apart = Duration::from_micros(dice.magnitude(1_000, 500_000));
    }
    let endpoints = scenario.edge.endpoints.weights.len();
    if dice.chance(500) && endpoints > 1 {
        scenario.clouds = dice.number(2, endpoints.min(CLOUDS_MAX) as u64) as usize;
        let last = scenario.clouds - 1;
        for action in scenario.actions.iter_mut().filter(|action| action.verb.subject == Subject::Cloud) {
            action.node = dice.number(0, last as u64) as usize;
        }
    }
}

/// Silences as long as the hub waits before it gives a link up, more or less.
fn flap_at_the_patience(dice: &mut Dice, scenario: &mut Scenario) {
    let patience = scenario.edge.ping_interval * (scenario.edge.ping_misses + 1);
    let [low, high] =
        [patience.saturating_sub(A_LITTLE), patience + A_LITTLE].map(|length| length.as_micros() as u64);
    let silent = dice.number(low, high);
    let mut ranges = silence::FLAP.parameters.to_vec();
    let Parameter { low, high, .. } = ranges[1];
    if (low..=high).contains(&silent) {
        (ranges[1].low, ranges[1].high) = (silent, silent);
        strike(dice, scenario, &silence::FLAP, &ranges);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::generate;

    #[test]
    fn each_is_drawn_sooner_or_later() {
        let (mut answers, mut halves, mut flaps, mut apart, mut clouds) = (0, 0, 0, 0, 0);
        for scenario in (0..400).map(|seed| generate(seed, Duration::from_secs(120))) {
            let patience = scenario.edge.ping_interval * (scenario.edge.ping_misses + 1);
            for action in &scenario.actions {
                let [first, second, third, ..] = action.values;
                match action.verb.name {
                    "ask" => answers += u64::from(third == 9),
                    "close" => halves += u64::from(first == closing::HALF_FOR_CLOUD[0].low),
                    "flap" => {
                        let by = Duration::from_micros(second).abs_diff(patience);
                        flaps += u64::from(by <= A_LITTLE);
                    }
                    _ => {}
                }
            }
            apart += u64::from(!scenario.streams_apart.is_zero());
            clouds += u64::from(scenario.clouds > 1);
        }
        assert!(
            answers > 100 && halves > 50 && flaps > 20 && apart > 10 && clouds > 40,
            "{answers} {halves} {flaps} {apart} {clouds}"
        );
    }
}
