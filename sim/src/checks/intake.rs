//! Modules wait when the link does not keep pace, or the journal does not, and only then: without a link they need not wait
//! for it, and what waits for the rate limit or its pace is not the link's fault.

use super::amount::Amount;
use super::pace::Pace;
use super::upstream::Upstream;
use super::{Outcome, Step, broken};
use edgehub_core::hub::LinkState;
use edgehub_core::limits::{
    INTAKE_BACKLOG_BYTES, INTAKE_BACKLOG_MESSAGES, JOURNAL_UNSTORED_BYTES, JOURNAL_UNSTORED_MESSAGES,
};
use edgehub_core::{Config, Input, Output};

#[derive(Debug)]
pub(super) struct Intake {
    open: bool,
    has_rate: bool,
    bounds: Amount,
}

impl Intake {
    pub(super) fn new(config: &Config) -> Intake {
        let bounds = Amount { messages: config.outbox_messages.max(1), bytes: config.outbox_bytes };
        Intake { open: true, has_rate: config.rate.is_some_and(|rate| rate.per_second > 0), bounds }
    }

    /// Whether modules may send after a step; `None` when nobody knows.
    fn may_send(&self, step: &Step<'_>, upstream: &Upstream, pace: &Pace, unstored: Amount) -> Option<bool> {
        // What was closed opens again at a lower mark.
        let most = if self.open { 1 } else { 2 };
        if unstored.messages >= JOURNAL_UNSTORED_MESSAGES / most
            || unstored.bytes >= JOURNAL_UNSTORED_BYTES / most
        {
            return Some(false);
        }
        match step.hub.link_state() {
            LinkState::Up | LinkState::Renewing => {}
            LinkState::Opening | LinkState::Waiting | LinkState::Draining => return Some(true),
            LinkState::Stopped => return Some(self.open),
        }
        if upstream.is_ambiguous() {
            return None;
        }
        let (held, queued) = upstream.amounts();
        // Three quarters, and half of it.
        let quarters = if self.open { 3 } else { 2 };
        if held.messages * 4 > self.bounds.messages * quarters
            || held.bytes * 4 > self.bounds.bytes * quarters
        {
            return Some(false);
        }
        let backlog =
            queued.messages > INTAKE_BACKLOG_MESSAGES / most || queued.bytes > INTAKE_BACKLOG_BYTES / most;
        if self.has_rate || !backlog { Some(true) } else { pace.is_draining(upstream) }
    }

    /// Judges a step, which the others have judged.
    pub(super) fn after(
        &mut self,
        step: &Step<'_>,
        upstream: &Upstream,
        pace: &Pace,
        unstored: Amount,
    ) -> Outcome {
        if let Input::Reconfigure(config) = step.input {
            *self = Intake { open: self.open, ..Intake::new(config) };
        }
        let expected = self.may_send(step, upstream, pace, unstored);
        for output in step.outputs {
            if let Output::Intake { open } = output {
                if *open == self.open {
                    return broken("turn", format!("modules are told twice that they may send: {open}"));
                }
                self.open = *open;
            }
        }
        let what = || {
            let (held, queued) = upstream.amounts();
            format!("held {held:?}, queued {queued:?}, unstored {unstored:?} of {self:?}")
        };
        match expected {
            Some(true) if !self.open => broken("closed", what()),
            Some(false) if self.open => broken("open", what()),
            _ => Ok(()),
        }
    }
}
