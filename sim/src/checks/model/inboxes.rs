//! What each module is owed, in order.
//!
//! A note about a drop names the message and not the module. So a drop is remembered by the message, and taken for one
//! entry of it when a module is served something behind that entry: whatever is passed over must have been dropped.

use super::{Outcome, broken, id, is_connect_info};
use edgehub_core::hub::DropReason;
use edgehub_core::limits::{INBOX_BYTES_MAX, INBOX_MESSAGES_MAX};
use edgehub_core::{Message, ModuleId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The groups that learn of the link.
const INFORMED: [&str; 4] = ["meta", "twin", "bus", "taskmanager"];

/// Stands for the hub's own news, whose ids nobody knows beforehand.
const CONNECT_INFO: u64 = 1;

/// No news about the link is longer.
const CONNECT_INFO_BYTES: usize = 1_000;

#[derive(Debug)]
struct Module {
    name: Box<str>,
    groups: Vec<Box<str>>,
    credit: u64,
    owed: VecDeque<u64>,
    /// Bytes of all that it is owed, and perhaps of some that was dropped.
    bytes: usize,
    /// Those of what came last.
    newest: usize,
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
        self.modules
            .insert(module, Module { name, groups, credit, owed: VecDeque::new(), bytes: 0, newest: 0 });
    }

    pub(super) fn ready(&mut self, module: ModuleId, credit: u32) {
        if let Some(module) = self.modules.get_mut(&module) {
            // The hub counts in 32 bits and stops there.
            module.credit = (module.credit + u64::from(credit)).min(u64::from(u32::MAX));
        }
    }

    /// Whether a module was given a message, or is owed it and no copy of it was dropped.
    pub(super) fn has(&self, module: ModuleId, key: u64) -> bool {
        self.given.contains(&(module, key))
            || !self.dropped.contains_key(&key)
                && self.modules.get(&module).is_some_and(|module| module.owed.contains(&key))
    }

    pub(super) fn owe(&mut self, module: ModuleId, key: u64, bytes: usize) {
        if let Some(module) = self.modules.get_mut(&module) {
            module.bytes = if module.owed.is_empty() { bytes } else { module.bytes + bytes };
            module.newest = bytes;
            module.owed.push_back(key);
            self.owed += 1;
        }
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
        let is_owed = self.modules.values().any(|module| module.owed.contains(&key));
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
        place.credit -= 1;
        let key = key_of(message);
        while let Some(next) = place.owed.pop_front() {
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

    /// Whatever a module is still owed has been dropped.
    fn end(&mut self, module: ModuleId) -> Outcome {
        let Inboxes { modules, dropped, drops, owed, .. } = self;
        let left =
            modules.get_mut(&module).map(|module| std::mem::take(&mut module.owed)).unwrap_or_default();
        *owed -= left.len();
        match left.into_iter().find(|key| !Inboxes::pass_over(dropped, drops, *key)) {
            Some(key) => {
                broken("gone-untold", format!("{module:?} was owed {key:x}, which is gone without a note"))
            }
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
        let is_owed = |key| move |module: &Module| module.owed.contains(&key);
        let key = if self.modules.values().any(is_owed(key)) { key } else { CONNECT_INFO };
        let owed = self.modules.iter().filter(move |(_, module)| module.owed.contains(&key));
        owed.map(|(id, _)| *id)
    }

    /// Whether a module's inbox may be full: what was dropped and not passed over counts as well.
    pub(super) fn may_be_full(&self, module: ModuleId) -> bool {
        self.modules.get(&module).is_some_and(|module| {
            // What has just come is owed already.
            module.owed.len() > INBOX_MESSAGES_MAX || module.bytes - module.newest >= INBOX_BYTES_MAX
        })
    }

    /// The modules for which something waits, certainly or perhaps: the first that they are owed may have been dropped.
    pub(super) fn waiting(&self) -> Vec<(ModuleId, bool)> {
        if self.owed == self.drops {
            return Vec::new();
        }
        let owed = |(id, module): (&ModuleId, &Module)| {
            Some((*id, !self.dropped.contains_key(module.owed.front()?)))
        };
        self.modules.iter().filter_map(owed).collect()
    }

    /// A module that can take a message has been given it, and nobody is owed more than an inbox holds.
    pub(super) fn nothing_hidden(&self) -> Outcome {
        if self.owed == self.drops {
            return Ok(());
        }
        for (id, module) in &self.modules {
            let Some(next) = module.owed.front() else { continue };
            if module.credit > 0 && !self.dropped.contains_key(next) {
                return broken(
                    "hidden",
                    format!("{id:?} has credit {} and waits for {next:x}", module.credit),
                );
            }
            if module.owed.len() > INBOX_MESSAGES_MAX + self.drops {
                return broken("owed-too-much", format!("{id:?} is owed {} messages", module.owed.len()));
            }
        }
        Ok(())
    }
}
