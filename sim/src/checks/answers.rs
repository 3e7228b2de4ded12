//! An answer in time ends its wait and reaches the module that asked, and nobody else as an answer; whoever gets none
//! is told (defects D1, D7).

use super::{Check, Outcome, Step, broken};
use edgehub_core::hub::{DropReason, SyncOutcome};
use edgehub_core::message::operation;
use edgehub_core::{Config, Input, Instant, LinkEvent, Message, ModuleEvent, ModuleId, Note, Output};
use std::collections::BTreeMap;
use std::time::Duration;

/// Who waits for an answer, and until when.
#[derive(Debug, Clone, Copy)]
struct Wait {
    module: ModuleId,
    deadline: Instant,
}

#[derive(Debug)]
pub(super) struct Answers {
    sync_timeout: Duration,
    waiting: BTreeMap<String, Wait>,
}

impl Answers {
    pub(super) fn new(config: &Config) -> Answers {
        Answers { sync_timeout: config.sync_timeout, waiting: BTreeMap::new() }
    }

    /// The wait that a message of this step answers, if the hub could read it.
    fn answered<'a>(&self, step: &Step<'a>) -> Option<(&'a Message, Wait)> {
        let Input::Link { event: LinkEvent::Received(message), .. } = step.input else { return None };
        let refused = |output: &Output| {
            matches!(output, Output::Note(Note::StaleLinkEvent { .. } | Note::UnexpectedLinkEvent { .. }))
        };
        if message.is_link_control() || step.outputs.iter().any(refused) {
            return None;
        }
        let wait = self.waiting.get(message.parent_msg_id()).filter(|wait| wait.deadline > step.now.mono)?;
        Some((message, *wait))
    }

    fn in_time(&self, step: &Step<'_>) -> Outcome {
        let Some((message, Wait { module, .. })) = self.answered(step) else { return Ok(()) };
        let delivered = Output::Deliver { module, message: message.clone(), answer: true };
        if step.outputs.contains(&delivered) {
            return Ok(());
        }
        broken(
            "not-given",
            format!(
                "{module:?} waits for {}, and does not get {}",
                message.parent_msg_id(),
                message.msg_id()
            ),
        )
    }

    /// Every wait that ended did so for its reason, and its module was told.
    fn ended(&self, step: &Step<'_>, msg_id: &str, outcome: SyncOutcome) -> Outcome {
        let Some(Wait { module, deadline }) = self.waiting.get(msg_id).copied() else { return Ok(()) };
        let over = deadline <= step.now.mono;
        match outcome {
            // Another request took its id, and was refused: this one goes on.
            SyncOutcome::Rejected(reason) if is_refusal(reason) && is_sent(step, msg_id) => Ok(()),
            SyncOutcome::Response | SyncOutcome::Error if over => broken(
                "late",
                format!(
                    "{msg_id} is answered ({outcome:?}) at {:?}; its time was {deadline:?}",
                    step.now.mono
                ),
            ),
            SyncOutcome::Timeout if !over => {
                broken("too-early", format!("{msg_id} times out before {deadline:?}"))
            }
            SyncOutcome::Rejected(DropReason::ModuleGone | DropReason::RequestIdTaken) => Ok(()),
            SyncOutcome::Timeout | SyncOutcome::Rejected(_) => {
                let told = |output: &Output| {
                    matches!(output, Output::Deliver { module: to, message, answer: true }
                        if *to == module && message.parent_msg_id() == msg_id
                            && message.operation() == operation::ERROR)
                };
                match step.outputs.iter().any(told) {
                    true => Ok(()),
                    false => {
                        broken("untold", format!("{msg_id} ended ({outcome:?}), and {module:?} is not told"))
                    }
                }
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, step: &Step<'_>) {
        let Input::Module { module, event: ModuleEvent::Sent { message, timeout, .. } } = step.input else {
            return;
        };
        let refused = |output: &Output| {
            matches!(output, Output::Note(Note::SyncEnded { msg_id, outcome: SyncOutcome::Rejected(_) })
                if **msg_id == *message.msg_id())
        };
        if message.is_sync() && !step.outputs.iter().any(refused) {
            let length = timeout.unwrap_or(self.sync_timeout).max(Duration::from_micros(1));
            let wait = Wait { module: *module, deadline: step.now.mono + length };
            self.waiting.insert(message.msg_id().to_string(), wait);
        }
    }
}

/// Why a request can be refused without ever having waited.
pub(super) fn is_refusal(reason: DropReason) -> bool {
    use DropReason::{
        NotForTheCloud, NotJoined, RequestIdTaken, Shutdown, TooLargeForClass, TooManyRequests,
    };
    matches!(
        reason,
        RequestIdTaken | NotJoined | NotForTheCloud | Shutdown | TooLargeForClass | TooManyRequests
    )
}

/// Whether a step is about a message of this id that a module sends.
fn is_sent(step: &Step<'_>, msg_id: &str) -> bool {
    matches!(step.input,
        Input::Module { event: ModuleEvent::Sent { message, .. }, .. } if message.msg_id() == msg_id)
}

impl Check for Answers {
    fn name(&self) -> &'static str {
        "answers"
    }

    fn after(&mut self, step: &Step<'_>) -> Outcome {
        self.in_time(step)?;
        let mut ended = Vec::new();
        for output in step.outputs {
            if let Output::Note(Note::SyncEnded { msg_id, outcome }) = output {
                self.ended(step, msg_id, *outcome)?;
                ended.push(&**msg_id);
            }
        }
        for output in step.outputs {
            if let Output::Deliver { module, message, answer: true } = output
                && !ended.contains(&message.parent_msg_id())
            {
                return broken(
                    "unasked",
                    format!("{module:?} gets {} as an answer, and no wait ended", message.msg_id()),
                );
            }
        }
        // A request that takes the id of one that just ended waits on its own.
        for msg_id in ended {
            if !is_sent(step, msg_id)
                || self.waiting.get(msg_id).is_some_and(|wait| wait.deadline <= step.now.mono)
            {
                self.waiting.remove(msg_id);
            }
        }
        self.begin(step);
        if let Input::Reconfigure(config) = step.input {
            self.sync_timeout = config.sync_timeout;
        }
        Ok(())
    }
}
