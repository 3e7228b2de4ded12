//! Takes away: the time behind the failure, whole nodes, and actions in chunks that get smaller (delta debugging).

use super::Search;
use crate::scenario::Subject;
use std::time::Duration;

pub(super) fn all(search: &mut Search<'_>) -> bool {
    let after = what_comes_after(search);
    let nodes = nodes(search);
    let actions = actions(search);
    after || nodes || actions
}

/// A failure in the time of trouble needs nothing that comes later.
fn what_comes_after(search: &mut Search<'_>) -> bool {
    let at = search.best.failure.at;
    let mut scenario = search.best.scenario.clone();
    if at.0 >= scenario.duration.as_micros() as u64 {
        return false;
    }
    scenario.duration = Duration::from_micros(at.0 + 1);
    scenario.actions.retain(|action| action.at <= at);
    search.propose(scenario)
}

fn nodes(search: &mut Search<'_>) -> bool {
    let mut smaller = false;
    for node in (0..search.best.scenario.nodes).rev() {
        let mut scenario = search.best.scenario.clone();
        if scenario.nodes == 1 {
            break;
        }
        scenario.nodes -= 1;
        scenario.actions.retain(|action| action.verb.subject == Subject::Cloud || action.node != node);
        for action in scenario.actions.iter_mut().filter(|action| action.verb.subject == Subject::Node) {
            action.node -= usize::from(action.node > node);
        }
        smaller |= search.propose(scenario);
    }
    smaller
}

fn actions(search: &mut Search<'_>) -> bool {
    let mut smaller = false;
    let mut chunk = search.best.scenario.actions.len();
    while chunk > 0 {
        let mut from = 0;
        while from < search.best.scenario.actions.len() {
            let mut scenario = search.best.scenario.clone();
            let to = (from + chunk).min(scenario.actions.len());
            scenario.actions.drain(from..to);
            if search.propose(scenario) {
                smaller = true;
            } else {
                from = to;
            }
        }
        chunk /= 2;
    }
    smaller
}
