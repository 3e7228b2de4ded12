//! How long it took what has just come to its end: what the flight recorder says of its blocks, so that whoever looks for
//! what was late need not replay all of them.

use super::Hub;
use crate::time::Instant;
use core::fmt;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// When the oldest began of what has come to its end.
///
/// As an output does, it tells of the last step, and nothing is decided by it. So it is not shown with the state of a hub, which a
/// tick before the deadline does not change.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Oldest(Option<Instant>);

impl fmt::Debug for Oldest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl Oldest {
    /// Something that began then has come to its end.
    pub(super) fn see(&mut self, since: Instant) {
        self.0 = Some(self.0.map_or(since, |oldest| oldest.min(since)));
    }

    fn forget(&mut self) {
        self.0 = None;
    }
}

impl Hub {
    /// No message that has come to its end since the hub was drained for the last time but one had been on its way for
    /// longer, and no request had waited for longer that has ended since.
    pub fn longest_ended(&self) -> Duration {
        let ended = [self.outbox.ended(), self.modules.ended(), self.sync_keeper.ended()];
        let oldest = ended.into_iter().filter_map(|Oldest(oldest)| oldest).min();
        oldest.map_or(Duration::ZERO, |oldest| self.now.mono.since(oldest))
    }

    /// When the oldest began of what is on its way, or waited for.
    pub fn holds_since(&self) -> Option<Instant> {
        let held = [self.outbox.holds_since(), self.modules.holds_since(), self.sync_keeper.holds_since()];
        held.into_iter().flatten().min()
    }

    /// What has ended before is known to whoever has drained the hub.
    pub(super) fn forget_ended(&mut self) {
        if core::mem::take(&mut self.drained) {
            self.outbox.ended_mut().forget();
            self.modules.ended_mut().forget();
            self.sync_keeper.ended_mut().forget();
        }
    }
}
