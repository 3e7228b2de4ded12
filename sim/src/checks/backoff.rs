//! The wait between two links: never under the floor, never over what so many failures allow, and really waited.

use super::{Check, Outcome, Step};
use edgehub_core::limits::BACKOFF_FLOOR;
use edgehub_core::{Config, Input, Instant, Note, Output};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Backoff {
    base: Duration,
    longest: Duration,
    stable_after: Duration,
    opened: Option<Instant>,
    failures: u32,
    not_before: Instant,
}

impl Backoff {
    pub(super) fn new(config: &Config) -> Backoff {
        Backoff {
            base: config.backoff_base,
            longest: config.backoff_max,
            stable_after: config.stable_after,
            opened: None,
            failures: 0,
            not_before: Instant(0),
        }
    }

    fn lost(&mut self, now: Instant, retry_in: Duration) -> Outcome {
        if self.opened.take().is_some_and(|opened| now.since(opened) >= self.stable_after) {
            self.failures = 0;
        }
        let doubled = self.base.saturating_mul(2_u32.saturating_pow(self.failures.min(20)));
        let most = doubled.min(self.longest).max(BACKOFF_FLOOR);
        self.failures += 1;
        self.not_before = now + retry_in;
        if (BACKOFF_FLOOR..=most).contains(&retry_in) {
            return Ok(());
        }
        Err(format!("waits {retry_in:?} after {} failures, not {BACKOFF_FLOOR:?} to {most:?}", self.failures))
    }
}

impl Check for Backoff {
    fn name(&self) -> &'static str {
        "backoff"
    }

    fn after(&mut self, step: &Step<'_>) -> Outcome {
        let now = step.now.mono;
        for output in step.outputs {
            match output {
                Output::Note(Note::LinkUp { .. }) => self.opened = Some(now),
                Output::Note(Note::LinkDown { retry_in: Some(retry_in), .. }) => self.lost(now, *retry_in)?,
                Output::Open { epoch } if now < self.not_before => {
                    return Err(format!("{epoch:?} is opened {:?} too early", self.not_before.since(now)));
                }
                _ => {}
            }
        }
        if let Input::Reconfigure(config) = step.input {
            let failures = self.failures;
            let (opened, not_before) = (self.opened, self.not_before);
            *self = Backoff { failures, opened, not_before, ..Backoff::new(config) };
        }
        Ok(())
    }
}
