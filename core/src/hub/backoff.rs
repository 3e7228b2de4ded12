//! How long to wait before the next attempt: exponential, with full jitter.
//!
//! A fixed wait lets every node of a restarted cloud come back in the same second (defect D5); a wait drawn evenly
//! from the whole range spreads them over it.

use crate::canary::{Canary, Planted};
use crate::config::Config;
use crate::limits::BACKOFF_FLOOR;
use crate::rng::Rng;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// Counts failed attempts in a row.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The same, and another endpoint is dialled soon. That it has to be is no failed attempt of its own.
    pub(super) fn other(&mut self, lived: Option<Duration>, config: &Config, planted: Planted) {
        let held = lived.is_some_and(|lived| lived >= config.stable_after);
        if held && !planted.is(Canary::BackoffNeverResets) {
            self.failures = 0;
        }
    }

    /// A link ended after living `lived`, or never opened (`None`). Returns the wait before the next attempt.
    ///
    /// A link that lives shorter than the configured stable time counts as a failed attempt: CloudHub lets a node in
    /// and drops it at once when it is overloaded.
    pub(super) fn after(
        &mut self,
        lived: Option<Duration>,
        config: &Config,
        rng: &mut Rng,
        planted: Planted,
    ) -> Duration {
        self.other(lived, config, planted);
        let range = config.backoff_base.saturating_mul(1 << self.failures.min(20)).min(config.backoff_max);
        self.failures = self.failures.saturating_add(1);
        let floor = if planted.is(Canary::BackoffFloorIgnored) { Duration::ZERO } else { BACKOFF_FLOOR };
        let longest = range.max(BACKOFF_FLOOR);
        rng.between(if planted.is(Canary::JitterMissing) { longest } else { floor }, longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest and the shortest of many waits after so many failures in a row.
    fn check(failures: u32, longest: Duration) {
        let (config, mut rng) = (Config::default(), Rng::new(1));
        let waits: std::vec::Vec<_> = (0..2000)
            .map(|_| Backoff { failures }.after(None, &config, &mut rng, Planted::default()))
            .collect();
        assert!(waits.iter().all(|wait| (BACKOFF_FLOOR..=longest).contains(wait)));
        assert!(*waits.iter().max().unwrap() > longest.mul_f64(0.99), "the whole range is used");
        assert!(*waits.iter().min().unwrap() < BACKOFF_FLOOR + longest.mul_f64(0.01));
    }

    #[test]
    fn the_range_doubles_up_to_its_end() {
        check(0, Duration::from_secs(1));
        check(1, Duration::from_secs(2));
        check(5, Duration::from_secs(32));
        check(6, Duration::from_secs(60));
        check(u32::MAX, Duration::from_secs(60));
    }

    #[test]
    fn only_a_stable_link_resets() {
        let (config, mut rng) = (Config::default(), Rng::new(1));
        let mut failures_after = |lived| {
            let mut backoff = Backoff { failures: 5 };
            backoff.after(Some(lived), &config, &mut rng, Planted::default());
            backoff.failures
        };
        assert_eq!(failures_after(config.stable_after - Duration::from_micros(1)), 6);
        assert_eq!(failures_after(config.stable_after), 1);
    }
}
