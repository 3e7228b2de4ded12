//! Every choice of the world, from one seed.

use edgehub_core::rng::Rng;
use std::time::Duration;

/// A generator with the few questions that the world asks.
#[derive(Debug, Clone)]
pub(crate) struct Dice(Rng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(Rng::new(seed))
    }

    pub(crate) fn seed(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// True this many times in a thousand.
    pub(crate) fn chance(&mut self, per_mille: u64) -> bool {
        per_mille > 0 && self.0.below(1000) < per_mille
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn number(&mut self, low: u64, high: u64) -> u64 {
        low + self.0.below(high.saturating_sub(low) + 1)
    }

    /// An index into something of this length.
    pub(crate) fn index(&mut self, len: usize) -> usize {
        self.0.below(len as u64) as usize
    }

    pub(crate) fn millis(&mut self, low: u64, high: u64) -> Duration {
        self.0.between(Duration::from_millis(low), Duration::from_millis(high))
    }

    pub(crate) fn between(&mut self, range: (Duration, Duration)) -> Duration {
        self.0.between(range.0, range.1)
    }
}
