//! The books balance, and what they hold is bounded.

use super::amount::Amount;
use super::{Check, Outcome, Step, broken};
use edgehub_core::hub::{Account, LinkState};
use edgehub_core::limits::{
    CONTROL_QUEUE_MAX, DUPLICATE_WINDOW_MAX, INBOX_MESSAGES_MAX, SYNC_PENDING_MAX, WRITE_WINDOW_BYTES,
    WRITE_WINDOW_MESSAGES,
};
use edgehub_core::{Config, Input, LinkEvent, Output};

#[derive(Debug)]
pub(super) struct Books {
    outbox: Bound,
    /// The most that the duplicate window was ever allowed to hold.
    window_max: usize,
    unflushed: Amount,
    stopped: bool,
}

/// How much there may be of something. A bound that has become smaller is kept once what is there has become less.
#[derive(Debug, Clone, Copy)]
struct Bound {
    set: usize,
    allowed: usize,
}

impl Bound {
    fn new(set: usize) -> Bound {
        Bound { set, allowed: set }
    }

    fn admits(&mut self, there: usize) -> bool {
        self.allowed = self.set.max(self.allowed.min(there));
        there <= self.allowed
    }
}

impl Books {
    pub(super) fn new(config: &Config) -> Books {
        Books {
            outbox: Bound::new(outbox_max(config)),
            window_max: known_ids_max(config),
            unflushed: Amount::default(),
            stopped: false,
        }
    }

    /// Nothing is written as long as so much is not flushed, be it messages or bytes.
    fn window(&mut self, step: &Step<'_>) -> Outcome {
        if let Input::Link { epoch, event: LinkEvent::Flushed { messages, bytes } } = step.input
            && *epoch == step.epoch
        {
            self.unflushed = self.unflushed.less(Amount { messages: *messages, bytes: *bytes });
        }
        for output in step.outputs {
            match output {
                Output::Open { .. } => self.unflushed = Amount::default(),
                Output::Write { message, .. } => {
                    let Amount { messages, bytes } = self.unflushed;
                    if messages >= WRITE_WINDOW_MESSAGES || bytes >= WRITE_WINDOW_BYTES {
                        let what = format!(
                            "{} is written, and {:?} is not flushed",
                            message.msg_id(),
                            self.unflushed
                        );
                        return broken("window", what);
                    }
                    self.unflushed = self.unflushed.and(message.bytes());
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn bounds(&mut self, step: &Step<'_>, account: &Account) -> Outcome {
        if let Input::Reconfigure(config) = step.input {
            self.outbox.set = outbox_max(config);
            self.window_max = self.window_max.max(known_ids_max(config));
        }
        let (up, down) = (account.up.pending as usize, account.down.pending as usize);
        if !self.outbox.admits(up) || down > step.hub.joined_modules().count() * INBOX_MESSAGES_MAX {
            return broken("bounds", format!("more is pending than the bounds allow: {account:?}"));
        }
        // What waits for a module is known as well.
        let known = step.hub.known_ids();
        if known > self.window_max + down {
            return broken(
                "known-ids",
                format!("{known} ids are known, and {down} messages wait for modules"),
            );
        }
        if step.hub.pending_requests() > SYNC_PENDING_MAX {
            return broken("requests", format!("{} requests wait", step.hub.pending_requests()));
        }
        Ok(())
    }
}

/// What the outbox holds, with the hub's own messages.
fn outbox_max(config: &Config) -> usize {
    config.outbox_messages.max(1) + CONTROL_QUEUE_MAX
}

/// The ids in the duplicate window.
fn known_ids_max(config: &Config) -> usize {
    config.duplicate_window.messages.min(DUPLICATE_WINDOW_MAX)
}

impl Check for Books {
    fn name(&self) -> &'static str {
        "books and bounds"
    }

    fn after(&mut self, step: &Step<'_>) -> Outcome {
        let account = step.hub.account();
        if !account.balanced() {
            return broken(
                "balance",
                format!("accepted ≠ confirmed + written + pending + dropped: {account:?}"),
            );
        }
        self.bounds(step, &account)?;
        self.window(step)?;
        let stops = step.outputs.iter().position(|output| *output == Output::Stopped).map(|at| at + 1);
        let after = if self.stopped { Some(0) } else { stops };
        if let Some(after) = after
            && step.outputs[after..].iter().any(|output| {
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
        self.stopped |= stops.is_some();
        if self.stopped != (step.hub.link_state() == LinkState::Stopped) {
            return broken(
                "stop-state",
                format!("Stopped was said: {}, but the hub is {:?}", self.stopped, step.hub.link_state()),
            );
        }
        // What the journal keeps is pending; that it does is checked elsewhere.
        let kept = || step.hub.outbox_messages().count() as u64;
        if self.stopped
            && (account.down.pending > 0 || step.hub.pending_requests() > 0 || account.up.pending > kept())
        {
            return broken("stop-open", format!("stopped with open books: {account:?}"));
        }
        Ok(())
    }
}
