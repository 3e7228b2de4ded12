//! Small scope, nothing left out: every order in which a few events can reach a hub.
//!
//! From each of a few starts, every sequence of up to so many events of a small alphabet is
//! played on a hub with a tiny configuration, and all [checks](crate::checks) apply after every event. Random runs find what
//! is rare in long histories; this shows that no short history was forgotten.
//!
//! Two histories that lead to the same state have the same future, so only the first of them is continued. A state is
//! everything that the hub, its checks and its driver remember (`fingerprint`), books and clocks included: what is
//! left out is left out soundly.

mod event;
mod fingerprint;
mod lifecycle;
mod node;
mod picture;
mod start;

pub use lifecycle::Lifecycle;
pub use start::Start;

use event::Event;
use fingerprint::Fingerprint;
use node::Node;
use std::collections::BTreeSet;
use std::fmt;

/// What an exploration has seen.
#[derive(Debug, Clone, Default)]
pub struct Exploration {
    /// The longest length of which every sequence was played.
    pub depth: u32,
    /// Sequences of exactly that length that are covered, those that were cut short by a known state included.
    pub interleavings: u128,
    /// Events that were really played and checked, without the replaying of what led there.
    pub steps: u64,
    /// Different states after fewer events than the asked length.
    pub states: usize,
    /// What the link did on its way.
    pub lifecycle: Lifecycle,
}

/// A sequence of events after which something did not hold; none is shorter.
#[derive(Debug, Clone)]
pub struct Counterexample {
    start: Start,
    events: Vec<Event>,
    what: String,
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.what)?;
        writeln!(f, "from the start \"{}\", after", self.start.name())?;
        for event in &self.events {
            writeln!(f, "  {}", event.name())?;
        }
        let depth = self.events.len();
        write!(f, "reproduce: cargo run --release -p edgehub-sim -- exhaustive --depth {depth}")
    }
}

impl std::error::Error for Counterexample {}

/// One sequence that leads to a state nobody has seen before.
#[derive(Debug)]
struct Path {
    start: Start,
    events: Vec<Event>,
}

impl Path {
    fn failed(&self, last: Option<Event>, what: String) -> Counterexample {
        let events = self.events.iter().copied().chain(last).collect();
        Counterexample { start: self.start, events, what }
    }

    /// A hub that has this behind it. What is on a path has been checked before, and is checked again.
    fn node(&self) -> Result<Node, Counterexample> {
        let play = || {
            let mut node = Node::new()?;
            for &event in self.start.events().iter().chain(&self.events) {
                node.play(event)?;
            }
            Ok(node)
        };
        play().map_err(|what| self.failed(None, what))
    }
}

/// Plays every sequence of up to `depth` events from every start, or of fewer, if `goes_on` says no. `told` hears of each length
/// that is done.
pub fn explore(
    depth: u32,
    goes_on: impl Fn() -> bool,
    mut told: impl FnMut(&Exploration),
) -> Result<Exploration, Counterexample> {
    let mut seen = Exploration::default();
    let mut known: BTreeSet<Fingerprint> = BTreeSet::new();
    let mut frontier = Vec::new();
    for start in Start::ALL {
        let path = Path { start, events: Vec::new() };
        if known.insert(Fingerprint::of(&path.node()?)) {
            frontier.push(path);
        }
    }
    for length in 1..=depth {
        let mut next = Vec::new();
        for path in &frontier {
            if !goes_on() {
                return Ok(seen);
            }
            for event in Event::ALL {
                let mut node = path.node()?;
                let step = node.play(event).map_err(|what| path.failed(Some(event), what))?;
                seen.lifecycle.saw(&step).map_err(|what| path.failed(Some(event), what))?;
                seen.steps += 1;
                if length < depth && known.insert(Fingerprint::of(&node)) {
                    let events = path.events.iter().copied().chain([event]).collect();
                    next.push(Path { start: path.start, events });
                }
            }
        }
        seen.depth = length;
        seen.states = known.len();
        seen.interleavings = Start::ALL.len() as u128 * (Event::ALL.len() as u128).pow(length);
        told(&seen);
        frontier = next;
    }
    Ok(seen)
}

#[cfg(test)]
mod tests;
