//! A reference model of the way up: every accepted message, where it is, and what its class allows to happen to it.
//!
//! Messages leave by priority and in the order in which they were accepted, also when they are sent again; those about one thing in
//! that order whatever their priorities; what is
//! delivered at most once leaves once; nothing waits longer than it may; only what a newer message is about the same
//! thing supersedes; and a reason for a drop must be true.

mod ahead;
mod room;
mod table;
mod turn;

use super::amount::Amount;
use super::confirmation::outlives_writing;
use super::reasons;
use super::{Outcome, Step, broken};
use crate::key;
use edgehub_core::class::{Class, Classes, Delivery};
use edgehub_core::hub::{Direction, DropReason, JournalEvent, LinkState};
use edgehub_core::{Config, Input, Instant, LinkEvent, Message, ModuleEvent, Note, Output};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) use table::class_of;

/// Exempt from the rate limit before not, then by priority, then by age.
pub(super) type Rank = (bool, u8, u64);

#[derive(Debug)]
struct Accepted {
    number: u64,
    class: Box<str>,
    key: u64,
    at: Instant,
    /// In the form in which it leaves.
    bytes: usize,
    request: bool,
    /// It has a place in the order of what is about the same thing.
    ordered: bool,
    /// Its number in the journal.
    kept: Option<u64>,
    /// It waits; `false`: it is written and unconfirmed.
    queued: bool,
    written: bool,
    /// Since the classes changed last.
    fresh: bool,
}

impl Accepted {
    /// Its place in the order of what is about the same thing.
    fn place(&self) -> Option<(u64, u64)> {
        self.ordered.then_some((self.key, self.number))
    }
}

/// Answers, keepalives and link control pass by everything.
fn is_urgent(message: &Message) -> bool {
    !message.parent_msg_id().is_empty()
        || ["keepalive", "ping", "pong", "config"].contains(&message.operation())
}

#[derive(Debug)]
pub(super) struct Upstream {
    classes: Classes,
    messages: BTreeMap<u64, Accepted>,
    /// All of them, those that wait, and how many there may be.
    held: Amount,
    queued: Amount,
    bounds: Amount,
    /// … or could be before another configuration, of which some are still there.
    allowed: Amount,
    /// What waits, as it should leave.
    waiting: BTreeSet<Rank>,
    /// What waits and has a place in an order, by what it is about.
    about: BTreeSet<(u64, u64)>,
    /// Ids of everything ever sent, and of those that were sent twice: nothing can be said of them.
    sent: BTreeSet<u64>,
    ambiguous: BTreeSet<u64>,
    /// What has come to its end, by confirmation or by its only writing.
    ended: BTreeSet<u64>,
    /// What those are about.
    unsure: BTreeSet<u64>,
    numbers: BTreeMap<u64, u64>,
    accepted: u64,
    /// The number of the message that came in this step.
    just_came: Option<u64>,
    changed: bool,
}

impl Upstream {
    pub(super) fn new(config: &Config) -> Upstream {
        Upstream {
            classes: config.classes.clone(),
            messages: BTreeMap::new(),
            held: Amount::default(),
            queued: Amount::default(),
            bounds: room::bounds(config),
            allowed: room::bounds(config),
            waiting: BTreeSet::new(),
            about: BTreeSet::new(),
            sent: BTreeSet::new(),
            ambiguous: BTreeSet::new(),
            ended: BTreeSet::new(),
            unsure: BTreeSet::new(),
            numbers: BTreeMap::new(),
            accepted: 0,
            just_came: None,
            changed: false,
        }
    }

    fn class(&self, name: &str) -> &Class {
        let named = self.classes.classes.iter().find(|class| &*class.name == name);
        named.unwrap_or_else(|| &self.classes.classes[self.classes.otherwise])
    }

    fn rank(&self, message: &Accepted) -> Rank {
        let class = self.class(&message.class);
        (class.rate_limited, class.priority, message.number)
    }

    /// `kept`: it comes out of the journal, with the place in the order that it had before the start.
    fn accept(&mut self, message: &Message, kept: Option<u64>, now: Instant) {
        let id = key::of(message.msg_id());
        let number = kept.unwrap_or(self.accepted + 1);
        self.accepted = self.accepted.max(number);
        self.just_came = Some(number);
        let about = format!("{}\n{}\n{}", message.source(), message.group(), message.resource());
        let about = key::of(&about);
        if !self.sent.insert(id) {
            self.ambiguous.insert(id);
            let other = self.forget(id).map(|message| message.key);
            self.unsure.extend(other.into_iter().chain([about]));
            return;
        }
        let class = self.classes.classes[class_of(&self.classes, message)].name.clone();
        let accepted = Accepted {
            number,
            class,
            key: about,
            at: now,
            bytes: message.clone().into_link_form().bytes(),
            kept,
            request: message.is_sync(),
            ordered: !is_urgent(message),
            queued: true,
            written: false,
            fresh: true,
        };
        self.held = self.held.and(accepted.bytes);
        self.queued = self.queued.and(accepted.bytes);
        self.waiting.insert(self.rank(&accepted));
        self.about.extend(accepted.place());
        self.numbers.insert(accepted.number, id);
        self.messages.insert(id, accepted);
    }

    fn forget(&mut self, id: u64) -> Option<Accepted> {
        let message = self.messages.remove(&id)?;
        self.held = self.held.without(message.bytes);
        if message.queued {
            self.queued = self.queued.without(message.bytes);
        }
        self.waiting.remove(&self.rank(&message));
        self.about.remove(&(message.key, message.number));
        self.numbers.remove(&message.number);
        Some(message)
    }

    fn written(&mut self, msg_id: &str, step: &Step<'_>) -> Outcome {
        let (id, now) = (key::of(msg_id), step.now.mono);
        // Before another configuration counts, what is due by the old one is done.
        let changes = matches!(step.input, Input::Reconfigure(_));
        let Some(message) = self.messages.get(&id) else {
            return match self.ended.contains(&id) && !self.ambiguous.contains(&id) {
                true => broken("again", format!("{msg_id} is written again, and it had come to its end")),
                false => Ok(()),
            };
        };
        let (rank, class) = (self.rank(message), self.class(&message.class));
        if !message.queued {
            return broken("rewritten", format!("{msg_id} is written again, and its link is not over"));
        }
        if let Some((_, older)) = message.place().and_then(|_| self.oldest_about(message.key))
            && older < message.number
        {
            return broken(
                "key-order",
                format!("{msg_id} leaves before number {older}, about the same thing"),
            );
        }
        let exempt = (false, u8::MAX, u64::MAX);
        let others = [self.waiting.first(), self.waiting.range(exempt..).next()];
        for other in others.into_iter().flatten() {
            // What is due when a message comes leaves before that one is there.
            let just_came = step.was_due() && self.just_came == Some(other.2);
            // What is exempt may leave while the other waits for the rate limit.
            let is_first = (other.1, other.2) < (rank.1, rank.2) && other.0 <= rank.0;
            let lent = || self.lends_to(other.2, message) || self.is_lent_by_unknown(message);
            if is_first && !changes && !just_came && !lent() {
                return broken("order", format!("{msg_id} {rank:?} leaves before {other:?}"));
            }
        }
        if class.time_to_live.is_some_and(|length| message.at + length <= now) && !changes {
            return broken("late-written", format!("{msg_id} leaves after its time to live"));
        }
        let once = match changes && step.was_due() {
            true => !outlives_writing(id, step),
            false => class.delivery == Delivery::AtMostOnce,
        };
        if once {
            if message.written {
                return broken("twice", format!("{msg_id} leaves twice, and may leave once"));
            }
            self.forget(id);
            self.ended.insert(id);
            return Ok(());
        }
        self.waiting.remove(&rank);
        if let Some(message) = self.messages.get_mut(&id) {
            self.queued = self.queued.without(message.bytes);
            (message.queued, message.written) = (false, true);
            self.about.remove(&(message.key, message.number));
        }
        Ok(())
    }

    /// A reason is given: is it true?
    fn dropped(&mut self, msg_id: &str, reason: DropReason, step: &Step<'_>, unstored: Amount) -> Outcome {
        let id = key::of(msg_id);
        let Some(message) = self.forget(id) else { return Ok(()) };
        let class = self.class(&message.class);
        let sent = match step.input {
            Input::Module { event: ModuleEvent::Sent { message, .. }, .. }
            | Input::Journal(JournalEvent::Restored { message, .. }) => Some(message),
            _ => None,
        };
        let newer = sent.and_then(|sent| self.messages.get(&key::of(sent.msg_id())));
        let is_new = sent.is_some_and(|sent| sent.msg_id() == msg_id);
        let true_reason = match reason {
            DropReason::Superseded => {
                let same = |newer: &Accepted| {
                    (newer.key, &newer.class) == (message.key, &message.class)
                        && newer.number > message.number
                };
                let ambiguous = sent.is_some_and(|sent| self.ambiguous.contains(&key::of(sent.msg_id())));
                class.coalesce
                    && !message.written
                    && !message.request
                    && message.ordered
                    && (ambiguous || newer.is_some_and(same))
            }
            DropReason::Expired => {
                class.time_to_live.is_some_and(|length| message.at + length <= step.now.mono)
            }
            DropReason::TooLargeForClass => {
                is_new && class.message_bytes.is_some_and(|limit| message.bytes > limit)
            }
            DropReason::ClassFull | DropReason::OutboxFull => {
                let full = if reason == DropReason::ClassFull { Self::is_class_full } else { Self::is_full };
                is_new && full(self, &message, None)
                    || newer.is_some_and(|newer| full(self, &message, Some(newer)))
                    || self.is_ambiguous() && sent.is_some()
            }
            DropReason::JournalFull => {
                is_new && class.persistent && !message.request && room::is_journal_full(unstored)
            }
            DropReason::JournalLost => message.is_lost_by(id, step.input),
            DropReason::LinkLost => class.delivery == Delivery::AtMostOnce,
            // Whether these are true others know.
            DropReason::Shutdown
            | DropReason::NotJoined
            | DropReason::NotForTheCloud
            | DropReason::TooManyRequests
            | DropReason::RequestIdTaken
            | DropReason::RequestExpired => true,
            DropReason::NoWaiter
            | DropReason::UnknownGroup
            | DropReason::UnknownSource
            | DropReason::NoReceiver
            | DropReason::InboxFull
            | DropReason::ModuleGone
            | DropReason::ModuleStalled
            | DropReason::Duplicate => false,
        };
        if !true_reason && !matches!(step.input, Input::Reconfigure(_)) {
            return broken(
                reasons::rule(reason),
                format!("{msg_id} is dropped ({reason}), and that is not so: {message:?} {class:?}"),
            );
        }
        Ok(())
    }

    /// The link is over: what was not confirmed waits again.
    fn link_over(&mut self) {
        let back: Vec<u64> =
            self.messages.iter().filter(|(_, message)| !message.queued).map(|(id, _)| *id).collect();
        for id in back {
            if let Some(message) = self.messages.get_mut(&id) {
                message.queued = true;
                self.about.extend(message.place());
                self.queued = self.queued.and(message.bytes);
            }
            let rank = self.messages.get(&id).map(|message| self.rank(message));
            self.waiting.extend(rank);
        }
    }

    fn confirmed(&mut self, confirmed: &[u64]) {
        for id in confirmed {
            self.forget(*id);
            self.ended.insert(*id);
        }
    }

    fn reconfigure(&mut self, config: &Config) {
        self.bounds = room::bounds(config);
        if self.classes == config.classes {
            return;
        }
        self.changed = true;
        let new = &config.classes;
        let otherwise = &new.classes[new.otherwise].name;
        for message in self.messages.values_mut() {
            if !new.classes.iter().any(|class| class.name == message.class) {
                message.class.clone_from(otherwise);
            }
            message.fresh = false;
        }
        self.classes = config.classes.clone();
        self.waiting = self
            .messages
            .values()
            .filter(|message| message.queued)
            .map(|message| self.rank(message))
            .collect();
    }

    /// What holds between two steps.
    fn holds(&mut self, step: &Step<'_>) -> Outcome {
        self.is_within_bounds()?;
        self.is_fetched_for_its_turn(step)?;
        let now = step.now.mono;
        // What a stop leaves to the journal begins another life after the next start.
        let stopped = step.hub.link_state() == LinkState::Stopped;
        for class in self.classes.classes.iter().filter(|_| !stopped) {
            let Some(length) = class.time_to_live else { continue };
            let late =
                self.waiting.iter().filter_map(|(.., number)| self.messages.get(self.numbers.get(number)?));
            if let Some(late) =
                late.filter(|message| message.class == class.name).find(|m| m.at + length <= now)
            {
                return broken("expired", format!("a message waits longer than it may: {late:?}"));
            }
        }
        let Input::Module { event: ModuleEvent::Sent { message, .. }, .. } = step.input else {
            return Ok(());
        };
        let Some(new) = self.messages.get(&key::of(message.msg_id())) else { return Ok(()) };
        let class = self.class(&new.class);
        let of_class = || self.messages.values().filter(|other| other.class == new.class);
        if class.coalesce && !new.request && new.ordered {
            let stays = |other: &&Accepted| {
                let superseded = other.key == new.key && other.number < new.number;
                let yields = !other.written && !other.request && other.ordered;
                superseded && other.queued && yields && other.fresh
            };
            if let Some(old) = of_class().find(stays) {
                return broken("not-superseded", format!("{old:?} stays beside {new:?}"));
            }
        }
        if !self.changed && class.messages.is_some_and(|most| of_class().count() > most) {
            return broken("class-full", format!("more than {:?} of class {}", class.messages, class.name));
        }
        Ok(())
    }
}

impl Upstream {
    /// How many wait that are not exempt from the rate limit.
    pub(super) fn limited_waiting(&self) -> usize {
        self.waiting.range((true, 0, 0)..).count()
    }

    /// Everything that is held, and what of it waits.
    pub(super) fn amounts(&self) -> (Amount, Amount) {
        (self.held, self.queued)
    }

    /// Whether any waits that is not exempt from the rate limit, up to this number.
    pub(super) fn has_limited_up_to(&self, newest: u64) -> bool {
        self.waiting.range((true, 0, 0)..).any(|(.., number)| *number <= newest)
    }

    /// The number of the newest message.
    pub(super) fn newest(&self) -> u64 {
        self.accepted
    }

    /// Where a message stands that waits or was written.
    pub(super) fn rank_of(&self, msg_id: &str) -> Option<Rank> {
        Some(self.rank(self.messages.get(&key::of(msg_id))?))
    }

    /// Whether there were messages of which nothing can be said.
    pub(super) fn is_ambiguous(&self) -> bool {
        !self.ambiguous.is_empty()
    }

    /// The first that waits and needs no token.
    pub(super) fn first_exempt(&self) -> Option<&Rank> {
        self.waiting.first().filter(|rank| !rank.0)
    }

    /// The first that waits and needs a token.
    pub(super) fn first_limited(&self) -> Option<&Rank> {
        self.waiting.range((true, 0, 0)..).next()
    }

    /// Judges a step, whose pong confirmed these messages.
    ///
    /// `unstored` is what was handed to the journal before and not known to be stored.
    pub(super) fn after(&mut self, step: &Step<'_>, confirmed: &[u64], unstored: Amount) -> Outcome {
        if let Input::Journal(JournalEvent::Opened { unused, .. }) = step.input
            && !step.outputs.contains(&Output::Note(Note::UnexpectedJournalEvent))
        {
            self.accepted = unused.0.saturating_sub(1);
        }
        if let Some((message, kept)) = step.accepted() {
            self.accept(message, kept.map(|number| number.0), step.now.mono);
        }
        if matches!(step.input, Input::Link { event: LinkEvent::Pong(_), .. }) {
            self.confirmed(confirmed);
        }
        if let Input::Reconfigure(config) = step.input {
            self.reconfigure(config);
        }
        for output in step.outputs {
            match output {
                Output::Write { message, .. } => self.written(message.msg_id(), step)?,
                Output::Note(Note::Dropped { direction: Direction::Up, msg_id, reason }) => {
                    self.dropped(msg_id, *reason, step, unstored)?;
                }
                Output::Note(Note::LinkDown { .. }) => self.link_over(),
                Output::Store { number, message, .. } => {
                    if let Some(stored) = self.messages.get_mut(&key::of(message.msg_id())) {
                        stored.kept = Some(number.0);
                    }
                }
                _ => {}
            }
        }
        self.just_came = None;
        self.holds(step)
    }
}
