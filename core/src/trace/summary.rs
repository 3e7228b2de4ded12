//! What a block says of its messages, so that whoever looks for some need not replay all of them.
//!
//! Whoever records sums up what goes by, and looks at the hub now and then; whoever replays finds out whether it is true.

use crate::canary::{Planted, TraceCanary};
use crate::hub::{Hub, Note, Output};
use crate::time::Instant;
use core::fmt;
use core::time::Duration;

/// What happened to messages while a block was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Messages that were dropped, or copies of them.
    pub dropped: u32,
    /// No message that came to its end then was on its way for longer, and no request waited for longer.
    pub longest: Duration,
}

/// What is found to be old is taken for older by one of so many parts: as long as nothing is older than that, nobody has to look
/// at the hub again.
const PARTS: u32 = 4;

/// Sums up a block that is being written.
#[derive(Debug, Default)]
pub(super) struct Summing {
    summary: Summary,
    /// Up to this time nothing is on its way for longer than the summary says.
    until: Instant,
    planted: Planted<TraceCanary>,
}

impl Summing {
    #[cfg(feature = "canaries")]
    pub(super) fn plant(&mut self, planted: Planted<TraceCanary>) {
        self.planted = planted;
    }

    /// A step is about to begin. What comes to its end in it is on its way now, for at most as long as the oldest is that the
    /// hub holds.
    pub(super) fn step(&mut self, now: Instant, held_since: impl FnOnce() -> Option<Instant>) {
        if now > self.until {
            let oldest = held_since().map_or(now, |since| since.min(now));
            let age = now.since(oldest);
            let longest = &mut self.summary.longest;
            *longest = (*longest).max(age + age / PARTS);
            self.until = oldest + *longest;
        }
    }

    pub(super) fn output(&mut self, output: &Output) {
        if let Output::Note(Note::Dropped { .. }) = output {
            self.summary.dropped = self.summary.dropped.saturating_add(1);
        }
    }

    /// The summary of a block that is finished.
    pub(super) fn take(&mut self) -> Summary {
        self.until = Instant(0);
        let mut summary = core::mem::take(&mut self.summary);
        if self.planted.is(TraceCanary::DropsUntold) {
            summary.dropped = 0;
        }
        if self.planted.is(TraceCanary::AgeUntold) {
            summary.longest = Duration::ZERO;
        }
        summary
    }
}

/// Why the summary of a block is not true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untrue {
    /// The replay drops another number of messages.
    Dropped {
        /// What the block says.
        said: u32,
        /// So many are dropped.
        found: u32,
    },
    /// Something came to its end that had been on its way for longer.
    Longest {
        /// What the block says.
        said: Duration,
        /// It was on its way for so long.
        found: Duration,
    },
}

impl fmt::Display for Untrue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Untrue::Dropped { said, found } => {
                write!(f, "it says that {said} messages were dropped meanwhile, and they are {found}")
            }
            Untrue::Longest { said, found } => {
                write!(
                    f,
                    "it says that nothing was on its way for longer than {said:?}, and it was {found:?}"
                )
            }
        }
    }
}

/// Finds out whether a block that is replayed is summed up as it should be.
#[derive(Debug)]
pub(super) struct Checking {
    said: Summary,
    dropped: u32,
    /// Up to this time nothing is on its way for longer than the summary says.
    until: Instant,
    /// When something began that must not come to its end in the present step.
    too_old: Option<Instant>,
    untrue: Option<Untrue>,
}

impl Checking {
    pub(super) fn of(said: Summary) -> Checking {
        Checking { said, dropped: 0, until: Instant(0), too_old: None, untrue: None }
    }

    /// A step is about to begin.
    pub(super) fn step(&mut self, now: Instant, hub: &Hub) {
        if now > self.until {
            let oldest = hub.holds_since().map_or(now, |since| since.min(now));
            self.until = oldest + self.said.longest;
            self.too_old = Some(oldest).filter(|_| now > self.until);
        }
    }

    /// The step is over.
    pub(super) fn stepped(&mut self, hub: &Hub) {
        if let Some(since) = self.too_old.take()
            && hub.holds_since() != Some(since)
        {
            let found = hub.now().mono.since(since);
            self.untrue.get_or_insert(Untrue::Longest { said: self.said.longest, found });
        }
    }

    pub(super) fn output(&mut self, output: &Output) {
        if let Output::Note(Note::Dropped { .. }) = output {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// The block is over.
    pub(super) fn end(self) -> Option<Untrue> {
        let (said, found) = (self.said.dropped, self.dropped);
        self.untrue.or((said != found).then_some(Untrue::Dropped { said, found }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records a step each microsecond; `since` says since when something is held then. Returns how often that was asked.
    fn looks(steps: u64, since: impl Fn(u64) -> u64) -> (u64, Summary) {
        let (mut summing, mut looks) = (Summing::default(), 0);
        for now in 1..=steps {
            summing.step(Instant(now), || {
                looks += 1;
                Some(Instant(since(now)))
            });
        }
        (looks, summing.take())
    }

    /// It is what recording costs beside the records themselves.
    #[test]
    fn the_hub_is_looked_at_a_few_times_a_block() {
        // What is confirmed within 5 ms: four looks in as much time, however many messages there are.
        let (steady, said) = looks(1_000_000, |now| now.saturating_sub(5_000));
        assert!(steady < 900, "{steady} looks in a second");
        assert!(said.longest >= Duration::from_micros(5_000) && said.longest <= Duration::from_micros(6_250));
        // What is held for as long as that: one look whenever it has become older by a fourth.
        let (growing, said) = looks(1_000_000, |_| 0);
        assert!(growing < 80, "{growing} looks in a second");
        assert!(said.longest >= Duration::from_secs(1) && said.longest <= Duration::from_micros(1_250_000));
    }

    #[test]
    fn each_block_begins_anew() {
        let mut summing = Summing::default();
        summing.step(Instant(1_000), || Some(Instant(0)));
        assert_eq!(summing.take().longest, Duration::from_micros(1_250));
        summing.step(Instant(1_001), || Some(Instant(990)));
        assert_eq!(summing.take().longest.as_micros(), 13);
        // Nothing is held while nothing happens: the next step is not late for that.
        summing.step(Instant(2_000), || None);
        summing.step(Instant(9_000_000), || None);
        assert_eq!(summing.take(), Summary::default());
    }
}
