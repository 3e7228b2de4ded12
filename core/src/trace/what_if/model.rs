//! Answers in place of the world, from the moment at which the other hub does something of its own.
//!
//! It keeps what the world owes: the outcome of a dial, a flush, pongs, answers, what the journal was asked for. While the recording still holds, recorded
//! inputs pay these debts; afterwards the model does.

use super::environment::Environment;
use super::journal::Journal;
use crate::hub::{Hub, Input, LinkEpoch, LinkEvent, Output};
use crate::message::Message;
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};

/// The link of the other hub, as the world sees it.
#[derive(Debug, Default)]
struct Link {
    epoch: LinkEpoch,
    dialled: Option<Instant>,
    open: bool,
    /// Messages and bytes that were written and not flushed, since when.
    unflushed: Option<(Instant, usize, usize)>,
    pings: VecDeque<(u64, Instant)>,
}

/// What the world owes the other hub.
#[derive(Debug)]
pub(super) struct Model<'e> {
    environment: &'e Environment,
    link: Link,
    /// Written requests whose answer is known and has not come.
    asked: BTreeMap<Box<str>, Instant>,
    /// What came from the cloud while there was no link.
    held: VecDeque<Message>,
    journal: Journal,
}

impl<'e> Model<'e> {
    /// For a hub as it is now.
    pub(super) fn new(environment: &'e Environment, hub: &Hub) -> Model<'e> {
        let link = Link { epoch: hub.epoch(), open: hub.link_state().is_open(), ..Link::default() };
        let (asked, held, journal) = Default::default();
        Model { environment, link, asked, held, journal }
    }

    /// The hub wants this.
    pub(super) fn wanted(&mut self, now: Instant, output: &Output) {
        match output {
            Output::Open { epoch, .. } => {
                self.link = Link { epoch: *epoch, dialled: Some(now), ..Link::default() };
            }
            Output::Close { .. } => self.link = Link { epoch: self.link.epoch, ..Link::default() },
            Output::Write { message, .. } => {
                let (_, messages, bytes) = self.link.unflushed.get_or_insert((now, 0, 0));
                (*messages, *bytes) = (*messages + 1, *bytes + message.bytes());
                if self.environment.answer(message.msg_id()).is_some() {
                    self.asked.insert(message.msg_id().into(), now);
                }
            }
            Output::Ping { number, .. } => self.link.pings.push_back((*number, now)),
            other => self.journal.wanted(now, other),
        }
    }

    /// The hub is told this: what it pays is no longer owed.
    pub(super) fn told(&mut self, input: &Input) {
        if let Input::Journal(event) = input {
            self.journal.told(event);
        }
        let Input::Link { epoch, event } = input else { return };
        if *epoch != self.link.epoch {
            return;
        }
        match event {
            LinkEvent::Opened => (self.link.open, self.link.dialled) = (true, None),
            LinkEvent::OpenFailed => self.link.dialled = None,
            LinkEvent::Closed => self.link = Link { epoch: *epoch, ..Link::default() },
            LinkEvent::Flushed { .. } => self.link.unflushed = None,
            LinkEvent::Pong(number) => self.link.pings.retain(|(ping, _)| ping > number),
            LinkEvent::Received(message) => drop(self.asked.remove(message.parent_msg_id())),
            LinkEvent::Malformed(_) | LinkEvent::Progress | LinkEvent::Reached => {}
        }
    }

    /// What becomes of a recorded input: modules and operators do what they did; the cloud, what it can.
    pub(super) fn recorded(&mut self, now: Instant, input: Input) -> Option<Input> {
        let event = match input {
            Input::Link { event, .. } => event,
            Input::Tick => return None,
            Input::Journal(event) => return Journal::recorded(&event).then_some(Input::Journal(event)),
            input => return Some(input),
        };
        let epoch = self.link.epoch;
        let event = match event {
            LinkEvent::Received(message) => {
                if self.environment.answer(message.parent_msg_id()).is_some() {
                    // It follows its request.
                    return None;
                }
                if !self.hears(now) {
                    self.held.push_back(message);
                    return None;
                }
                LinkEvent::Received(message)
            }
            LinkEvent::Closed | LinkEvent::Malformed(_) if self.link.open => event,
            _ => return None,
        };
        Some(Input::Link { epoch, event })
    }

    fn hears(&self, now: Instant) -> bool {
        let is_silent = |&(from, until): &(Instant, Instant)| (from..until).contains(&now);
        self.link.open && !self.environment.silent.iter().any(is_silent)
    }

    /// When the next debt is due.
    pub(super) fn next(&self) -> Option<Instant> {
        [self.journal.next(self.environment), self.next_of_link()].into_iter().flatten().min()
    }

    fn next_of_link(&self) -> Option<Instant> {
        let Link { dialled, open, unflushed, pings, .. } = &self.link;
        let dialled = dialled.and_then(|dialled| self.outcome(dialled)).map(|(at, _)| at);
        if !open {
            return dialled;
        }
        let held = self.held.front().map(|_| Instant(0));
        let flushed = unflushed.map(|(since, ..)| since + self.environment.flushing());
        let pong = pings.front().and_then(|&(_, at)| self.pong(at));
        let answer = self.asked.iter().filter_map(|(id, &at)| self.answered(id, at)).min();
        [held, flushed, pong, answer].into_iter().flatten().min()
    }

    /// When a dial ends, and whether with a link.
    fn outcome(&self, dialled: Instant) -> Option<(Instant, bool)> {
        match self.environment.is_reachable(dialled) {
            true => Some((dialled + self.environment.opening(), true)),
            false => self.environment.failing().map(|failing| (dialled + failing, false)),
        }
    }

    /// When a ping is answered; never, while the link is silent.
    fn pong(&self, at: Instant) -> Option<Instant> {
        self.hears(at).then(|| at + self.environment.round_trip(at))
    }

    fn answered(&self, msg_id: &str, asked: Instant) -> Option<Instant> {
        self.environment.answer(msg_id).filter(|_| self.hears(asked)).map(|(after, _)| asked + *after)
    }

    /// Pays the debt that is due at this moment.
    pub(super) fn take(&mut self, due: Instant) -> Option<Input> {
        if self.journal.next(self.environment).is_some_and(|at| at <= due) {
            return self.journal.take(due, self.environment).map(Input::Journal);
        }
        let epoch = self.link.epoch;
        let link = |event| Some(Input::Link { epoch, event });
        if let Some((_, opens)) = self.link.dialled.and_then(|dialled| self.outcome(dialled)) {
            return link(if opens { LinkEvent::Opened } else { LinkEvent::OpenFailed });
        }
        if let Some(message) = self.held.pop_front() {
            return link(LinkEvent::Received(message));
        }
        if let Some((since, messages, bytes)) = self.link.unflushed
            && since + self.environment.flushing() <= due
        {
            return link(LinkEvent::Flushed { messages, bytes });
        }
        if let Some(&(number, at)) = self.link.pings.front()
            && self.pong(at).is_some_and(|at| at <= due)
        {
            return link(LinkEvent::Pong(number));
        }
        let mut asked = self.asked.iter();
        let id = asked.find(|(id, at)| self.answered(id, **at).is_some_and(|at| at <= due))?.0.clone();
        self.asked.remove(&id);
        let (_, answer) = self.environment.answer(&id)?;
        link(LinkEvent::Received(answer.clone()))
    }
}
