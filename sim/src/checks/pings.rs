//! Pings of the present link whose pongs may still come.

use edgehub_core::limits::PINGS_MAX;
use edgehub_core::{Instant, Note, Output};
use std::collections::VecDeque;

#[derive(Debug, Default)]
pub(super) struct Pings {
    /// Their numbers, rising, and when each left. Of too many the newest are counted with the last one that is remembered.
    on_the_way: VecDeque<(u64, Instant)>,
    /// The number of the last one, of whatever link.
    last: u64,
}

impl Pings {
    pub(super) fn observe(&mut self, output: &Output, now: Instant) {
        match output {
            Output::Ping { number, .. } => {
                if self.on_the_way.len() >= PINGS_MAX {
                    self.on_the_way.pop_back();
                }
                self.on_the_way.push_back((*number, now));
                self.last = *number;
            }
            Output::Note(Note::LinkUp { .. } | Note::LinkDown { .. }) => self.on_the_way.clear(),
            _ => {}
        }
    }

    /// When the oldest one left.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.on_the_way.front().map(|(_, at)| *at)
    }

    /// Whether a pong of this number answers anything.
    pub(super) fn is_answered_by(&self, pong: u64) -> bool {
        pong <= self.last && self.on_the_way.front().is_some_and(|(ping, _)| *ping <= pong)
    }

    /// A pong answers its ping, and those before it.
    pub(super) fn answered(&mut self, pong: u64) {
        while self.on_the_way.front().is_some_and(|(ping, _)| *ping <= pong) {
            self.on_the_way.pop_front();
        }
    }
}
