//! A message is dropped for a reason, and the reason is a claim: the names of the rules that a false one breaks, and the
//! claims by which a module's message is refused before it waits.

use super::{Check, Outcome, Step, broken};
use edgehub_core::hub::{Direction, DropReason};
use edgehub_core::limits::SYNC_PENDING_MAX;
use edgehub_core::{Input, ModuleEvent, ModuleId, Note, Output};
use std::collections::BTreeSet;

/// The rule that a false reason breaks.
pub(super) fn rule(reason: DropReason) -> &'static str {
    match reason {
        DropReason::OutboxFull => "false-outbox-full",
        DropReason::ClassFull => "false-class-full",
        DropReason::Expired => "false-expired",
        DropReason::Superseded => "false-superseded",
        DropReason::TooLargeForClass => "false-too-large",
        DropReason::LinkLost => "false-link-lost",
        DropReason::RequestExpired => "false-request-expired",
        DropReason::RequestIdTaken => "false-id-taken",
        DropReason::TooManyRequests => "false-too-many",
        DropReason::NotForTheCloud => "false-not-for-the-cloud",
        DropReason::NotJoined => "false-not-joined",
        DropReason::Shutdown => "false-shutdown",
        DropReason::NoWaiter => "false-no-waiter",
        DropReason::UnknownGroup => "false-unknown-group",
        DropReason::UnknownSource => "false-unknown-source",
        DropReason::NoReceiver => "false-no-receiver",
        DropReason::InboxFull => "false-inbox-full",
        DropReason::ModuleGone => "false-gone",
        DropReason::ModuleStalled => "false-stalled",
        DropReason::Duplicate => "false-duplicate",
        DropReason::JournalFull => "false-journal-full",
        DropReason::JournalLost => "false-journal-lost",
    }
}

/// Who has joined, and whether the hub was told to stop.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    joined: BTreeSet<ModuleId>,
    told_to_stop: bool,
    /// Requests that wait, before the step.
    requests: usize,
}

impl Refusals {
    /// Whether a message may be refused with this reason.
    fn is_true(&self, reason: DropReason, direction: Direction, msg_id: &str, step: &Step<'_>) -> bool {
        let sent = match step.input {
            Input::Module { module, event: ModuleEvent::Sent { message, .. } }
                if message.msg_id() == msg_id =>
            {
                Some((*module, message))
            }
            _ => None,
        };
        match reason {
            DropReason::Shutdown => self.told_to_stop,
            DropReason::NotJoined => sent.is_some_and(|(module, _)| !self.joined.contains(&module)),
            DropReason::NotForTheCloud => sent.is_some_and(|(_, message)| {
                !["", "websocket", "hub", "edgehub"].contains(&message.destination())
            }),
            DropReason::TooManyRequests => sent.is_some() && self.requests >= SYNC_PENDING_MAX,
            // These are of one way only; whether they are true others know.
            DropReason::NoWaiter
            | DropReason::UnknownGroup
            | DropReason::UnknownSource
            | DropReason::NoReceiver
            | DropReason::InboxFull
            | DropReason::ModuleGone
            | DropReason::ModuleStalled
            | DropReason::Duplicate => direction == Direction::Down,
            _ => direction == Direction::Up,
        }
    }
}

impl Check for Refusals {
    fn name(&self) -> &'static str {
        "refusals"
    }

    fn after(&mut self, step: &Step<'_>) -> Outcome {
        self.told_to_stop |= *step.input == Input::Shutdown;
        for output in step.outputs {
            if let Output::Note(Note::Dropped { direction, msg_id, reason }) = output
                && !self.is_true(*reason, *direction, msg_id, step)
            {
                return broken(rule(*reason), format!("{msg_id} is dropped ({reason}), and that is not so"));
            }
        }
        self.requests = step.hub.pending_requests();
        match step.input {
            Input::Module { module, event: ModuleEvent::Joined { .. } }
                if !step.outputs.contains(&Output::JoinRefused { module: *module }) =>
            {
                self.joined.insert(*module);
            }
            Input::Module { module, event: ModuleEvent::Left } => drop(self.joined.remove(module)),
            _ => {}
        }
        Ok(())
    }
}
