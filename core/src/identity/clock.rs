//! Which time it is, when the own clock and the cloud's disagree.
//!
//! A certificate is valid from one moment to another, and a node's wall clock may be wrong by years: no battery, no network
//! yet. The cloud's `Date` says what the cloud believes, which decides whether it takes a certificate. So once the two
//! were seen to differ, the cloud's time is believed, moved on by the monotonic clock, until the own clock agrees again.

use super::Validity;
use crate::time::{Instant, Now, UnixMillis};

/// The largest difference that is not worth a word: `Date` counts seconds, and an answer takes a while.
pub const SKEW_TOLERATED_MS: i64 = 60_000;

/// What the cloud's clock showed, if it matters.
#[derive(Debug, Default)]
pub(super) struct Clock {
    cloud: Option<(Instant, UnixMillis)>,
    /// Whether somebody vouches for that.
    vouched: bool,
}

impl Clock {
    /// The cloud said what time it is, or, if nobody vouches for it, somebody in its place.
    pub(super) fn heard(&mut self, now: Now, date: UnixMillis, vouched: bool) {
        self.cloud = Some((now.mono, date));
        self.vouched = vouched;
        self.compare(now);
    }

    /// Forgets a time that nobody vouches for.
    pub(super) fn forget_hearsay(&mut self) {
        if !self.vouched {
            self.cloud = None;
        }
    }

    /// Whether the time to judge by is one that nobody vouches for.
    pub(super) fn is_hearsay(&mut self, now: Now) -> bool {
        self.compare(now);
        self.cloud.is_some() && !self.vouched
    }

    /// The time to judge certificates by.
    pub(super) fn time(&mut self, now: Now) -> UnixMillis {
        self.compare(now);
        self.cloud_time(now).unwrap_or(now.wall)
    }

    /// How far the own clock is ahead of the cloud's, in milliseconds; negative when it is behind.
    pub(super) fn skew(&mut self, now: Now) -> Option<i64> {
        self.compare(now);
        Some(now.wall.0.saturating_sub(self.cloud_time(now)?.0))
    }

    fn cloud_time(&self, now: Now) -> Option<UnixMillis> {
        let (at, date) = self.cloud?;
        let passed = i64::try_from(now.mono.since(at).as_millis()).unwrap_or(i64::MAX);
        Some(UnixMillis(date.0.saturating_add(passed)))
    }

    /// Forgets the cloud's time once the own clock shows it, too: that one goes on while a machine sleeps.
    fn compare(&mut self, now: Now) {
        let agrees =
            |cloud: UnixMillis| now.wall.0.saturating_sub(cloud.0).saturating_abs() <= SKEW_TOLERATED_MS;
        if self.cloud_time(now).is_some_and(agrees) {
            self.cloud = None;
        }
    }
}

impl Validity {
    /// What this is worth at a moment. The first and the last second are part of it, and so is what [`SKEW_TOLERATED_MS`] before the
    /// first: a cloud signs from its own present moment on, and a clock that is behind by no more than that is as good as its.
    pub fn at(self, time: UnixMillis) -> Verdict {
        let seconds = time.0.div_euclid(1000);
        match () {
            () if seconds < self.not_before.saturating_sub(SKEW_TOLERATED_MS / 1000) => Verdict::NotYetValid,
            () if seconds > self.not_after => Verdict::Expired,
            () => Verdict::Valid,
        }
    }
}

/// What a certificate's validity is worth at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It will be valid.
    NotYetValid,
    /// It is valid.
    Valid,
    /// It was valid.
    Expired,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cloud_is_believed_until_the_own_clock_agrees() {
        let mut clock = Clock::default();
        assert_eq!(clock.time(Now::new(0, 5)), UnixMillis(5));
        clock.heard(Now::new(0, 0), UnixMillis(SKEW_TOLERATED_MS), true);
        assert_eq!(clock.skew(Now::new(0, 0)), None);
        clock.heard(Now::new(0, 0), UnixMillis(SKEW_TOLERATED_MS + 1), true);
        assert_eq!(clock.skew(Now::new(0, 0)), Some(-SKEW_TOLERATED_MS - 1));
        assert_eq!(clock.time(Now::new(1_000_000, 1)), UnixMillis(SKEW_TOLERATED_MS + 1001));
        assert_eq!(clock.time(Now::new(1_000_000, 2000)), UnixMillis(2000));
        assert_eq!(clock.skew(Now::new(1_000_000, 0)), None);
    }

    #[test]
    fn hearsay_is_forgotten_and_what_is_vouched_for_is_not() {
        for vouched in [false, true] {
            let mut clock = Clock::default();
            clock.heard(Now::new(0, 0), UnixMillis(SKEW_TOLERATED_MS + 1), vouched);
            clock.forget_hearsay();
            assert_eq!(clock.skew(Now::new(0, 0)).is_some(), vouched);
        }
    }

    #[test]
    fn validity_includes_both_ends_and_what_a_clock_may_be_behind() {
        let validity = Validity { not_before: 100, not_after: 120 };
        for (ms, verdict) in [
            (39_999, Verdict::NotYetValid),
            (40_000, Verdict::Valid),
            (120_999, Verdict::Valid),
            (121_000, Verdict::Expired),
            (-1, Verdict::NotYetValid),
        ] {
            assert_eq!(validity.at(UnixMillis(ms)), verdict, "{ms}");
        }
    }
}
