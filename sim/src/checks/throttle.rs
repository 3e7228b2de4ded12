//! In any window of time no more bulk messages leave than the rate allows, and one burst.
//!
//! Over all windows at once: what was written counts as a debt that the rate works off; it must never be more than a
//! burst.

use super::{Check, Outcome, Step};
use edgehub_core::config::Rate;
use edgehub_core::message::operation;
use edgehub_core::{Config, Input, Instant, Message, Output};

/// One message, in the unit in which a microsecond works off the rate.
const MESSAGE: u128 = 1_000_000;

#[derive(Debug)]
pub(super) struct Throttle {
    rate: Option<Rate>,
    debt: u128,
    at: Instant,
}

impl Throttle {
    pub(super) fn new(config: &Config) -> Throttle {
        Throttle { rate: config.rate, debt: 0, at: Instant(0) }
    }
}

/// What the cloud waits for does not wait for others.
fn is_bulk(message: &Message) -> bool {
    let answers = !message.parent_msg_id().is_empty();
    !answers && !matches!(message.operation(), operation::RESPONSE | operation::KEEPALIVE)
}

impl Check for Throttle {
    fn name(&self) -> &'static str {
        "throttle"
    }

    fn after(&mut self, step: &Step<'_>) -> Outcome {
        let mut begins = false;
        if let Input::Reconfigure(config) = step.input
            && config.rate != self.rate
        {
            // What leaves in the same moment may still have been under the old rate.
            begins = true;
            (self.rate, self.debt) = (config.rate, 0);
        }
        let Some(rate) = self.rate.filter(|rate| rate.per_second > 0) else { return Ok(()) };
        for output in step.outputs {
            let Output::Write { message, .. } = output else { continue };
            if begins || !is_bulk(message) {
                continue;
            }
            let passed = u128::from(step.now.mono.0.saturating_sub(self.at.0));
            self.debt = self.debt.saturating_sub(passed * u128::from(rate.per_second)) + MESSAGE;
            self.at = step.now.mono;
            let burst = u128::from(rate.burst.max(1));
            if self.debt > burst * MESSAGE {
                return Err(format!("more than a burst of {burst} and {} per second", rate.per_second));
            }
        }
        Ok(())
    }
}
