//! The books balance, and what they hold is bounded.

use super::{Check, Outcome, Step, broken};
use edgehub_core::hub::LinkState;
use edgehub_core::limits::{
    CONTROL_QUEUE_MAX, INBOX_MESSAGES_MAX, MODULES_MAX, SYNC_PENDING_MAX, WRITE_WINDOW_MESSAGES,
};
use edgehub_core::{Config, Input, LinkEvent, Output};

#[derive(Debug)]
pub(super) struct Books {
    up_max: u64,
    unflushed: usize,
    stopped: bool,
}

impl Books {
    pub(super) fn new(config: &Config) -> Books {
        Books { up_max: up_max(config), unflushed: 0, stopped: false }
    }

    fn window(&mut self, step: &Step<'_>) -> Outcome {
        if let Input::Link { epoch, event: LinkEvent::Flushed { messages, .. } } = step.input
            && *epoch == step.epoch
        {
            self.unflushed = self.unflushed.saturating_sub(*messages);
        }
        for output in step.outputs {
            match output {
                Output::Open { .. } => self.unflushed = 0,
                Output::Write { .. } => self.unflushed += 1,
                _ => {}
            }
        }
        if self.unflushed > WRITE_WINDOW_MESSAGES {
            return broken("window", format!("{} messages written and not flushed", self.unflushed));
        }
        Ok(())
    }
}

/// What the outbox holds, with the hub's own messages.
fn up_max(config: &Config) -> u64 {
    (config.outbox_messages.max(1) + 2 * CONTROL_QUEUE_MAX + WRITE_WINDOW_MESSAGES) as u64
}

impl Check for Books {
    fn name(&self) -> &'static str {
        "books and bounds"
    }

    fn after(&mut self, step: &Step<'_>) -> Outcome {
        if let Input::Reconfigure(config) = step.input {
            // A smaller outbox keeps what it holds until that has left.
            self.up_max = self.up_max.max(up_max(config));
        }
        let account = step.hub.account();
        if !account.balanced() {
            return broken(
                "balance",
                format!("accepted ≠ confirmed + written + pending + dropped: {account:?}"),
            );
        }
        if account.up.pending > self.up_max
            || account.down.pending > (MODULES_MAX * INBOX_MESSAGES_MAX) as u64
        {
            return broken("bounds", format!("more is pending than the bounds allow: {account:?}"));
        }
        if step.hub.pending_requests() > SYNC_PENDING_MAX {
            return broken("requests", format!("{} requests wait", step.hub.pending_requests()));
        }
        self.window(step)?;
        if self.stopped
            && step.outputs.iter().any(|output| {
                !matches!(
                    output,
                    Output::Note(_)
                        | Output::JoinRefused { .. }
                        | Output::Receipt { .. }
                        | Output::Bury { .. }
                        | Output::Forget { .. }
                        | Output::Deliver { answer: true, .. }
                )
            })
        {
            return broken("after-stop", format!("something follows Stopped: {:?}", step.outputs));
        }
        self.stopped |= step.outputs.contains(&Output::Stopped);
        if self.stopped != (step.hub.link_state() == LinkState::Stopped) {
            return broken(
                "stop-state",
                format!("Stopped was said: {}, but the hub is {:?}", self.stopped, step.hub.link_state()),
            );
        }
        // What the journal keeps is pending; that it does is checked elsewhere.
        let kept = step.hub.outbox_messages().count() as u64;
        if self.stopped
            && (account.up.pending > kept || account.down.pending > 0 || step.hub.pending_requests() > 0)
        {
            return broken("stop-open", format!("stopped with open books: {account:?}"));
        }
        Ok(())
    }
}
