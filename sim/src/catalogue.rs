//! Everything that an action can be: traffic, and every family of faults.

use crate::faults;
use crate::scenario::{Subject, Verb};
use crate::traffic;

/// Verbs that belong together.
#[derive(Debug)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// Its verbs.
    pub verbs: &'static [Verb],
}

/// Every family of faults. A new one goes to the end: the order is part of what a seed means.
pub static FAULTS: [Family; 15] = [
    faults::opening::FAMILY,
    faults::closing::FAMILY,
    faults::silence::FAMILY,
    faults::delay::FAMILY,
    faults::framing::FAMILY,
    faults::pressure::FAMILY,
    faults::epochs::FAMILY,
    faults::cloud::FAMILY,
    faults::hostile::FAMILY,
    faults::edge::FAMILY,
    faults::clock::FAMILY,
    faults::modules::FAMILY,
    faults::disk::FAMILY,
    faults::endpoints::FAMILY,
    faults::udp::FAMILY,
];

/// What an operator or a driver does; faults too, but not of anybody else.
pub static OWN: [Family; 2] = [faults::control::FAMILY, faults::driver::FAMILY];

/// The same; what came later is drawn last, so that a seed keeps what it meant.
pub static LATER: [Family; 2] = [faults::renewal::FAMILY, faults::cloud::LATER];

/// … and what came later still, behind the settings that came with those.
pub static LATEST: [Family; 1] = [faults::clock::LATER];

/// What modules and the cloud send.
pub static TRAFFIC: Family = traffic::FAMILY;

/// Every verb.
pub fn verbs() -> impl Iterator<Item = &'static Verb> {
    FAULTS.iter().chain(&OWN).chain(&LATER).chain(&LATEST).chain([&TRAFFIC]).flat_map(|family| family.verbs)
}

/// The verb of this name.
pub(crate) fn verb(subject: Subject, name: &str) -> Option<&'static Verb> {
    verbs().find(|verb| verb.subject == subject && verb.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::PARAMETERS_MAX;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_ranges_hold_something() {
        let mut names = BTreeSet::new();
        for verb in verbs() {
            assert!(names.insert((verb.subject == Subject::Node, verb.name)), "{} is there twice", verb.name);
            assert!(verb.parameters.len() <= PARAMETERS_MAX, "{}", verb.name);
            for parameter in verb.parameters {
                assert!(parameter.low <= parameter.high, "{} {}", verb.name, parameter.name);
            }
        }
    }
}
