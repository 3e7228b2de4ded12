//! What modules send leaves no faster than the rate limit allows in any stretch of time. That answers and
//! acknowledgements never wait for it (defect D8) is `timely`'s to say, which knows their order. Every set of classes
//! of a scenario exempts the same messages.

use super::timely::is_probe;
use super::{Outcome, Step, broken};
use edgehub_core::config::Rate;
use edgehub_core::limits::{WRITE_WINDOW_BYTES, WRITE_WINDOW_MESSAGES};
use edgehub_core::message::operation;
use edgehub_core::{Config, Input, Instant, LinkEvent, Message, Note, Output};
use std::time::Duration;

/// Parts of a token.
const TOKEN: u128 = 1_000_000;

#[derive(Debug)]
pub(super) struct RateLimit {
    rate: Option<Rate>,
    level: u128,
    /// What there is of it at least.
    least: u128,
    at: Instant,
    up: bool,
    messages: usize,
    bytes: usize,
}

impl RateLimit {
    pub(super) fn new(config: &Config) -> RateLimit {
        RateLimit {
            rate: of(config),
            level: full(of(config)),
            least: full(of(config)),
            at: Instant(0),
            up: false,
            messages: 0,
            bytes: 0,
        }
    }

    fn input(&mut self, step: &Step<'_>) {
        match step.input {
            Input::Link { epoch, event: LinkEvent::Flushed { messages, bytes } } if *epoch == step.epoch => {
                self.messages = self.messages.saturating_sub(*messages);
                self.bytes = self.bytes.saturating_sub(*bytes);
            }
            Input::Reconfigure(config) if of(config) != self.rate => {
                // What was due before leaves first, with the tokens of before.
                let before = match self.rate {
                    _ if !step.was_due() => 0,
                    Some(_) => self.level / TOKEN * TOKEN,
                    None => u128::from(u64::MAX) * TOKEN,
                };
                self.rate = of(config);
                (self.level, self.least) = (before + full(self.rate), full(self.rate));
            }
            _ => {}
        }
    }

    fn written(&mut self, message: &Message) -> Outcome {
        self.messages += 1;
        self.bytes += message.bytes();
        if is_control(message) || self.rate.is_none() {
            return Ok(());
        }
        match self.level.checked_sub(TOKEN) {
            Some(level) => (self.level, self.least) = (level, self.least.saturating_sub(TOKEN)),
            None => return broken("token", format!("{} leaves without a token", message.msg_id())),
        }
        Ok(())
    }
}

/// The rate as the hub takes it: nothing per second is no limit.
fn of(config: &Config) -> Option<Rate> {
    config.rate.filter(|rate| rate.per_second > 0)
}

fn full(rate: Option<Rate>) -> u128 {
    rate.map_or(0, |rate| u128::from(rate.burst.max(1)) * TOKEN)
}

pub(super) fn is_control(message: &Message) -> bool {
    let control = matches!(message.operation(), operation::RESPONSE | operation::KEEPALIVE);
    control || is_probe(message) || message.is_response() || message.is_link_control()
}

impl RateLimit {
    /// Whether there is a link and room in its window.
    pub(super) fn is_open(&self) -> bool {
        self.up && self.messages < WRITE_WINDOW_MESSAGES && self.bytes < WRITE_WINDOW_BYTES
    }

    /// When there is a token; `None` if none is needed.
    pub(super) fn token_at(&self) -> Option<Instant> {
        let rate = self.rate?;
        let missing = TOKEN.saturating_sub(self.least).div_ceil(u128::from(rate.per_second));
        Some(self.at + Duration::from_micros(missing as u64))
    }

    /// Judges a step.
    pub(super) fn after(&mut self, step: &Step<'_>) -> Outcome {
        let now = step.now.mono.max(self.at);
        if let Some(rate) = self.rate {
            let refill = now.since(self.at).as_micros() * u128::from(rate.per_second);
            self.level = (self.level + refill).min(full(self.rate));
            self.least = (self.least + refill).min(full(self.rate));
        }
        self.at = now;
        self.input(step);
        for output in step.outputs {
            match output {
                Output::Write { message, .. } => self.written(message)?,
                Output::Note(Note::LinkUp { .. }) => (self.up, self.messages, self.bytes) = (true, 0, 0),
                Output::Note(Note::LinkDown { .. }) => self.up = false,
                _ => {}
            }
        }
        self.level = self.level.min(full(self.rate));
        Ok(())
    }
}
