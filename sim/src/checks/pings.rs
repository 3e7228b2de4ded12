//! Pings of the present link whose pongs may still come.

use edgehub_core::limits::PINGS_MAX;
use edgehub_core::{Note, Output};
use std::collections::VecDeque;

#[derive(Debug, Default)]
pub(super) struct Pings {
    /// Their numbers, rising. Of too many the newest are counted with the last one that is remembered.
    on_the_way: VecDeque<u64>,
}

impl Pings {
    pub(super) fn observe(&mut self, output: &Output) {
        match output {
            Output::Ping { number, .. } => {
                if self.on_the_way.len() >= PINGS_MAX {
                    self.on_the_way.pop_back();
                }
                self.on_the_way.push_back(*number);
            }
            Output::Note(Note::LinkUp { .. } | Note::LinkDown { .. }) => self.on_the_way.clear(),
            _ => {}
        }
    }

    /// The number of the oldest one.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.on_the_way.front().copied()
    }

    /// Whether a pong of this number answers anything.
    pub(super) fn is_answered_by(&self, pong: u64, last: u64) -> bool {
        pong <= last && self.on_the_way.front().is_some_and(|ping| *ping <= pong)
    }

    /// A pong answers its ping, and those before it.
    pub(super) fn answered(&mut self, pong: u64) {
        while self.on_the_way.front().is_some_and(|ping| *ping <= pong) {
            self.on_the_way.pop_front();
        }
    }
}
