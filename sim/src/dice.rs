//! The choices of whoever makes a scenario up, from one seed.

use edgehub_core::rng::Rng;

/// A generator with the few questions that are asked.
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
        self.0.below(1000) < per_mille
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn number(&mut self, low: u64, high: u64) -> u64 {
        low + self.0.below(high.saturating_sub(low) + 1)
    }

    /// An index into something of this length.
    pub(crate) fn index(&mut self, len: usize) -> usize {
        self.0.below(len as u64) as usize
    }

    /// A number from `low` to `high`, small ones as likely as large ones.
    pub(crate) fn magnitude(&mut self, low: u64, high: u64) -> u64 {
        let span = high.saturating_sub(low);
        let bits = self.number(0, u64::from(64 - span.leading_zeros()));
        low + self.0.below(1u64.checked_shl(bits as u32).unwrap_or(u64::MAX)).min(span)
    }
}
