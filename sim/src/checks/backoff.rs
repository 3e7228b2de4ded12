//! The wait between two links: never under the floor, spread over a range that doubles with every failure and goes back
//! to its base after a link that held (defect D5). One without a session did not, however long it was open. What another
//! certificate ends has not failed: it is dialled again at once.

use super::{Check, Outcome, Step, broken};
use edgehub_core::hub::LinkEnd;
use edgehub_core::limits::BACKOFF_FLOOR;
use edgehub_core::{Config, Input, Instant, Note, Output};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Backoff {
    config: Config,
    /// Attempts in a row that failed.
    failures: u32,
    opened: Option<Instant>,
    /// No attempt may begin before.
    not_before: Instant,
    /// Waits in a row that were the longest possible: chance gives one in a million.
    longest: u32,
}

impl Backoff {
    pub(super) fn new(config: &Config) -> Backoff {
        Backoff { config: config.clone(), failures: 0, opened: None, not_before: Instant(0), longest: 0 }
    }

    fn waits(&mut self, now: Instant, wait: Duration, end: LinkEnd) -> Outcome {
        let opened = self.opened.take().filter(|_| end != LinkEnd::NoSession);
        let held = opened.is_some_and(|opened| now.since(opened) >= self.config.stable_after);
        self.failures = if held { 0 } else { self.failures };
        if end == LinkEnd::Renewed {
            self.not_before = now + wait;
            return match wait.is_zero() {
                true => Ok(()),
                false => broken("renewal-backs-off", format!("{wait:?} until a renewed link is dialled")),
            };
        }
        let doubled = self.config.backoff_base.saturating_mul(2u32.saturating_pow(self.failures.min(20)));
        let range = doubled.min(self.config.backoff_max).max(BACKOFF_FLOOR);
        if wait < BACKOFF_FLOOR || wait > range {
            return broken(
                "range",
                format!("{wait:?} after {} failures is not in {BACKOFF_FLOOR:?}..{range:?}", self.failures),
            );
        }
        // A range of a few microseconds is hit by chance.
        let spread = range.saturating_sub(BACKOFF_FLOOR) > Duration::from_millis(1);
        self.longest = if wait == range && spread { self.longest + 1 } else { 0 };
        if self.longest >= 3 {
            return broken(
                "no-jitter",
                format!("{wait:?} is the whole range, for the third time in a row: no jitter"),
            );
        }
        self.failures = self.failures.saturating_add(1);
        self.not_before = now + wait;
        Ok(())
    }
}

impl Check for Backoff {
    fn name(&self) -> &'static str {
        "backoff"
    }

    fn after(&mut self, step: &Step<'_>) -> Outcome {
        for output in step.outputs {
            match output {
                Output::Note(Note::LinkUp { .. }) => self.opened = Some(step.now.mono),
                Output::Note(Note::LinkDown { retry_in: Some(wait), end, .. }) => {
                    self.waits(step.now.mono, *wait, *end)?
                }
                Output::Open { epoch, .. } if step.now.mono < self.not_before => {
                    return broken("early", format!("{epoch:?} is dialled before {:?}", self.not_before));
                }
                _ => {}
            }
        }
        // It counts from the next wait on; deadlines that had come were settled before.
        if let Input::Reconfigure(config) = step.input {
            self.config = (**config).clone();
        }
        Ok(())
    }
}
