//! Whoever asked what becomes of a message is told once, and what is true; whoever is rejected, or sends what is larger than it may
//! be, is told without asking.

use super::confirmation::Confirmation;
use super::{Outcome, Step, broken, class_of};
use crate::key;
use edgehub_core::class::{Classes, Overflow};
use edgehub_core::hub::{Direction, DropReason, ReceiptId, Stage};
use edgehub_core::{Config, Input, ModuleEvent, ModuleId, Note, Output};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug)]
pub(super) struct Receipts {
    classes: Classes,
    /// Asked and not told.
    open: BTreeMap<ReceiptId, (ModuleId, u64)>,
    /// The other way round, for ids that were used once.
    asked: BTreeMap<u64, ReceiptId>,
    sent: BTreeSet<u64>,
    /// Told as stored.
    stored: BTreeSet<ReceiptId>,
}

/// What the other outputs of a step say of messages, by the numbers of their ids.
#[derive(Debug, Default)]
struct Facts {
    written: BTreeSet<u64>,
    dropped: BTreeSet<(u64, DropReason)>,
}

impl Facts {
    fn of(step: &Step<'_>) -> Facts {
        let mut facts = Facts::default();
        for output in step.outputs {
            match output {
                Output::Write { message, .. } => drop(facts.written.insert(key::of(message.msg_id()))),
                Output::Note(Note::Dropped { direction: Direction::Up, msg_id, reason }) => {
                    facts.dropped.insert((key::of(msg_id), *reason));
                }
                _ => {}
            }
        }
        facts
    }
}

impl Receipts {
    pub(super) fn new(config: &Config) -> Receipts {
        let classes = config.classes.clone();
        let (open, asked) = (BTreeMap::new(), BTreeMap::new());
        Receipts { classes, open, asked, sent: BTreeSet::new(), stored: BTreeSet::new() }
    }

    /// Judges a step, of which the confirmation has been judged.
    pub(super) fn after(&mut self, step: &Step<'_>, confirmation: &Confirmation) -> Outcome {
        self.rejected(step)?;
        self.ask(step);
        if let Input::Reconfigure(config) = step.input {
            self.classes = config.classes.clone();
        }
        let facts = Facts::of(step);
        for output in step.outputs {
            let Output::Receipt { module, receipt, msg_id, stage } = output else { continue };
            let id = key::of(msg_id);
            let is_true = match stage {
                Stage::Written => facts.written.contains(&id) && !confirmation.is_kept(id),
                // Whether it is stored is the business of another check.
                Stage::Stored => {
                    let asked = receipt.filter(|receipt| self.open.get(receipt) == Some(&(*module, id)));
                    if !asked.is_some_and(|receipt| self.stored.insert(receipt)) {
                        return broken(
                            "stored-unasked",
                            format!("{module:?} is told again, or without asking, that {msg_id} is stored"),
                        );
                    }
                    continue;
                }
                Stage::Confirmed => confirmation.confirmed().contains(&id),
                Stage::Dropped { reason, .. } => facts.dropped.contains(&(id, *reason)),
            };
            if !is_true {
                return broken(
                    "untrue",
                    format!("{module:?} is told {stage:?} of {msg_id}, and it is not so"),
                );
            }
            let Some(receipt) = receipt else { continue };
            if self.open.remove(receipt) != Some((*module, id)) {
                return broken(
                    "unasked",
                    format!("{module:?} is told {stage:?} of {msg_id}, and did not ask or knows it"),
                );
            }
        }
        let dropped = facts.dropped.iter().map(|(id, _)| *id);
        let once = facts.written.iter().copied().filter(|id| !confirmation.is_kept(*id));
        let mut ended = dropped.chain(once).chain(confirmation.confirmed().iter().copied());
        let untold =
            ended.find(|id| self.asked.get(id).is_some_and(|receipt| self.open.contains_key(receipt)));
        if let Some(id) = untold {
            return broken(
                "untold",
                format!("message {id:x} has come to its end, and its sender is not told"),
            );
        }
        match self.open.first_key_value() {
            // What a stop leaves to the journal has no end yet.
            Some(open)
                if step.outputs.contains(&Output::Stopped)
                    && !step.hub.outbox_messages().any(|held| key::of(&held.msg_id) == open.1.1) =>
            {
                broken("open-at-stop", format!("the hub has stopped, and {open:?} was not told"))
            }
            _ => Ok(()),
        }
    }

    /// Who is told without asking: exactly whose message is too large, or has no room in a class that rejects.
    fn rejected(&self, step: &Step<'_>) -> Outcome {
        let unasked = |output: &&Output| matches!(output, Output::Receipt { receipt: None, .. });
        let told: Vec<&Output> = step.outputs.iter().filter(unasked).collect();
        let Input::Module { event: ModuleEvent::Sent { message, receipt: None, .. }, .. } = step.input else {
            return if told.is_empty() { Ok(()) } else { broken("told-unasked", format!("{told:?}")) };
        };
        let class = &self.classes.classes[class_of(&self.classes, message)];
        let id = key::of(message.msg_id());
        if self.sent.contains(&id) {
            // Perhaps it is the other one that is dropped.
            return Ok(());
        }
        let reason =
            Facts::of(step).dropped.iter().find(|(dropped, _)| *dropped == id).map(|(_, reason)| *reason);
        let is_said = |stage: &Stage| match *stage {
            Stage::Dropped { reason: DropReason::TooLargeForClass, limit: Some(limit) } => {
                reason == Some(DropReason::TooLargeForClass)
                    && class.message_bytes.is_none_or(|of_class| limit <= of_class)
            }
            Stage::Dropped { reason: told, limit: None } => {
                reason == Some(told)
                    && matches!(told, DropReason::ClassFull | DropReason::OutboxFull)
                    && class.overflow == Overflow::Reject
            }
            _ => false,
        };
        let is_owed = match reason {
            Some(DropReason::TooLargeForClass) => true,
            Some(DropReason::ClassFull | DropReason::OutboxFull) => class.overflow == Overflow::Reject,
            _ => false,
        };
        match told[..] {
            [] if !is_owed => Ok(()),
            [Output::Receipt { msg_id, stage, .. }] if **msg_id == *message.msg_id() && is_said(stage) => {
                Ok(())
            }
            _ => broken("rejected-untold", format!("{} is dropped ({reason:?}): {told:?}", message.msg_id())),
        }
    }

    fn ask(&mut self, step: &Step<'_>) {
        let Input::Module { module, event: ModuleEvent::Sent { message, receipt, .. } } = step.input else {
            return;
        };
        let id = key::of(message.msg_id());
        if !self.sent.insert(id) {
            // Of two messages with one id nobody can tell which has come to its end.
            self.asked.remove(&id);
        } else if let Some(receipt) = receipt {
            self.asked.insert(id, *receipt);
        }
        if let Some(receipt) = receipt {
            self.open.insert(*receipt, (*module, id));
        }
    }
}
