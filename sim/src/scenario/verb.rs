//! What an action can be, as data.
//!
//! A verb names its parameters with their ranges. Reading, writing, drawing and simplifying an action need nothing else,
//! so that a new verb is one constant and the function that carries it out.

use crate::effects::Effect;
use crate::world::World;
use edgehub_core::Instant;
use std::fmt;
use std::time::Duration;

/// The most parameters that a verb has.
pub const PARAMETERS_MAX: usize = 6;

/// Whom a verb is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// One node, its modules, or its link.
    Node,
    /// CloudHub and what is behind it.
    Cloud,
}

/// What a parameter's number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A length of time in microseconds; written in seconds.
    Time,
    /// A number.
    Count,
    /// The place of a word in this list.
    Word(&'static [&'static str]),
}

/// One parameter: its name, and the values that it may have. The lowest is the simplest, and what is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// Its name in the text.
    pub name: &'static str,
    /// What its number means.
    pub kind: Kind,
    /// The lowest value.
    pub low: u64,
    /// The highest value.
    pub high: u64,
}

/// A length of time, both ends in milliseconds.
pub(crate) const fn time(name: &'static str, low_ms: u64, high_ms: u64) -> Parameter {
    Parameter { name, kind: Kind::Time, low: low_ms * 1000, high: high_ms * 1000 }
}

/// A number.
pub(crate) const fn count(name: &'static str, low: u64, high: u64) -> Parameter {
    Parameter { name, kind: Kind::Count, low, high }
}

/// One of these words.
pub(crate) const fn word(name: &'static str, words: &'static [&'static str]) -> Parameter {
    Parameter { name, kind: Kind::Word(words), low: 0, high: words.len() as u64 - 1 }
}

/// One thing that can be made to happen.
#[derive(Debug)]
pub struct Verb {
    /// Its name in the text, unique.
    pub name: &'static str,
    /// Whom it is about.
    pub subject: Subject,
    /// What can be said about it.
    pub parameters: &'static [Parameter],
    /// Carries it out, and says whether it took effect.
    pub(crate) act: fn(&mut World, &Call) -> Effect,
}

/// An action as its verb's function sees it: the values in the order of the parameters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    /// The node, or the CloudHub.
    pub(crate) node: usize,
    /// Unique in its scenario's time, and of no other action: what hashes are made of.
    pub(crate) entity: u64,
    pub(crate) values: [u64; PARAMETERS_MAX],
}

impl Call {
    /// A parameter as a length of time.
    pub(crate) fn time(&self, at: usize) -> Duration {
        Duration::from_micros(self.values[at])
    }
}

/// One thing that happens.
#[derive(Clone, Copy)]
pub struct Action {
    /// When.
    pub at: Instant,
    /// To which node, or which CloudHub.
    pub node: usize,
    /// What.
    pub verb: &'static Verb,
    /// How: one value for each parameter of the verb.
    pub values: [u64; PARAMETERS_MAX],
}

impl Action {
    /// The action with every parameter at its lowest.
    pub fn simplest(at: Instant, node: usize, verb: &'static Verb) -> Action {
        let mut values = [0; PARAMETERS_MAX];
        for (value, parameter) in values.iter_mut().zip(verb.parameters) {
            *value = parameter.low;
        }
        Action { at, node, verb, values }
    }

    /// Carries it out, and says whether it took effect.
    pub(crate) fn act(&self, world: &mut World) -> Effect {
        (self.verb.act)(world, &Call { node: self.node, entity: self.at.0, values: self.values })
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl PartialEq for Action {
    fn eq(&self, other: &Action) -> bool {
        (self.at, self.node, self.verb.name, self.values)
            == (other.at, other.node, other.verb.name, other.values)
    }
}

impl Eq for Action {}
