//! The cloud: a door that lets one in at a time, and the queue before it.

use super::Storm;
use std::collections::VecDeque;

/// One attempt of a node, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Attempt {
    pub(super) node: usize,
    pub(super) number: u32,
}

/// What became of a connection request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Knock {
    /// Nobody listens.
    Refused,
    /// It stands in the queue.
    Queued,
    /// The queue is full; the request is lost.
    Lost,
}

#[derive(Debug)]
pub(super) struct Cloud {
    listens_us: u64,
    cost_us: u64,
    backlog: usize,
    queue: VecDeque<Attempt>,
    busy: bool,
}

impl Cloud {
    pub(super) fn new(storm: &Storm, restart_us: u64) -> Cloud {
        Cloud {
            listens_us: restart_us + storm.outage.as_micros() as u64,
            cost_us: 1_000_000u64.div_ceil(u64::from(storm.handshakes_per_second.max(1))),
            backlog: storm.backlog.max(1),
            queue: VecDeque::new(),
            busy: false,
        }
    }

    pub(super) fn knock(&mut self, now_us: u64, attempt: Attempt) -> Knock {
        if now_us < self.listens_us {
            return Knock::Refused;
        }
        if self.queue.len() >= self.backlog {
            return Knock::Lost;
        }
        self.queue.push_back(attempt);
        Knock::Queued
    }

    /// Begins the next handshake if none is going on; says whose, and when it will be complete.
    pub(super) fn accept(
        &mut self,
        now_us: u64,
        goes_on: impl Fn(Attempt) -> bool,
    ) -> Option<(u64, Attempt)> {
        if self.busy {
            return None;
        }
        let attempt = std::iter::from_fn(|| self.queue.pop_front()).find(|&attempt| goes_on(attempt))?;
        self.busy = true;
        Some((now_us + self.cost_us, attempt))
    }

    /// A handshake is complete.
    pub(super) fn done(&mut self) {
        self.busy = false;
    }
}
