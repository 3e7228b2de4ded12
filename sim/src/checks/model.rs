//! A reference model of the way down: sets, queues and counters, and no timer, independent of the core's code.
//!
//! It knows who has joined, who waits for an answer, and which messages each module is owed; after every step it says
//! who must have received what, and compares the books. When something is due is not its business: it takes a note for
//! a fact and checks that the rest follows from it.

mod inboxes;
mod reasons;
mod stalls;
mod table;
mod waiters;

use super::timely::is_probe;
use super::{Outcome, Step, broken};
use crate::key;
use edgehub_core::config::Acknowledge;
use edgehub_core::hub::{Account, Direction, DropReason};
use edgehub_core::limits::{MODULE_GROUPS_MAX, MODULES_MAX};
use edgehub_core::message::operation;
use edgehub_core::{Config, Input, LinkEvent, Message, ModuleEvent, ModuleId, Note, Output, Profile};
pub(super) use inboxes::Fill;
use inboxes::{Inboxes, key_of};
use reasons::Reasons;
use stalls::Stalls;
use std::collections::BTreeSet;
use table::Target;
use waiters::Waiters;

#[derive(Debug)]
pub(super) struct Model {
    profile: Profile,
    /// The groups that the hub acknowledges.
    by_hub: BTreeSet<String>,
    up: bool,
    stopped: bool,
    inboxes: Inboxes,
    /// A module that leaves in this step: what its leaving leads to is not for it any more.
    leaving: Option<ModuleId>,
    waiters: Waiters,
    stalls: Stalls,
    reasons: Reasons,
    before: Account,
    /// Questions of the hub's own that left and were not answered.
    probes: BTreeSet<String>,
    asks: bool,
    dropped_up: [u64; DropReason::ALL.len()],
    dropped_down: [u64; DropReason::ALL.len()],
}

/// What a step must have done to the books of the way down.
#[derive(Debug, Default)]
struct Expected {
    accepted: u64,
    settled: u64,
    /// The message that was received, and the module that waits for it.
    answer: Option<(ModuleId, u64)>,
    own_up: u64,
    /// Acknowledgements of the hub that may or may not be due; another check knows.
    own_up_maybe: u64,
}

impl Model {
    pub(super) fn new(config: &Config) -> Model {
        Model {
            profile: config.profile,
            by_hub: by_hub(config),
            up: false,
            stopped: false,
            inboxes: Inboxes::default(),
            leaving: None,
            waiters: Waiters::default(),
            stalls: Stalls::new(config),
            reasons: Reasons::default(),
            before: Account::default(),
            probes: BTreeSet::new(),
            asks: config.probe.is_some(),
            dropped_up: [0; DropReason::ALL.len()],
            dropped_down: [0; DropReason::ALL.len()],
        }
    }

    /// Who must get a message that was received.
    fn received(&mut self, message: &Message, step: &Step<'_>, expected: &mut Expected) {
        if matches!(message.operation(), "ping" | "pong" | "config") {
            (expected.accepted, expected.settled, expected.own_up) = (1, 1, 1);
            return;
        }
        let parent = message.parent_msg_id();
        if self.probes.remove(parent) && !step.outputs.iter().any(|output| tells_of(output, message)) {
            (expected.accepted, expected.settled) = (1, 1);
            return;
        }
        let waiter = if parent.is_empty() { None } else { self.waiters.of(parent, step.outputs) };
        let target = table::target(self.profile, message.group(), message.source(), !parent.is_empty());
        let key = key_of(message);
        let called_duplicate = step.outputs.iter().filter(|output| {
            matches!(output, Output::Note(Note::Dropped { reason: DropReason::Duplicate, .. }))
        });
        let duplicates = called_duplicate.count() as u64;
        let mut owed = 0;
        if !(target.waiter_alone && waiter.is_some()) {
            let mut to = match target.otherwise {
                Target::Group(group) => self.inboxes.members(group),
                Target::Module(name) => self.inboxes.named(name).into_iter().collect(),
                Target::Nobody(_) => Vec::new(),
            };
            if to.is_empty() && waiter.is_none() {
                self.reasons.begin(Some(match target.otherwise {
                    Target::Nobody(reason) => reason,
                    _ => DropReason::NoReceiver,
                }));
            }
            to.retain(|module| Some(*module) != waiter);
            if duplicates > 0 {
                // Either nobody gets it, or those who lack it; that it is a duplicate is the business of another check.
                to.retain(|module| !self.inboxes.has(*module, key));
                let more = step.hub.account().down.accepted - self.before.down.accepted;
                // What was due before may have ended a request.
                let is_answer = |output: &&Output| matches!(output, Output::Deliver { answer: true, .. });
                let others = duplicates + step.outputs.iter().filter(is_answer).count() as u64;
                to.truncate(usize::try_from(more.saturating_sub(others)).unwrap_or(0));
                expected.own_up_maybe += 1;
            }
            owed = to.len() as u64;
            to.into_iter().for_each(|module| self.inboxes.owe(module, key, message.bytes()));
        }
        expected.answer = waiter.map(|module| (module, key));
        // What nobody gets is accepted once, and dropped.
        owed += duplicates;
        expected.accepted += if waiter.is_none() { owed.max(1) } else { owed };
    }

    fn joins(&mut self, module: ModuleId, event: &ModuleEvent, refused: bool) -> Outcome {
        let ModuleEvent::Joined { name, groups, credit } = event else { return Ok(()) };
        let mut groups = groups.clone();
        groups.sort();
        groups.dedup();
        let free = self.inboxes.is_free(module, name) && self.inboxes.len() < MODULES_MAX;
        let may = free && groups.len() <= MODULE_GROUPS_MAX && !self.stopped;
        if may == refused {
            return broken("join", format!("{module:?}, {name}: may join is {may}, refused is {refused}"));
        }
        if may {
            self.inboxes.join(module, name, groups, *credit);
        }
        Ok(())
    }

    fn observe(&mut self, output: &Output, step: &Step<'_>, expected: &mut Expected) -> Outcome {
        self.reasons.observe(output);
        match output {
            Output::Note(Note::LinkUp { .. }) => {
                self.up = true;
                expected.accepted += self.inboxes.owe_connect_info(self.leaving);
            }
            Output::Note(Note::LinkDown { .. }) if self.up => {
                self.up = false;
                self.probes.clear();
                expected.accepted += self.inboxes.owe_connect_info(self.leaving);
            }
            Output::Note(Note::Dropped { direction: Direction::Down, msg_id, reason }) => {
                self.reasons.judge(msg_id, *reason, step, &self.inboxes)?;
                self.dropped_down[*reason as usize] += 1;
                self.inboxes.dropped(msg_id, *reason);
            }
            Output::Note(Note::Dropped { direction: Direction::Up, reason, .. }) => {
                self.dropped_up[*reason as usize] += 1;
            }
            Output::Deliver { module, message, answer: false } => {
                expected.settled += 1;
                expected.own_up_maybe += u64::from(self.by_hub.contains(message.group()));
                self.inboxes.delivered(*module, message)?;
            }
            Output::Deliver { answer: true, .. } => {
                expected.accepted += 1;
                expected.settled += 1;
            }
            Output::Write { message, .. } if is_probe(message) => {
                self.probes.insert(message.msg_id().into());
            }
            Output::Stopped => {
                self.stopped = true;
                self.inboxes.end_all()?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The books say what the notes said, and what was owed.
    fn compare(&mut self, step: &Step<'_>, expected: &Expected) -> Outcome {
        let after = step.hub.account();
        let before = std::mem::replace(&mut self.before, after);
        let (accepted, settled) =
            (after.down.accepted - before.down.accepted, after.down.settled() - before.down.settled());
        if (accepted, settled) != (expected.accepted, expected.settled) {
            return broken(
                "books-down",
                format!("{accepted} accepted and {settled} settled on the way down, not {expected:?}"),
            );
        }
        let sent = u64::from(step.accepted().is_some());
        // A keepalive may have become due.
        let own = after.up.accepted - before.up.accepted - sent;
        let asked = u64::from(self.asks);
        if !(expected.own_up..=expected.own_up + expected.own_up_maybe + asked + 1).contains(&own) {
            return broken(
                "own-up",
                format!("{own} messages of the hub's own, {} or one more were due", expected.own_up),
            );
        }
        for reason in DropReason::ALL {
            let noted = (self.dropped_up[reason as usize], self.dropped_down[reason as usize]);
            if noted != (after.up.dropped_for(reason), after.down.dropped_for(reason)) {
                return broken(
                    "drops-untold",
                    format!("{reason:?}: the notes say {noted:?}, the books {after:?}"),
                );
            }
        }
        Ok(())
    }
}

impl Model {
    /// How full the inboxes are.
    pub(super) fn fill(&self) -> Fill {
        self.inboxes.fill()
    }

    /// Judges a step.
    pub(super) fn after(&mut self, step: &Step<'_>) -> Outcome {
        let mut expected = Expected::default();
        self.leaving = match step.input {
            // What had come due was settled while it was still there.
            Input::Module { module, event: ModuleEvent::Left } if !step.was_due() => Some(*module),
            _ => None,
        };
        self.reasons.begin(None);
        let ignored = |output: &Output| {
            matches!(output, Output::Note(Note::StaleLinkEvent { .. } | Note::UnexpectedLinkEvent { .. }))
        };
        match step.input {
            Input::Link { event: LinkEvent::Received(message), .. }
                if self.up && !step.outputs.iter().any(ignored) =>
            {
                self.received(message, step, &mut expected);
            }
            Input::Module { module, event: ModuleEvent::Ready { credit } } => {
                self.inboxes.ready(*module, *credit);
            }
            _ => {}
        }
        step.outputs.iter().try_for_each(|output| self.observe(output, step, &mut expected))?;
        if let Input::Module { module, event } = step.input {
            // What had come due was settled before it joined, and joining leads to nothing else.
            let refused = Output::JoinRefused { module: *module };
            self.joins(*module, event, step.outputs.contains(&refused))?;
        }
        self.waiters.answers(step, expected.answer, |module| self.inboxes.is_joined(module))?;
        match step.input {
            Input::Module { module, event: ModuleEvent::Left } => {
                self.inboxes.leave(*module)?;
                self.reasons.left(*module);
            }
            Input::Reconfigure(config) => {
                self.profile = config.profile;
                self.by_hub = by_hub(config);
                self.asks |= config.probe.is_some();
            }
            _ => {}
        }
        self.waiters.after(step);
        self.inboxes.settle(step.hub)?;
        self.inboxes.nothing_hidden()?;
        self.stalls.after(step, &self.inboxes.waiting())?;
        self.compare(step, &expected)
    }
}

fn by_hub(config: &Config) -> BTreeSet<String> {
    let by_hub = config.acknowledge.iter().filter(|(_, by)| **by == Acknowledge::Hub);
    by_hub.map(|(group, _)| group.clone()).collect()
}

/// Whether an output is about this very message.
fn tells_of(output: &Output, message: &Message) -> bool {
    match output {
        Output::Note(Note::Dropped { direction: Direction::Down, msg_id, .. }) => {
            **msg_id == *message.msg_id()
        }
        Output::Deliver { message: delivered, .. } => delivered.msg_id() == message.msg_id(),
        _ => false,
    }
}

/// The number of an id.
fn id(text: &str) -> u64 {
    key::of(text)
}

/// Whether a message is the hub's own news about the link.
pub(super) fn is_connect_info(message: &Message) -> bool {
    message.operation() == operation::CONNECT && message.source() == "edgehub"
}
