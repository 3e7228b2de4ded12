//! What actions did, by verb. An action may find nothing to act on: no link, a process that is down, a setting that is what it
//! was. Then it did nothing, and a fault that is only ever tried tests nothing.

use crate::catalogue;
use crate::checks::Broken;
use crate::scenario::{Subject, Verb};
use crate::traffic;
use std::collections::BTreeMap;

/// Whether an action took effect there and then, or the rule that did not hold. What waits for its moment, as a cut behind
/// the thousandth byte, is counted when the moment comes.
pub(crate) type Effect = Result<bool, Broken>;

/// How often each verb took effect.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Effects(BTreeMap<(Subject, &'static str), u64>);

impl Effects {
    /// One more.
    pub(crate) fn count(&mut self, verb: &Verb) {
        self.count_some(verb, 1);
    }

    /// So many more.
    pub(crate) fn count_some(&mut self, verb: &Verb, times: u64) {
        if times > 0 {
            *self.0.entry((verb.subject, verb.name)).or_default() += times;
        }
    }

    /// How often a verb took effect.
    pub fn of(&self, verb: &Verb) -> u64 {
        self.0.get(&(verb.subject, verb.name)).copied().unwrap_or_default()
    }

    /// How often anything did that does not go on anyway.
    pub fn faults(&self) -> u64 {
        self.0.values().sum::<u64>() - traffic::FAMILY.verbs.iter().map(|verb| self.of(verb)).sum::<u64>()
    }

    /// The verbs that never did.
    pub fn missing(&self) -> Vec<&'static str> {
        catalogue::verbs().filter(|verb| self.of(verb) == 0).map(|verb| verb.name).collect()
    }

    /// Adds another run's.
    pub fn add(&mut self, other: &Effects) {
        for (verb, times) in &other.0 {
            *self.0.entry(*verb).or_default() += times;
        }
    }
}
