//! A link on which nothing is heard is given up when `ping_interval × (ping_misses + 1)` has passed since the last sign of
//! life, and a ping has had its interval; not later, and never before (defect D4). Nobody counts while nobody reads.

use super::super::pings::Pings;
use super::{Due, Outcome, Step, broken, length};
use edgehub_core::hub::LinkEnd;
use edgehub_core::{Config, Input, Instant, LinkEpoch, LinkEvent, Note, Output};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Silence {
    interval: Duration,
    patience: Duration,
    /// The open link and its last sign of life.
    link: Option<(LinkEpoch, Instant)>,
    paused: bool,
    pings: Pings,
    /// The first ping since then, which was certainly sent since then …
    asked: Option<Instant>,
    /// … or perhaps: it left in the same step.
    asked_perhaps: Option<Instant>,
}

impl Silence {
    pub(super) fn new(config: &Config) -> Silence {
        let mut silence = Silence {
            interval: Duration::ZERO,
            patience: Duration::ZERO,
            link: None,
            paused: false,
            pings: Pings::default(),
            asked: None,
            asked_perhaps: None,
        };
        silence.configure(config);
        silence
    }

    fn configure(&mut self, config: &Config) {
        self.interval = length(config.ping_interval);
        self.patience = self.interval * (config.ping_misses.max(1) + 1);
    }

    /// The link was called silent: may it?
    fn given_up(&self, step: &Step<'_>) -> Outcome {
        let (Some((epoch, heard)), now) = (self.link, step.now.mono) else { return Ok(()) };
        let (mut patience, mut interval) = (self.patience, self.interval);
        if let Input::Reconfigure(config) = step.input {
            interval = interval.min(length(config.ping_interval));
            patience = patience.min(interval * (config.ping_misses.max(1) + 1));
        }
        if heard + patience > now {
            return broken(
                "silent-early",
                format!("{epoch:?} is called silent at {now:?}, heard at {heard:?}"),
            );
        }
        if self.asked_perhaps.is_none_or(|asked| asked + interval > now) {
            let asked = self.asked_perhaps;
            return broken(
                "silent-unasked",
                format!("{epoch:?} is called silent at {now:?}, asked {asked:?}"),
            );
        }
        Ok(())
    }

    fn heard(&mut self, now: Instant, pinged: bool) {
        if let Some((_, heard)) = &mut self.link {
            *heard = now;
            self.asked = None;
            self.asked_perhaps = pinged.then_some(now);
        }
    }

    /// Whether what a step was about proves that the link works.
    fn is_sign_of_life(&mut self, step: &Step<'_>) -> bool {
        match step.input {
            // A shorter patience begins now.
            Input::Reconfigure(_) => true,
            Input::Link { epoch, event } if self.link.is_some_and(|(current, _)| current == *epoch) => {
                match event {
                    LinkEvent::Received(_) | LinkEvent::Malformed(_) | LinkEvent::Progress => true,
                    LinkEvent::Pong(number) => {
                        let answers = self.pings.is_answered_by(*number);
                        if answers {
                            self.pings.answered(*number);
                        }
                        answers
                    }
                    _ => false,
                }
            }
            _ => false,
        }
    }

    pub(super) fn after(&mut self, step: &Step<'_>) -> Outcome {
        let now = step.now.mono;
        let alive = self.is_sign_of_life(step);
        let mut pinged = false;
        let mut resumed = false;
        for output in step.outputs {
            self.pings.observe(output, now);
            match output {
                Output::Note(Note::LinkUp { epoch, .. }) => {
                    self.link = Some((*epoch, now));
                    (self.asked, self.asked_perhaps, self.paused) = (None, None, false);
                }
                Output::Note(Note::LinkDown { end, .. }) => {
                    if *end == LinkEnd::Silent {
                        self.given_up(step)?;
                    }
                    (self.link, self.paused) = (None, false);
                }
                Output::Ping { .. } => {
                    pinged = true;
                    self.asked.get_or_insert(now);
                    self.asked_perhaps.get_or_insert(now);
                }
                Output::Pause { .. } => self.paused = true,
                Output::Resume { .. } => (self.paused, resumed) = (false, true),
                _ => {}
            }
        }
        if let Input::Reconfigure(config) = step.input {
            self.configure(config);
        }
        if alive || resumed {
            self.heard(now, pinged);
        }
        Ok(())
    }

    pub(super) fn due(&self) -> Option<Due> {
        let (Some((_, heard)), Some(asked), false) = (self.link, self.asked, self.paused) else {
            return None;
        };
        let at = (heard + self.patience).max(asked + self.interval);
        Some(Due { overdue: "silence-unnoticed", untimed: "silence-untimed", at })
    }
}
