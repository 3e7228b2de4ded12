//! Smaller numbers, rounder times, default settings.

use super::Search;
use crate::scenario::settings::{CLOUD, EDGE, Setting};
use crate::scenario::{Scenario, Subject};
use edgehub_core::Instant;
use std::time::Duration;

pub(super) fn all(search: &mut Search<'_>) -> bool {
    let head = head(search);
    let edge = defaults(search, &EDGE, |scenario| &mut scenario.edge);
    let cloud = defaults(search, &CLOUD, |scenario| &mut scenario.cloud);
    let values = values(search);
    let times = times(search);
    let duration = duration(search);
    head || edge || cloud || values || times || duration
}

fn head(search: &mut Search<'_>) -> bool {
    let plain = Scenario::quiet("", Duration::ZERO);
    let best = search.best.scenario.clone();
    let salt = search.propose(Scenario { salt: plain.salt, ..best });
    let best = search.best.scenario.clone();
    let latency = search.propose(Scenario { latency: plain.latency, ..best });
    let best = search.best.scenario.clone();
    let streams = search.propose(Scenario { streams_apart: Duration::ZERO, ..best });
    let mut best = search.best.scenario.clone();
    best.clouds = plain.clouds;
    for action in best.actions.iter_mut().filter(|action| action.verb.subject == Subject::Cloud) {
        action.node = 0;
    }
    let clouds = search.propose(best);
    let best = search.best.scenario.clone();
    let end = search.propose(Scenario { ends_unhealed: false, ..best });
    salt || latency || streams || clouds || end
}

fn defaults<C: Default>(
    search: &mut Search<'_>,
    settings: &[Setting<C>],
    part: fn(&mut Scenario) -> &mut C,
) -> bool {
    let mut smaller = false;
    for Setting { read, change, .. } in settings {
        let mut scenario = search.best.scenario.clone();
        change(part(&mut scenario), read(&C::default()));
        smaller |= search.propose(scenario);
    }
    smaller
}

/// Each value as low as it can be, or halfway there, again and again.
fn values(search: &mut Search<'_>) -> bool {
    let mut smaller = false;
    for at in 0..search.best.scenario.actions.len() {
        for place in 0..search.best.scenario.actions[at].verb.parameters.len() {
            let low = search.best.scenario.actions[at].verb.parameters[place].low;
            let mut step = search.best.scenario.actions[at].values[place] - low;
            while step > 0 {
                let mut scenario = search.best.scenario.clone();
                let value = &mut scenario.actions[at].values[place];
                *value = value.saturating_sub(step).max(low);
                if search.propose(scenario) {
                    smaller = true;
                    step = step.min(search.best.scenario.actions[at].values[place] - low);
                } else {
                    step /= 2;
                }
            }
        }
    }
    smaller
}

/// Each time as early as it can be, or at least round.
fn times(search: &mut Search<'_>) -> bool {
    let mut smaller = false;
    for at in 0..search.best.scenario.actions.len() {
        let before = search.best.scenario.actions[..at].last().map_or(0, |action| action.at.0);
        let now = search.best.scenario.actions[at].at.0;
        let rounded = [1_000_000, 100_000, 1_000].map(|unit| now / unit * unit);
        let halved = [(now - before) / 2 + before];
        for earlier in [0, before + 1].into_iter().chain(rounded).chain(halved) {
            if earlier < before || earlier >= search.best.scenario.actions[at].at.0 {
                continue;
            }
            let mut scenario = search.best.scenario.clone();
            scenario.actions[at].at = Instant(earlier);
            if search.propose(scenario) {
                smaller = true;
                break;
            }
        }
    }
    smaller
}

fn duration(search: &mut Search<'_>) -> bool {
    let mut smaller = false;
    let last = search.best.scenario.actions.last().map_or(0, |action| action.at.0);
    let now = search.best.scenario.duration.as_micros() as u64;
    for shorter in [last, last + 1, now / 2, now / 1_000_000 * 1_000_000] {
        if shorter < last || shorter >= search.best.scenario.duration.as_micros() as u64 {
            continue;
        }
        let scenario = search.best.scenario.clone();
        smaller |= search.propose(Scenario { duration: Duration::from_micros(shorter), ..scenario });
    }
    smaller
}
