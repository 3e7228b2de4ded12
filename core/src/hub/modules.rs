//! The joined modules, their groups and their inboxes.
//!
//! A module says how many messages it can take; beyond that, and while it has not taken large ones, they wait in its inbox. A filling inbox stops the reading
//! of the link; an inbox that nobody empties for too long is emptied by the hub, with the reason, so that one stalled
//! module hurts itself only (defects D3, D9, D11).

use super::consistent::is_sum;
use super::handed::Handed;
use super::input::ModuleId;
use super::note::DropReason;
use super::view::ModuleView;
use crate::canary::{Canary, Planted};
use crate::limits::{
    INBOX_BYTES_MAX, INBOX_MESSAGES_MAX, INBOX_PAUSE_AT, INBOX_RESUME_AT, MODULE_GROUPS_MAX, MODULES_MAX,
};
use crate::message::Message;
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Module {
    name: Box<str>,
    groups: Vec<Box<str>>,
    credit: u32,
    handed: Handed,
    inbox: VecDeque<Waiting>,
    inbox_bytes: usize,
    /// Since when messages wait and none was taken.
    waiting_since: Option<Instant>,
    stalled: bool,
}

impl Module {
    fn can_take(&self, planted: Planted) -> bool {
        self.credit > 0 && (self.handed.has_room() || planted.is(Canary::HandedUncounted))
    }

    /// Counts a message that is handed over.
    fn hand(&mut self, message: &Message) {
        self.credit -= 1;
        self.handed.add(message.bytes());
    }
}

/// A message that waits for its module.
#[derive(Debug, Serialize, Deserialize)]
struct Waiting {
    message: Message,
    since: Instant,
}

/// What became of a message for a module.
#[derive(Debug)]
pub(super) enum Delivery {
    /// It goes out now.
    Now(Message),
    /// It waits in the inbox.
    Queued,
    /// It does not.
    Dropped(Message, DropReason),
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Modules {
    joined: BTreeMap<ModuleId, Module>,
    names: BTreeMap<Box<str>, ModuleId>,
    groups: BTreeMap<Box<str>, Vec<ModuleId>>,
    queued: usize,
    planted: Planted,
}

impl Modules {
    #[cfg(feature = "canaries")]
    pub(super) fn plant(&mut self, planted: Planted) {
        self.planted = planted;
    }

    /// Whether a state out of a file can be one: the sums are right, and each module has its name.
    pub(super) fn is_consistent(&self) -> bool {
        let bytes = |module: &Module| {
            is_sum(
                module.inbox_bytes as u64,
                module.inbox.iter().map(|waiting| waiting.message.bytes() as u64),
            )
        };
        is_sum(self.queued as u64, self.joined.values().map(|module| module.inbox.len() as u64))
            && self.joined.values().all(|module| bytes(module) && module.handed.is_consistent())
            && self.names.len() == self.joined.len()
            && self.joined.iter().all(|(id, module)| self.names.get(&module.name) == Some(id))
    }

    /// When the oldest message came that waits.
    pub(super) fn holds_since(&self) -> Option<Instant> {
        if self.queued == 0 {
            return None;
        }
        self.joined.values().filter_map(|module| module.inbox.front()).map(|waiting| waiting.since).min()
    }

    /// Messages that wait in all inboxes.
    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    pub(super) fn view(&self) -> Vec<ModuleView> {
        let view = |(&id, module): (&ModuleId, &Module)| ModuleView {
            module: id,
            name: module.name.clone(),
            groups: module.groups.clone(),
            credit: module.credit,
            handed_bytes: module.handed.bytes(),
            waiting: module.inbox.len(),
            oldest: module.inbox.front().map(|waiting| waiting.since),
            stalled: module.stalled,
        };
        self.joined.iter().map(view).collect()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = ModuleId> {
        self.joined.keys().copied()
    }

    pub(super) fn name(&self, id: ModuleId) -> Option<&str> {
        Some(&self.joined.get(&id)?.name)
    }

    pub(super) fn inbox(&self, id: ModuleId) -> impl Iterator<Item = &Message> {
        self.joined.get(&id).into_iter().flat_map(|module| &module.inbox).map(|waiting| &waiting.message)
    }

    pub(super) fn newest_waiting(&self, id: ModuleId) -> Option<&Message> {
        self.joined.get(&id)?.inbox.back().map(|waiting| &waiting.message)
    }

    pub(super) fn is_joined(&self, module: ModuleId) -> bool {
        self.joined.contains_key(&module)
    }

    pub(super) fn named(&self, name: &str) -> Option<ModuleId> {
        self.names.get(name).copied()
    }

    /// The module with the lowest number.
    pub(super) fn first(&self) -> Option<ModuleId> {
        self.joined.keys().next().copied()
    }

    /// The `at`-th module of a group, in the order in which they joined.
    pub(super) fn member(&self, group: &str, at: usize) -> Option<ModuleId> {
        self.groups.get(group)?.get(at).copied()
    }

    /// Adds a module; `false` when its name or number is taken, or a limit is reached.
    pub(super) fn join(
        &mut self,
        id: ModuleId,
        name: Box<str>,
        mut groups: Vec<Box<str>>,
        credit: u32,
    ) -> bool {
        groups.sort();
        groups.dedup();
        if self.joined.len() >= MODULES_MAX
            || groups.len() > MODULE_GROUPS_MAX
            || self.joined.contains_key(&id)
            || self.names.contains_key(&name)
        {
            return false;
        }
        for group in &groups {
            self.groups.entry(group.clone()).or_default().push(id);
        }
        self.names.insert(name.clone(), id);
        let module = Module {
            name,
            groups,
            credit,
            handed: Handed::default(),
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            waiting_since: None,
            stalled: false,
        };
        self.joined.insert(id, module);
        true
    }

    /// Removes a module and returns what waited for it; `None` if it had not joined.
    pub(super) fn leave(&mut self, id: ModuleId) -> Option<VecDeque<Message>> {
        let inbox = self.empty(id);
        let module = self.joined.remove(&id)?;
        self.names.remove(&module.name);
        for group in &module.groups {
            if let Some(members) = self.groups.get_mut(group) {
                members.retain(|member| *member != id);
                if members.is_empty() {
                    self.groups.remove(group);
                }
            }
        }
        Some(inbox)
    }

    /// A message for a module.
    pub(super) fn deliver(&mut self, id: ModuleId, message: Message, now: Instant) -> Delivery {
        let Some(module) = self.joined.get_mut(&id) else {
            return Delivery::Dropped(message, DropReason::ModuleGone);
        };
        if module.can_take(self.planted) && module.inbox.is_empty() {
            module.hand(&message);
            return Delivery::Now(message);
        }
        if module.stalled {
            return Delivery::Dropped(message, DropReason::ModuleStalled);
        }
        let most = if self.planted.is(Canary::DropsWithRoom) { 16 } else { INBOX_MESSAGES_MAX };
        if module.inbox.len() >= most || module.inbox_bytes >= INBOX_BYTES_MAX {
            return Delivery::Dropped(message, DropReason::InboxFull);
        }
        module.waiting_since.get_or_insert(now);
        module.inbox_bytes = module.inbox_bytes.saturating_add(message.bytes());
        module.inbox.push_back(Waiting { message, since: now });
        self.queued += 1;
        Delivery::Queued
    }

    /// A module has taken some and can take as many more; returns whether that ended a stall.
    pub(super) fn ready(&mut self, id: ModuleId, credit: u32, now: Instant) -> bool {
        let Some(module) = self.joined.get_mut(&id) else { return false };
        module.credit = module.credit.saturating_add(credit);
        module.handed.taken(credit);
        if credit == 0 {
            return false;
        }
        module.waiting_since = (!module.inbox.is_empty()).then_some(now);
        core::mem::take(&mut module.stalled)
    }

    /// The next message that a module has credit for.
    pub(super) fn pop(&mut self, id: ModuleId) -> Option<Message> {
        let module = self.joined.get_mut(&id)?;
        if !module.can_take(self.planted) {
            return None;
        }
        let Waiting { message, .. } = module.inbox.pop_front()?;
        module.hand(&message);
        module.inbox_bytes -= message.bytes();
        self.queued -= 1;
        if module.inbox.is_empty() {
            module.waiting_since = None;
        }
        Some(message)
    }

    /// Whether an inbox is so full that the link must not be read.
    pub(super) fn wants_pause(&self) -> bool {
        self.queued > 0
            && self.joined.values().any(|module| {
                module.inbox.len() >= INBOX_PAUSE_AT || module.inbox_bytes >= INBOX_BYTES_MAX / 2
            })
    }

    /// Whether every inbox is so empty that it can be read again.
    pub(super) fn allows_resume(&self) -> bool {
        self.joined
            .values()
            .all(|module| module.inbox.len() <= INBOX_RESUME_AT && module.inbox_bytes < INBOX_BYTES_MAX / 4)
    }

    /// The module that has let messages wait for longest, and since when.
    pub(super) fn slowest(&self) -> Option<(ModuleId, Instant)> {
        if self.queued == 0 {
            return None;
        }
        self.joined
            .iter()
            .filter_map(|(&id, module)| Some((id, module.waiting_since?)))
            .min_by_key(|&(id, since)| (since, id))
    }

    /// The module with the most waiting messages, if any wait.
    pub(super) fn fullest(&self) -> Option<ModuleId> {
        let waiting = self.joined.iter().filter(|(_, module)| !module.inbox.is_empty());
        waiting.max_by_key(|(_, module)| (module.inbox_bytes, module.inbox.len())).map(|(&id, _)| id)
    }

    /// Declares a module stalled and returns what waited for it.
    pub(super) fn stall(&mut self, id: ModuleId) -> VecDeque<Message> {
        let Some(module) = self.joined.get_mut(&id) else { return VecDeque::new() };
        module.stalled = true;
        self.empty(id)
    }

    /// Takes everything that waits for a module.
    fn empty(&mut self, id: ModuleId) -> VecDeque<Message> {
        let Some(module) = self.joined.get_mut(&id) else { return VecDeque::new() };
        module.waiting_since = None;
        module.inbox_bytes = 0;
        self.queued -= module.inbox.len();
        let inbox = core::mem::take(&mut module.inbox);
        inbox.into_iter().map(|waiting| waiting.message).collect()
    }

    /// Takes everything that waits for anyone.
    pub(super) fn empty_all(&mut self) -> Vec<(ModuleId, Message)> {
        let ids: Vec<ModuleId> = self.joined.keys().copied().collect();
        ids.into_iter().flat_map(|id| self.empty(id).into_iter().map(move |message| (id, message))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::HANDED_BYTES_MAX;
    use crate::message::{Content, Draft};

    const MODULE: ModuleId = ModuleId(1);

    fn message(bytes: usize) -> Message {
        let encode = |padding: usize| {
            let text = "x".repeat(padding);
            let draft = Draft { msg_id: "1", content: Content::Text(&text), ..Draft::default() };
            draft.encode().unwrap()
        };
        encode(bytes - encode(0).bytes())
    }

    /// What becomes of one more when so many bytes wait.
    fn with_waiting(waiting: usize, more: usize) -> Delivery {
        let mut modules = Modules::default();
        assert!(modules.join(MODULE, "m".into(), Vec::new(), 0));
        let piece = INBOX_BYTES_MAX / 4;
        for bytes in [piece, piece, piece, waiting - 3 * piece] {
            assert!(matches!(modules.deliver(MODULE, message(bytes), Instant(0)), Delivery::Queued));
        }
        modules.deliver(MODULE, message(more), Instant(0))
    }

    /// It may have been on its way before the reading was stopped: however large, it is not dropped for what waits before it.
    #[test]
    fn a_large_message_waits_as_long_as_the_inbox_is_not_full() {
        assert!(matches!(with_waiting(INBOX_BYTES_MAX - 1, INBOX_BYTES_MAX), Delivery::Queued));
        let dropped = with_waiting(INBOX_BYTES_MAX, 1_000);
        assert!(matches!(dropped, Delivery::Dropped(_, DropReason::InboxFull)), "{dropped:?}");
    }

    /// Credit counts messages: a few large ones are as much as many small ones.
    #[test]
    fn a_module_with_credit_gets_no_more_while_it_has_not_taken_large_ones() {
        let mut modules = Modules::default();
        assert!(modules.join(MODULE, "m".into(), Vec::new(), 10));
        let deliver =
            |modules: &mut Modules| modules.deliver(MODULE, message(HANDED_BYTES_MAX / 2), Instant(0));
        assert!(matches!(deliver(&mut modules), Delivery::Now(_)));
        assert!(matches!(deliver(&mut modules), Delivery::Now(_)));
        assert!(matches!(deliver(&mut modules), Delivery::Queued));
        assert!(modules.pop(MODULE).is_none());
        modules.ready(MODULE, 1, Instant(1));
        assert!(modules.pop(MODULE).is_some());
        assert!(modules.is_consistent());
    }
}
