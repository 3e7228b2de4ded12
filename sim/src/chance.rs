//! What a scenario leaves open, as a function of its salt and of whom it is about.
//!
//! There is no sequence: every value is drawn on its own, from numbers that name what it is for. An action that is
//! taken out of a scenario changes no value that belongs to another one.

use edgehub_core::rng::Rng;
use std::time::Duration;

/// What a value is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum For {
    HubSeed,
    CloudSeed,
    Latency,
    Dial,
    Flush,
    Told,
    Taking,
    Answer,
    Clock,
    Driver,
    Disk,
    Streams,
    Version,
}

/// The salt of a scenario.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Salt(pub(crate) u64);

impl Salt {
    /// 64 bits for this purpose and these entities.
    pub(crate) fn draw(self, what: For, ids: [u64; 3]) -> u64 {
        let mut state = self.0 ^ ((what as u64 + 1) << 56);
        for id in ids {
            state = Rng::new(state ^ id.wrapping_mul(0xd6e8_feb8_6659_fd93)).next_u64();
        }
        state
    }

    /// A length between the two, both included.
    pub(crate) fn between(self, low: Duration, high: Duration, what: For, ids: [u64; 3]) -> Duration {
        Rng::new(self.draw(what, ids)).between(low, high)
    }

    /// A length of so many milliseconds, at most.
    pub(crate) fn up_to_ms(self, high: u64, what: For, ids: [u64; 3]) -> Duration {
        self.between(Duration::ZERO, Duration::from_millis(high), what, ids)
    }

    /// True so many times in a thousand.
    pub(crate) fn is(self, per_mille: u64, what: For, ids: [u64; 3]) -> bool {
        self.draw(what, ids) % 1000 < per_mille
    }
}
