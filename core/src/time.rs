//! Time as an argument: nothing in this crate reads a clock.

use core::ops::{Add, Sub};
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// A point on the driver's monotonic clock, in microseconds since a start of the driver's choosing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Instant(pub u64);

impl Instant {
    /// Time since `earlier`, zero when `earlier` is later.
    pub fn since(self, earlier: Instant) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;
    /// Saturates at the end of time, some 580,000 years after the start.
    fn add(self, length: Duration) -> Instant {
        Instant(self.0.saturating_add(u64::try_from(length.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;
    fn sub(self, length: Duration) -> Instant {
        Instant(self.0.saturating_sub(u64::try_from(length.as_micros()).unwrap_or(u64::MAX)))
    }
}

/// Wall-clock time: milliseconds since 1970-01-01 UTC, as message timestamps carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct UnixMillis(pub i64);

/// The two clocks at the moment of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Now {
    /// What deadlines are measured with.
    pub mono: Instant,
    /// What messages are stamped with; it decides nothing else.
    pub wall: UnixMillis,
}

impl Now {
    /// Both clocks from plain numbers: microseconds and Unix milliseconds.
    pub fn new(mono_us: u64, wall_ms: i64) -> Now {
        Now { mono: Instant(mono_us), wall: UnixMillis(wall_ms) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_instead_of_wrapping() {
        assert_eq!(Instant(5) + Duration::MAX, Instant(u64::MAX));
        assert_eq!(Instant(5) - Duration::from_secs(1), Instant(0));
        assert_eq!(Instant(5).since(Instant(9)), Duration::ZERO);
        assert_eq!(Instant(9).since(Instant(5)), Duration::from_micros(4));
    }
}
