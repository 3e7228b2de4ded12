//! How long to wait before the next attempt: 2, 4, 8, 16, 32 s with a tenth of jitter, then always 32 s.

use crate::rng::Rng;
use core::time::Duration;

/// The first wait, before jitter.
pub const RETRY_FIRST: Duration = Duration::from_secs(2);
/// The longest wait, before jitter.
pub const RETRY_LONGEST: Duration = Duration::from_secs(32);

/// Counts failed attempts in a row.
#[derive(Debug, Default)]
pub(super) struct Retry {
    failures: u32,
}

impl Retry {
    /// One more attempt failed; returns the wait before the next one.
    pub(super) fn after_failure(&mut self, rng: &mut Rng) -> Duration {
        let wait = RETRY_FIRST.saturating_mul(1 << self.failures.min(8)).min(RETRY_LONGEST);
        self.failures = self.failures.saturating_add(1);
        rng.between(wait - wait / 10, wait + wait / 10)
    }

    /// An attempt succeeded, and what came of it has held.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_end() {
        let mut rng = Rng::new(3);
        for _ in 0..200 {
            let mut retry = Retry::default();
            for seconds in [2, 4, 8, 16, 32, 32, 32] {
                let wait = retry.after_failure(&mut rng);
                let (low, high) = (seconds * 900, seconds * 1100);
                assert!((low..=high).contains(&(wait.as_millis() as u64)), "{wait:?}");
            }
            retry.reset();
            assert!(retry.after_failure(&mut rng) <= Duration::from_millis(2200));
        }
    }
}
