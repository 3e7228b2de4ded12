//! A peer that lives and does not answer a ping is called stalled when a silent link would be given up, and given up itself
//! after the longer limit; neither before. Nobody counts while nobody reads.

use super::super::pings::Pings;
use super::{Due, Outcome, Step, broken, length};
use edgehub_core::hub::LinkEnd;
use edgehub_core::{Config, Input, Instant, LinkEvent, Note, Output};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Answering {
    patience: Duration,
    limit: Duration,
    pings: Pings,
    paused: bool,
    /// When it was read again, or an answer came.
    listens_since: Instant,
    stalled: bool,
}

impl Answering {
    pub(super) fn new(config: &Config) -> Answering {
        let mut answering = Answering {
            patience: Duration::ZERO,
            limit: Duration::ZERO,
            pings: Pings::default(),
            paused: false,
            listens_since: Instant(0),
            stalled: false,
        };
        answering.configure(config);
        answering
    }

    fn configure(&mut self, config: &Config) {
        self.patience = length(config.ping_interval) * (config.ping_misses.max(1) + 1);
        self.limit = config.pong_limit.max(self.patience);
    }

    /// Since when an answer is missing.
    fn missing_since(&self) -> Option<Instant> {
        self.pings.oldest().map(|at| at.max(self.listens_since))
    }

    fn begins_again(&mut self) {
        (self.paused, self.stalled, self.listens_since) = (false, false, Instant(0));
    }

    pub(super) fn after(&mut self, step: &Step<'_>) -> Outcome {
        let now = step.now.mono;
        let reconfigured = matches!(step.input, Input::Reconfigure(_));
        let since = self.missing_since();
        if let Input::Link { epoch, event: LinkEvent::Pong(number) } = step.input
            && *epoch == step.epoch
            && self.pings.is_answered_by(*number)
            && !step.outputs.iter().any(|output| matches!(output, Output::Note(Note::LinkDown { .. })))
        {
            self.pings.answered(*number);
            self.listens_since = now;
        }
        for output in step.outputs {
            self.pings.observe(output, now);
            match output {
                Output::Note(Note::LinkUp { .. }) => self.begins_again(),
                Output::Note(Note::LinkDown { end, .. }) => {
                    let early = since.is_none_or(|since| since + self.limit > now);
                    if *end == LinkEnd::Stalled && (early || !self.stalled) && !reconfigured {
                        return broken("stalled-early", format!("at {now:?}, unanswered since {since:?}"));
                    }
                    self.begins_again();
                }
                Output::Note(Note::PeerStalled { .. }) => {
                    let early = since.is_none_or(|since| since + self.patience > now);
                    if self.stalled || (early && !reconfigured) {
                        return broken("stall-untrue", format!("at {now:?}, unanswered since {since:?}"));
                    }
                    self.stalled = true;
                }
                Output::Note(Note::PeerRecovered { .. }) => {
                    if !self.stalled {
                        return broken("recovered-untrue", "nobody had said that it was stalled".into());
                    }
                    self.stalled = false;
                }
                Output::Pause { .. } => self.paused = true,
                Output::Resume { .. } => (self.paused, self.listens_since) = (false, now),
                _ => {}
            }
        }
        if let Input::Reconfigure(config) = step.input {
            self.configure(config);
        }
        Ok(())
    }

    pub(super) fn due(&self) -> Option<Due> {
        let since = self.missing_since().filter(|_| !self.paused)?;
        Some(match self.stalled {
            false => Due::new("peer-stall-unsaid", "peer-stall-untimed", since + self.patience),
            true => Due::new("pong-limit-exceeded", "pong-limit-untimed", since + self.limit),
        })
    }
}
