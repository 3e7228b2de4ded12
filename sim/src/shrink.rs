//! The smallest scenario that fails alike.
//!
//! Every step proposes a smaller scenario; it is kept when the same rule of the same check fails. Because nothing in a scenario depends
//! on what stands before it, most of what is taken away is not missed.
//!
//! | file | its one job |
//! |---|---|
//! | `delete` | actions in chunks, nodes, the time behind the failure |
//! | `simplify` | values, times, settings |
//! | `merge` | neighbours that say the same |

mod delete;
mod merge;
mod simplify;

use crate::log::LogKind;
use crate::run::{Failure, run};
use crate::scenario::Scenario;

/// A scenario that was made smaller.
#[derive(Debug, Clone, PartialEq)]
pub struct Shrunk {
    /// The smallest one that was found.
    pub scenario: Scenario,
    /// How it fails.
    pub failure: Failure,
    /// Scenarios that were run to find it.
    pub runs: u64,
}

/// Runs proposals and remembers the best one.
struct Search<'a> {
    best: Shrunk,
    runs_max: u64,
    outcome: &'a dyn Fn(&Scenario) -> Option<Failure>,
}

impl Search<'_> {
    /// Keeps a proposal if it fails alike.
    fn propose(&mut self, scenario: Scenario) -> bool {
        if scenario == self.best.scenario || self.best.runs >= self.runs_max {
            return false;
        }
        self.best.runs += 1;
        match (self.outcome)(&scenario).filter(|failure| failure.is_like(&self.best.failure)) {
            Some(failure) => {
                (self.best.scenario, self.best.failure) = (scenario, failure);
                true
            }
            None => false,
        }
    }
}

/// Makes a scenario smaller with at most so many runs; `None` when it does not fail.
pub fn shrink(scenario: &Scenario, runs_max: u64) -> Option<Shrunk> {
    shrink_by(scenario, runs_max, &|scenario| run(scenario, LogKind::Nothing).0.err())
}

/// Makes a scenario smaller that fails by a judgement other than the checks'.
pub(crate) fn shrink_by(
    scenario: &Scenario,
    runs_max: u64,
    outcome: &dyn Fn(&Scenario) -> Option<Failure>,
) -> Option<Shrunk> {
    let failure = outcome(scenario)?;
    let best = Shrunk { scenario: scenario.clone(), failure, runs: 1 };
    let mut search = Search { best, runs_max, outcome };
    let mut smaller = true;
    while smaller && search.best.runs < search.runs_max {
        smaller = delete::all(&mut search);
        smaller |= merge::all(&mut search);
        smaller |= simplify::all(&mut search);
    }
    let mut best = search.best;
    best.scenario.name = format!("{} ({})", best.failure.check, scenario.name);
    Some(best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::generate;
    use edgehub_core::Instant;
    use std::time::Duration;

    fn failure(rule: &str) -> Failure {
        Failure {
            check: "test".to_string(),
            rule: rule.to_string(),
            what: String::new(),
            at: Instant(u64::MAX / 4),
        }
    }

    /// Fails when some node is evicted twice and somebody asks with at least 100 bytes.
    fn asked_and_evicted(scenario: &Scenario) -> Option<Failure> {
        let evictions = |node| {
            let of_node = move |action: &&crate::scenario::Action| action.node == node;
            scenario.actions.iter().filter(of_node).filter(|action| action.verb.name == "evict").count()
        };
        let asks = scenario.actions.iter().any(|action| action.verb.name == "ask" && action.values[1] > 99);
        ((0..scenario.nodes).any(|node| evictions(node) >= 2) && asks).then(|| failure("evicted twice"))
    }

    #[test]
    fn what_does_not_matter_goes() {
        let seed =
            (0..2_000).find(|&seed| asked_and_evicted(&generate(seed, Duration::from_secs(300))).is_some());
        let scenario = generate(seed.unwrap(), Duration::from_secs(300));
        let shrunk = shrink_by(&scenario, 10_000, &asked_and_evicted).unwrap().scenario;
        assert_eq!(shrunk.actions.len(), 3, "{shrunk}");
        assert!(shrunk.nodes <= 2, "nobody needs a third node: {shrunk}");
        assert_eq!(shrunk.edge, edgehub_core::Config::default(), "{shrunk}");
        let ask = shrunk.actions.iter().find(|action| action.verb.name == "ask").unwrap();
        assert_eq!(ask.values[1], 100, "{shrunk}");
        assert!(shrunk.actions.iter().all(|action| action.at.0 <= 1_000), "{shrunk}");
    }

    /// What fails by another rule of the same check is another failure.
    #[test]
    fn another_rule_is_another_failure() {
        let by_rule = |scenario: &Scenario| {
            Some(failure(if scenario.actions.len() > 1 { "too many" } else { "too few" }))
        };
        let scenario = (0..).map(|seed| generate(seed, Duration::from_secs(60)));
        let scenario = scenario.into_iter().find(|scenario| scenario.actions.len() > 5).unwrap();
        let shrunk = shrink_by(&scenario, 10_000, &by_rule).unwrap();
        assert_eq!((&*shrunk.failure.rule, shrunk.scenario.actions.len()), ("too many", 2));
    }

    #[test]
    fn what_holds_is_not_shrunk() {
        assert_eq!(shrink(&Scenario::quiet("quiet", Duration::from_secs(5)), 10), None);
    }
}
