//! What each module is owed, in order.
//!
//! A note about a drop names the message and not the module. So a drop is remembered by the message until the step is over,
//! and taken for one entry of it when a module is served something behind that entry, or when the module's inbox does not
//! show it any more: whatever is passed over must have been dropped.

use super::{Outcome, broken, id, is_connect_info};
use edgehub_core::hub::DropReason;
use edgehub_core::limits::{
    HANDED_BYTES_MAX, INBOX_BYTES_MAX, INBOX_MESSAGES_MAX, INBOX_PAUSE_AT, INBOX_RESUME_AT,
};
use edgehub_core::{Hub, Message, ModuleId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The groups that learn of the link.
const INFORMED: [&str; 4] = ["meta", "twin", "bus", "taskmanager"];

/// Stands for the hub's own news, whose ids nobody knows beforehand.
const CONNECT_INFO: u64 = 1;

/// No news about the link is longer.
const CONNECT_INFO_BYTES: usize = 1_000;

/// A message that a module is owed: its id, and its bytes.
type Owed = (u64, usize);

#[derive(Debug)]
struct Module {
    name: Box<str>,
    groups: Vec<Box<str>>,
    credit: u64,
    /// The bytes of each message that it was handed and has not taken.
    handed: VecDeque<usize>,
    owed: VecDeque<Owed>,
    /// Bytes of all that it is owed, with the hub's own news as long as they can be.
    bytes: usize,
    /// Those of what came last.
    newest: usize,
}

impl Module {
    fn can_take(&self) -> bool {
        self.credit > 0 && self.handed.iter().sum::<usize>() < HANDED_BYTES_MAX
    }

    fn owes(&self, key: u64) -> bool {
        self.owed.iter().any(|(owed, _)| *owed == key)
    }

    fn pop(&mut self) -> Option<Owed> {
        let (key, bytes) = self.owed.pop_front()?;
        self.bytes -= bytes;
        Some((key, bytes))
    }

    /// The fewest bytes that all of it can have.
    fn fewest_bytes(&self) -> usize {
        self.bytes - self.owed.iter().filter(|(key, _)| *key == CONNECT_INFO).count() * CONNECT_INFO_BYTES
    }
}

/// How full the inboxes are, as far as the reading of the link goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Fill {
    /// One of them is so full that the link must not be read.
    pub(in super::super) must_pause: bool,
    /// One of them may be so full.
    pub(in super::super) may_pause: bool,
    /// All of them are so empty that it must be read.
    pub(in super::super) must_resume: bool,
    /// All of them may be so empty.
    pub(in super::super) may_resume: bool,
}

#[derive(Debug, Default)]
pub(super) struct Inboxes {
    modules: BTreeMap<ModuleId, Module>,
    /// Drops that no entry has been taken for yet.
    dropped: BTreeMap<u64, u64>,
    drops: usize,
    owed: usize,
    /// Who got what, as long as they are joined.
    given: BTreeSet<(ModuleId, u64)>,
}

/// What a message is remembered by.
pub(super) fn key_of(message: &Message) -> u64 {
    if is_connect_info(message) { CONNECT_INFO } else { id(message.msg_id()) }
}

impl Inboxes {
    pub(super) fn len(&self) -> usize {
        self.modules.len()
    }

    pub(super) fn is_joined(&self, module: ModuleId) -> bool {
        self.modules.contains_key(&module)
    }

    pub(super) fn is_free(&self, module: ModuleId, name: &str) -> bool {
        !self.is_joined(module) && self.named(name).is_none()
    }

    pub(super) fn named(&self, name: &str) -> Option<ModuleId> {
        self.modules.iter().find(|(_, module)| &*module.name == name).map(|(id, _)| *id)
    }

    pub(super) fn members(&self, group: &str) -> Vec<ModuleId> {
        let is_member = |module: &Module| module.groups.iter().any(|of| &**of == group);
        self.modules.iter().filter(|(_, module)| is_member(module)).map(|(id, _)| *id).collect()
    }

    pub(super) fn join(&mut self, module: ModuleId, name: &str, groups: Vec<Box<str>>, credit: u32) {
        let (name, credit) = (name.into(), u64::from(credit));
        let (handed, owed) = (VecDeque::new(), VecDeque::new());
        self.modules.insert(module, Module { name, groups, credit, handed, owed, bytes: 0, newest: 0 });
    }

    pub(super) fn ready(&mut self, module: ModuleId, credit: u32) {
        if let Some(module) = self.modules.get_mut(&module) {
            // The hub counts in 32 bits and stops there.
            module.credit = (module.credit + u64::from(credit)).min(u64::from(u32::MAX));
            module.handed.drain(..module.handed.len().min(credit as usize));
        }
    }

    /// Whether a module was given a message, or is owed it.
    pub(super) fn has(&self, module: ModuleId, key: u64) -> bool {
        self.given.contains(&(module, key))
            || self.modules.get(&module).is_some_and(|module| module.owes(key))
    }

    pub(super) fn owe(&mut self, module: ModuleId, key: u64, bytes: usize) {
        if let Some(module) = self.modules.get_mut(&module) {
            module.bytes += bytes;
            module.newest = bytes;
            module.owed.push_back((key, bytes));
            self.owed += 1;
        }
        // Whoever is owed it once more, because nobody remembers it, has it no more if this copy is dropped.
        self.given.remove(&(module, key));
    }

    /// The link came or went: returns how many are told, this one not among them.
    pub(super) fn owe_connect_info(&mut self, except: Option<ModuleId>) -> u64 {
        let members = INFORMED.iter().flat_map(|group| self.members(group));
        let told: Vec<ModuleId> = members.filter(|module| Some(*module) != except).collect();
        told.iter().for_each(|module| self.owe(*module, CONNECT_INFO, CONNECT_INFO_BYTES));
        told.len() as u64
    }

    pub(super) fn dropped(&mut self, msg_id: &str, reason: DropReason) {
        use DropReason::{Duplicate, NoReceiver, NoWaiter, UnknownGroup, UnknownSource};
        if matches!(reason, Duplicate | NoReceiver | NoWaiter | UnknownGroup | UnknownSource) {
            // It was never owed to anybody.
            return;
        }
        let key = id(msg_id);
        let is_owed = self.modules.values().any(|module| module.owes(key));
        *self.dropped.entry(if is_owed { key } else { CONNECT_INFO }).or_default() += 1;
        self.drops += 1;
    }

    /// Takes one drop for an entry that is passed over.
    fn pass_over(dropped: &mut BTreeMap<u64, u64>, drops: &mut usize, key: u64) -> bool {
        let Some(count) = dropped.get_mut(&key) else { return false };
        *count -= 1;
        *drops -= 1;
        if *count == 0 {
            dropped.remove(&key);
        }
        true
    }

    pub(super) fn delivered(&mut self, module: ModuleId, message: &Message) -> Outcome {
        let Inboxes { modules, dropped, drops, owed, given } = self;
        let Some(place) = modules.get_mut(&module) else {
            return broken("not-joined", format!("{module:?} is not there and gets {message:?}"));
        };
        if place.credit == 0 {
            return broken("no-credit", format!("{module:?} has no credit and gets {message:?}"));
        }
        if !place.can_take() {
            let handed: usize = place.handed.iter().sum();
            return broken(
                "handed-too-much",
                format!("{module:?} has not taken {handed} bytes and gets {message:?}"),
            );
        }
        place.credit -= 1;
        place.handed.push_back(message.bytes());
        let key = key_of(message);
        while let Some((next, _)) = place.pop() {
            *owed -= 1;
            if next == key {
                given.insert((module, key));
                return Ok(());
            }
            if !Inboxes::pass_over(dropped, drops, next) {
                return broken(
                    "out-of-turn",
                    format!("{module:?} gets {message:?} before {next:x}, which came first"),
                );
            }
        }
        broken("not-owed", format!("{module:?} is not owed {message:?}"))
    }

    /// What a module is owed and its inbox does not show has been dropped.
    fn shows<'a>(&mut self, module: ModuleId, inbox: impl Iterator<Item = &'a Message>) -> Outcome {
        let Inboxes { modules, dropped, drops, owed, .. } = self;
        let Some(place) = modules.get_mut(&module) else { return Ok(()) };
        let mut inbox = inbox.map(|message| (key_of(message), message.bytes())).peekable();
        for _ in 0..place.owed.len() {
            let Some((key, bytes)) = place.pop() else { break };
            let is_there = |shown: &Owed| shown.0 == key && (shown.1 == bytes || key == CONNECT_INFO);
            if inbox.next_if(is_there).is_some() {
                place.bytes += bytes;
                place.owed.push_back((key, bytes));
                continue;
            }
            *owed -= 1;
            if !Inboxes::pass_over(dropped, drops, key) {
                return broken(
                    "gone-untold",
                    format!("{module:?} was owed {key:x}, which is gone without a note"),
                );
            }
        }
        match inbox.next() {
            Some((key, _)) => {
                broken("waits-unowed", format!("{key:x} waits for {module:?}, which is not owed it"))
            }
            None => Ok(()),
        }
    }

    /// Whatever a module is still owed has been dropped.
    fn end(&mut self, module: ModuleId) -> Outcome {
        self.shows(module, std::iter::empty())
    }

    /// The step is over: whose the drops were, the inboxes tell.
    pub(super) fn settle(&mut self, hub: &Hub) -> Outcome {
        if self.drops > 0 {
            let ids: Vec<ModuleId> = self.modules.keys().copied().collect();
            ids.into_iter().try_for_each(|module| self.shows(module, hub.inbox_messages(module)))?;
        }
        match self.dropped.first_key_value() {
            Some((key, count)) => broken(
                "dropped-unowed",
                format!("{count} copies of {key:x} are dropped, and nobody lacks them"),
            ),
            None => Ok(()),
        }
    }

    pub(super) fn leave(&mut self, module: ModuleId) -> Outcome {
        self.end(module)?;
        self.modules.remove(&module);
        self.given.retain(|(of, _)| *of != module);
        Ok(())
    }

    pub(super) fn end_all(&mut self) -> Outcome {
        let ids: Vec<ModuleId> = self.modules.keys().copied().collect();
        ids.into_iter().try_for_each(|module| self.end(module))
    }

    /// The modules that are owed a message, or the hub's own news if nobody is owed one of this id.
    pub(super) fn owed_to(&self, msg_id: &str) -> impl Iterator<Item = ModuleId> {
        let key = id(msg_id);
        let is_owed = |key| move |module: &Module| module.owes(key);
        let key = if self.modules.values().any(is_owed(key)) { key } else { CONNECT_INFO };
        let owed = self.modules.iter().filter(move |(_, module)| module.owes(key));
        owed.map(|(id, _)| *id)
    }

    /// Whether a module's inbox may be full: what was dropped in this step counts as well.
    pub(super) fn may_be_full(&self, module: ModuleId) -> bool {
        self.modules.get(&module).is_some_and(|module| {
            // What has just come is owed already.
            module.owed.len() > INBOX_MESSAGES_MAX || module.bytes - module.newest >= INBOX_BYTES_MAX
        })
    }

    /// How full they are.
    pub(super) fn fill(&self) -> Fill {
        let mut fill = Fill { must_pause: false, may_pause: false, must_resume: true, may_resume: true };
        if self.owed == 0 {
            return fill;
        }
        for module in self.modules.values() {
            let (messages, most, fewest) = (module.owed.len(), module.bytes, module.fewest_bytes());
            let (pause_bytes, resume_bytes) = (INBOX_BYTES_MAX / 2, INBOX_BYTES_MAX / 4);
            fill.must_pause |= messages >= INBOX_PAUSE_AT || fewest >= pause_bytes;
            fill.may_pause |= messages >= INBOX_PAUSE_AT || most >= pause_bytes;
            fill.must_resume &= messages <= INBOX_RESUME_AT && most < resume_bytes;
            fill.may_resume &= messages <= INBOX_RESUME_AT && fewest < resume_bytes;
        }
        fill
    }

    /// The modules for which something waits.
    pub(super) fn waiting(&self) -> Vec<ModuleId> {
        if self.owed == 0 {
            return Vec::new();
        }
        self.modules.iter().filter(|(_, module)| !module.owed.is_empty()).map(|(id, _)| *id).collect()
    }

    /// A module that can take a message has been given it, and nobody is owed more than an inbox holds.
    pub(super) fn nothing_hidden(&self) -> Outcome {
        if self.owed == 0 {
            return Ok(());
        }
        for (id, module) in &self.modules {
            let Some((next, _)) = module.owed.front() else { continue };
            if module.can_take() {
                return broken(
                    "hidden",
                    format!("{id:?} has credit {} and waits for {next:x}", module.credit),
                );
            }
            let (messages, bytes) = (module.owed.len(), module.fewest_bytes());
            if messages > INBOX_MESSAGES_MAX || (messages > 1 && bytes > INBOX_BYTES_MAX) {
                return broken(
                    "owed-too-much",
                    format!("{id:?} is owed {messages} messages of {bytes} bytes"),
                );
            }
        }
        Ok(())
    }
}
