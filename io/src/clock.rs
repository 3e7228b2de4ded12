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
        let mono = Instant(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX));
        Now { mono, wall: wall() }
    }

    /// An alarm on this clock.
    pub(crate) fn alarm(&self) -> Alarm {
        Alarm { start: self.start, timer: smol::Timer::never(), armed: None }
    }
}

/// The wall clock alone. One before 1970 reads as 1970.
pub(crate) fn wall() -> UnixMillis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Rings at a deadline. Arming a timer costs system calls, and a hub's deadline moves with every message: an alarm
/// that is armed for an earlier moment stays as it is and may ring early, which a hub does not mind.
#[derive(Debug)]
pub(crate) struct Alarm {
    start: std::time::Instant,
    timer: smol::Timer,
    armed: Option<Instant>,
}

impl Alarm {
    /// Resolves at a point of the clock, or a little earlier, or never.
    pub(crate) async fn ring(&mut self, at: Option<Instant>) {
        let Some(at) = at else { return std::future::pending().await };
        if self.armed.is_none_or(|armed| at < armed) {
            match self.start.checked_add(Duration::from_micros(at.0)) {
                Some(moment) => self.timer.set_at(moment),
                None => return std::future::pending().await,
            }
            self.armed = Some(at);
        }
        (&mut self.timer).await;
        self.armed = None;
    }
}
