//! Within the window nothing is delivered twice, nothing is called a duplicate that is none, and what was acknowledged
//! is acknowledged again when it comes again.
//!
//! The hub counts its window from the moment in which the last copy has left it. This check knows the moment from which
//! it may count at the earliest, and judges only what is certain.

use super::{Check, Outcome, Step, broken};
use crate::key;
use edgehub_core::config::{Acknowledge, DuplicateWindow};
use edgehub_core::hub::{Direction, DropReason};
use edgehub_core::message::operation;
use edgehub_core::{Config, Input, Instant, LinkEvent, Message, ModuleEvent, ModuleId, Note, Output};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug)]
pub(super) struct Duplicates {
    window: DuplicateWindow,
    by_hub: BTreeSet<String>,
    /// Events that may have brought a message into the window.
    events: u64,
    /// When each module got each message: the time, and the events until then.
    given: BTreeMap<(ModuleId, u64), (Instant, u64)>,
    /// When a copy of each message was last received, delivered or thrown away.
    seen: BTreeMap<u64, Instant>,
    /// Ids that were acknowledged while the hub was certain to know them.
    acknowledged: BTreeSet<u64>,
    /// Ids whose acknowledgement has a reason.
    may_be_acknowledged: BTreeSet<u64>,
    accepted_up: u64,
}

impl Duplicates {
    pub(super) fn new(config: &Config) -> Duplicates {
        let mut duplicates = Duplicates {
            window: config.duplicate_window,
            by_hub: BTreeSet::new(),
            events: 0,
            given: BTreeMap::new(),
            seen: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
            may_be_acknowledged: BTreeSet::new(),
            accepted_up: 0,
        };
        duplicates.configure(config);
        duplicates
    }

    fn configure(&mut self, config: &Config) {
        let by_hub = config.acknowledge.iter().filter(|(_, by)| **by == Acknowledge::Hub);
        self.by_hub = by_hub.map(|(group, _)| group.clone()).collect();
        self.window = config.duplicate_window;
    }

    /// Whether the hub must know this delivery still.
    fn is_certain(&self, (since, events): (Instant, u64), now: Instant) -> bool {
        since + self.window.time > now && self.events - events < self.window.messages as u64
    }

    fn delivered(&mut self, module: ModuleId, message: &Message, now: Instant) -> Outcome {
        let key = key::of(message.msg_id());
        self.events += 1;
        self.seen.insert(key, now);
        if self.by_hub.contains(message.group()) {
            self.may_be_acknowledged.insert(key);
        }
        let before = self.given.insert((module, key), (now, self.events));
        match before.filter(|before| self.is_certain(*before, now)) {
            Some((since, _)) => broken(
                "twice",
                format!("{module:?} gets {} a second time, {:?} later", message.msg_id(), now.since(since)),
            ),
            None => Ok(()),
        }
    }

    /// A message was called a duplicate.
    fn duplicate(&mut self, message: &Message, step: &Step<'_>, own: u64) -> Outcome {
        let (key, now) = (key::of(message.msg_id()), step.now.mono);
        let waits = step.hub.account().down.pending > 0;
        if !self.seen.get(&key).is_some_and(|since| waits || *since + self.window.time > now) {
            return broken(
                "false-duplicate",
                format!("{} is called a duplicate and is none", message.msg_id()),
            );
        }
        if self.acknowledged.contains(&key) && own == 0 {
            return broken(
                "not-acknowledged",
                format!("{} came again and is not acknowledged again", message.msg_id()),
            );
        }
        Ok(())
    }

    /// A module sends an acknowledgement; whether the hub must have noticed.
    fn acknowledges(&mut self, module: ModuleId, message: &Message, step: &Step<'_>) {
        let key = key::of(message.parent_msg_id());
        self.may_be_acknowledged.insert(key);
        let refused = step.outputs.iter().any(|output| {
            matches!(output, Output::Note(Note::Dropped { direction: Direction::Up, reason, .. })
                if matches!(reason, DropReason::NotForTheCloud | DropReason::NotJoined | DropReason::Shutdown))
        });
        let given = self.given.get(&(module, key));
        if !refused && given.is_some_and(|given| self.is_certain(*given, step.now.mono)) {
            self.acknowledged.insert(key);
        }
    }

    fn observe(&mut self, output: &Output, step: &Step<'_>) -> Outcome {
        match output {
            Output::Deliver { module, message, answer: false } if is_judged(message) => {
                self.delivered(*module, message, step.now.mono)
            }
            Output::Note(Note::Dropped { direction: Direction::Down, msg_id, reason }) => {
                if *reason != DropReason::Duplicate {
                    self.events += 1;
                    self.seen.insert(key::of(msg_id), step.now.mono);
                    // Who lacks it gets it the next time, acknowledged or not.
                    self.acknowledged.remove(&key::of(msg_id));
                }
                Ok(())
            }
            Output::Write { message, .. }
                if message.operation() == operation::RESPONSE
                    && !message.parent_msg_id().is_empty()
                    && !self.may_be_acknowledged.contains(&key::of(message.parent_msg_id())) =>
            {
                broken(
                    "acknowledged-by-nobody",
                    format!("{} is acknowledged by nobody", message.parent_msg_id()),
                )
            }
            _ => Ok(()),
        }
    }
}

impl Check for Duplicates {
    fn name(&self) -> &'static str {
        "duplicates"
    }

    fn after(&mut self, step: &Step<'_>) -> Outcome {
        let accepted = step.hub.account().up.accepted;
        let own = accepted - self.accepted_up;
        self.accepted_up = accepted;
        match step.input {
            Input::Link { event: LinkEvent::Received(message), .. } => {
                if message.is_link_control() {
                    self.may_be_acknowledged.insert(key::of(message.msg_id()));
                } else if is_judged(message) {
                    let is_called = |output: &Output| {
                        matches!(output, Output::Note(Note::Dropped { reason: DropReason::Duplicate, .. }))
                    };
                    if step.outputs.iter().any(is_called) {
                        self.duplicate(message, step, own)?;
                    } else {
                        let key = key::of(message.msg_id());
                        self.acknowledged.remove(&key);
                        self.seen.insert(key, step.now.mono);
                    }
                }
            }
            Input::Module { module, event: ModuleEvent::Sent { message, .. } }
                if message.operation() == operation::RESPONSE =>
            {
                self.acknowledges(*module, message, step);
            }
            Input::Reconfigure(config) => {
                // What a smaller window has let go is not known for certain.
                if config.duplicate_window != self.window {
                    self.given.clear();
                    self.acknowledged.clear();
                }
                self.configure(config);
            }
            _ => {}
        }
        step.outputs.iter().try_for_each(|output| self.observe(output, step))?;
        if let Input::Module { module, event: ModuleEvent::Left } = step.input {
            self.given.retain(|(of, _), _| of != module);
        }
        Ok(())
    }
}

/// The hub's own news about the link and answers come once.
fn is_judged(message: &Message) -> bool {
    message.parent_msg_id().is_empty() && !message.msg_id().is_empty() && message.source() != "edgehub"
}
