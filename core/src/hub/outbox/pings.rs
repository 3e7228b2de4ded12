//! Which pong confirms what.

use crate::limits::PINGS_MAX;
use alloc::collections::VecDeque;
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Pings {
    /// Messages ever written that want a confirmation.
    pub(super) written: u64,
    /// Pings on the way: number, and how much had been written before it.
    out: VecDeque<(u64, u64)>,
}

impl Pings {
    /// A ping goes out behind everything written so far.
    pub(super) fn pinged(&mut self, number: u64) {
        if self.out.len() >= PINGS_MAX {
            self.out.pop_back();
        }
        self.out.push_back((number, self.written));
    }

    /// A pong came back. It covers all that was written before its ping, and any earlier ping with it: a peer may leave
    /// pongs out. Returns how much had been written, or `None` when no ping up to this one is on its way.
    pub(super) fn answered(&mut self, number: u64) -> Option<u64> {
        let at = self.out.partition_point(|&(ping, _)| ping <= number).checked_sub(1)?;
        let (_, before) = self.out[at];
        self.out.drain(..=at);
        Some(before)
    }

    /// Their link is gone.
    pub(super) fn forget(&mut self) {
        self.out.clear();
    }
}
