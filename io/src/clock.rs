//! The two clocks of this machine, as the core wants them.

use edgehub_core::{Instant, Now, UnixMillis};
use std::time::{Duration, SystemTime};

/// A monotonic clock that starts at zero, beside the wall clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: std::time::Instant,
}

impl Clock {
    /// Starts at zero now.
    pub fn start() -> Clock {
        Clock { start: std::time::Instant::now() }
    }

    /// Both clocks. A wall clock before 1970 reads as 1970.
    pub fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Now {
            mono: Instant(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)),
            wall: UnixMillis(i64::try_from(wall.as_millis()).unwrap_or(i64::MAX)),
        }
    }

    /// Resolves at a point of this clock, or never.
    pub(crate) async fn sleep_until(&self, at: Option<Instant>) {
        match at.and_then(|at| self.start.checked_add(Duration::from_micros(at.0))) {
            Some(at) => drop(smol::Timer::at(at).await),
            None => std::future::pending().await,
        }
    }
}
