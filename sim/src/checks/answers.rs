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
            _ if goes_on(step, msg_id, outcome) => Ok(()),
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
        let Some((module, message, timeout)) = request(step) else { return };
        let length = timeout.unwrap_or(self.sync_timeout).max(Duration::from_micros(1));
        let wait = Wait { module, deadline: step.now.mono + length };
        self.waiting.insert(message.msg_id().to_string(), wait);
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

/// The request that a module makes in this step.
fn request<'a>(step: &Step<'a>) -> Option<(ModuleId, &'a Message, Option<Duration>)> {
    match step.input {
        Input::Module { module, event: ModuleEvent::Sent { message, timeout, .. } } if message.is_sync() => {
            Some((*module, message, *timeout))
        }
        _ => None,
    }
}

/// Whether another request took the id of one that waits, and was refused: that one goes on.
fn goes_on(step: &Step<'_>, msg_id: &str, outcome: SyncOutcome) -> bool {
    let repeats = request(step).is_some_and(|(_, message, _)| message.msg_id() == msg_id);
    repeats && matches!(outcome, SyncOutcome::Rejected(reason) if is_refusal(reason))
}

impl Check for Answers {
    fn name(&self) -> &'static str {
        "answers"
    }

    fn after(&mut self, step: &Step<'_>) -> Outcome {
        self.in_time(step)?;
        // A request that takes the id of one that just ended waits on its own, unless it ended as well.
        let (mut ended, mut begins) = (Vec::new(), true);
        for output in step.outputs {
            if let Output::Note(Note::SyncEnded { msg_id, outcome }) = output {
                self.ended(step, msg_id, *outcome)?;
                let waited = !goes_on(step, msg_id, *outcome) && self.waiting.remove(&**msg_id).is_some();
                let is_new = request(step).is_some_and(|(_, message, _)| message.msg_id() == &**msg_id);
                begins &= waited || !is_new;
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
        if begins {
            self.begin(step);
        }
        if let Input::Reconfigure(config) = step.input {
            self.sync_timeout = config.sync_timeout;
        }
        Ok(())
    }
}
