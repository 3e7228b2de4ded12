//! Two neighbours that say the same become one that says it more often, where there is a number for that.

use super::Search;

pub(super) fn all(search: &mut Search<'_>) -> bool {
    let mut smaller = false;
    let mut first = 0;
    while first + 1 < search.best.scenario.actions.len() {
        match merged(search, first) {
            true => smaller = true,
            false => first += 1,
        }
    }
    smaller
}

fn merged(search: &mut Search<'_>, first: usize) -> bool {
    let mut scenario = search.best.scenario.clone();
    let one = scenario.actions[first];
    let alike = scenario.actions.iter().skip(first + 1).position(|other| {
        (other.verb.name, other.verb.subject, other.node) == (one.verb.name, one.verb.subject, one.node)
    });
    let number = one.verb.parameters.iter().position(|parameter| matches!(parameter.name, "count" | "times"));
    let (Some(distance), Some(number)) = (alike, number) else { return false };
    let other = scenario.actions.remove(first + 1 + distance);
    let sum = one.values[number] + other.values[number];
    scenario.actions[first].values[number] = sum.min(one.verb.parameters[number].high);
    search.propose(scenario)
}
