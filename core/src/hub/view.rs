//! What a hub holds at one moment, to be looked at.

use super::input::{LinkEpoch, ModuleId};
use super::outbox::Held;
use super::timers::Deadline;
use super::{Account, Hub, LinkState};
use crate::class::Classes;
use crate::journal::Health;
use crate::message::Message;
use crate::time::{Instant, Now};
use alloc::boxed::Box;
use alloc::vec::Vec;
use serde::Serialize;

/// Where a message of the outbox stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Standing {
    /// Written; the next pong may confirm it. Counted from the oldest.
    Unconfirmed,
    /// Waiting to be written: keepalives and answers of the hub's own.
    Own,
    /// Waiting to be written: messages of modules, class by class in the order of their priority.
    Waiting,
}

/// A joined module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModuleView {
    /// Its number.
    pub module: ModuleId,
    /// Its name.
    pub name: Box<str>,
    /// Its groups.
    pub groups: Vec<Box<str>>,
    /// Messages that it can take at once …
    pub credit: u32,
    /// … unless it was handed too many bytes that it has not taken.
    pub handed_bytes: usize,
    /// Messages that wait for it.
    pub waiting: usize,
    /// When the oldest of them came.
    pub oldest: Option<Instant>,
    /// Whether it has been declared stalled.
    pub stalled: bool,
}

/// A sync request that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestView {
    /// Its id.
    pub msg_id: Box<str>,
    /// Who asked.
    pub module: ModuleId,
    /// When it began to wait.
    pub since: Instant,
    /// When it gives up.
    pub deadline: Instant,
}

/// A hub at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct View {
    /// The moment.
    pub now: Now,
    /// When the oldest began of what is on its way, or waited for.
    pub holds_since: Option<Instant>,
    /// Where the link is in its life.
    pub link: LinkState,
    /// The latest link.
    pub epoch: LinkEpoch,
    /// Whether modules may send.
    pub intake_open: bool,
    /// Since when the link is not read.
    pub paused_since: Option<Instant>,
    /// What the outbox holds, in the order in which it was or will be written: standing, message id, bytes.
    pub outbox: Vec<(Standing, Box<str>, usize)>,
    /// Messages that wait to be written, by the name of their class, in the order of the classes.
    pub waiting_by_class: Vec<(Box<str>, usize)>,
    /// Bytes in the outbox.
    pub outbox_bytes: usize,
    /// How the journal is, if there is one.
    pub journal: Option<Health>,
    /// Messages handed to the journal and not known to be stored.
    pub unstored: usize,
    /// Messages left to the journal until their turn.
    pub spooled: usize,
    /// Messages written and not yet flushed.
    pub unflushed: usize,
    /// Whether the peer has not answered a ping for long.
    pub peer_stalled: bool,
    /// The modules.
    pub modules: Vec<ModuleView>,
    /// The sync table.
    pub requests: Vec<RequestView>,
    /// Every deadline that runs, the next one first.
    pub deadlines: Vec<Deadline>,
    /// The books.
    pub account: Account,
}

impl Hub {
    /// The hub as it is now.
    pub fn view(&self) -> View {
        let mut deadlines: Vec<Deadline> = self.deadlines().into_iter().flatten().collect();
        deadlines.sort();
        let mut waiting = Vec::new();
        self.waiting_to_be_written(&mut waiting);
        let names = self.classes().classes.iter().map(|class| class.name.clone());
        View {
            now: self.now,
            holds_since: self.holds_since(),
            link: self.state,
            epoch: self.epoch,
            intake_open: self.intake_open,
            paused_since: self.paused,
            outbox: self
                .outbox_messages()
                .map(|Held { standing, msg_id, bytes, .. }| (standing, msg_id.into(), bytes))
                .collect(),
            waiting_by_class: names.zip(waiting).collect(),
            outbox_bytes: self.outbox.bytes(),
            journal: self.journal_health(),
            unstored: self.outbox.unstored(),
            spooled: self.outbox.spooled(),
            unflushed: self.in_flight.messages,
            peer_stalled: self.peer_stalled,
            modules: self.modules.view(),
            requests: self.sync_keeper.view(),
            deadlines,
            account: self.account(),
        }
    }

    /// The time of the latest input; a clock that goes back is held.
    pub fn now(&self) -> Now {
        self.now
    }

    /// When the oldest began of what is on its way, or waited for.
    pub fn holds_since(&self) -> Option<Instant> {
        let outbox = self.outbox.holds_since(self.first_new());
        let held = [outbox, self.modules.holds_since(), self.sync_keeper.holds_since()];
        held.into_iter().flatten().min()
    }

    /// What the outbox holds, in the order in which it was or will be written.
    pub fn outbox_messages(&self) -> impl Iterator<Item = Held<'_>> {
        self.outbox.standing()
    }

    /// Messages that wait in a module's inbox.
    pub fn inbox_messages(&self, module: ModuleId) -> impl Iterator<Item = &Message> {
        self.modules.inbox(module)
    }

    /// The newest message that waits in a module's inbox.
    pub fn newest_waiting(&self, module: ModuleId) -> Option<&Message> {
        self.modules.newest_waiting(module)
    }

    /// Messages of each class that wait to be written, in the order of the classes; returns how many of the hub's own do.
    pub(crate) fn waiting_to_be_written(&self, by_class: &mut Vec<usize>) -> usize {
        self.outbox.waiting(by_class)
    }

    /// Random numbers that it has drawn, if its seed was this one.
    pub(crate) fn numbers_drawn(&self, seed: u64) -> u64 {
        self.rng.drawn(seed)
    }

    /// The classes of messages, as they are now.
    pub(crate) fn classes(&self) -> &Classes {
        &self.config.classes
    }

    /// Messages that are written and that no pong has confirmed.
    pub fn unconfirmed(&self) -> usize {
        self.outbox.unconfirmed()
    }

    /// Messages handed to the journal and not known to be stored.
    pub fn unstored(&self) -> usize {
        self.outbox.unstored()
    }

    /// Messages left to the journal until their turn.
    pub fn spooled(&self) -> usize {
        self.outbox.spooled()
    }

    /// Messages that wait to be written.
    pub fn queued(&self) -> usize {
        self.outbox.queued()
    }

    /// Ids of received messages that would be known again: those in the duplicate window, and those that wait for a module.
    pub fn known_ids(&self) -> usize {
        self.duplicates.len()
    }

    /// The name of a joined module.
    pub fn module_name(&self, module: ModuleId) -> Option<&str> {
        self.modules.name(module)
    }

    /// The joined modules, by number.
    pub fn joined_modules(&self) -> impl Iterator<Item = ModuleId> {
        self.modules.ids()
    }
}
