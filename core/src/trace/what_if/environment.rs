//! What a recording says about the world: when the cloud could be reached, and how long everything took.

use crate::hub::{Input, JournalEvent, LinkEnd, LinkEvent, ModuleEvent, Note, Output};
use crate::journal::EntryNumber;
use crate::message::Message;
use crate::time::Instant;
use crate::trace::Moment;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

/// A length of time that stands for those that were not recorded.
const UNKNOWN: Duration = Duration::from_millis(50);

/// The world around the recorded hub.
#[derive(Debug, Default)]
pub(super) struct Environment {
    /// Times in which no link could be opened: from the loss to the last attempt that failed. When exactly the cloud
    /// could be reached again after that is not known; the model takes the earliest moment.
    unreachable: Vec<(Instant, Instant)>,
    /// From when an open link was silent until that was noticed.
    pub(super) silent: Vec<(Instant, Instant)>,
    /// Round trips by the time of the pong.
    round_trips: Vec<(Instant, Duration)>,
    opening: Vec<Duration>,
    failing: Vec<Duration>,
    flushing: Vec<Duration>,
    storing: Vec<Duration>,
    fetching: Vec<Duration>,
    /// What the journal was asked for and gave.
    entries: BTreeMap<EntryNumber, Message>,
    /// Answers to requests, and how long after the request was written they came.
    answers: BTreeMap<Box<str>, (Duration, Message)>,

    /// Requests that are not written yet, and those that are.
    requests: BTreeSet<Box<str>>,
    asked: BTreeMap<Box<str>, Instant>,
    stores: BTreeMap<EntryNumber, Instant>,
    fetches: BTreeMap<EntryNumber, Instant>,
    dialled: Option<Instant>,
    lost: Option<Instant>,
    failed: Option<Instant>,
    written: Option<Instant>,
    heard: Instant,
}

impl Environment {
    pub(super) fn watch(&mut self, moment: &Moment<'_>) {
        let now = moment.now.mono;
        if moment.input.is_none() {
            (self.lost, self.heard) = (Some(now), now);
        }
        match moment.input {
            Some(Input::Link { event, .. }) => self.take_event(now, event),
            Some(Input::Journal(event)) => self.take_journal(now, event),
            Some(Input::Module { event: ModuleEvent::Sent { message, .. }, .. }) if message.is_sync() => {
                self.requests.insert(message.msg_id().into());
            }
            _ => {}
        }
        for output in moment.outputs {
            match output {
                Output::Open { .. } => self.dialled = Some(now),
                Output::Write { message, .. } => {
                    self.written.get_or_insert(now);
                    if let Some(id) = self.requests.take(message.msg_id()) {
                        self.asked.insert(id, now);
                    }
                }
                Output::Store { number, .. } => drop(self.stores.insert(*number, now)),
                Output::Fetch { number } => drop(self.fetches.insert(*number, now)),
                Output::Note(Note::RoundTrip { rtt }) => self.round_trips.push((now, *rtt)),
                Output::Note(Note::LinkDown { end, .. }) => self.take_end(now, *end),
                _ => {}
            }
        }
    }

    fn take_event(&mut self, now: Instant, event: &LinkEvent) {
        match event {
            LinkEvent::Opened => {
                self.opening.extend(self.dialled.take().map(|dialled| now.since(dialled)));
                self.reachable_again();
                self.heard = now;
            }
            LinkEvent::OpenFailed => self.failing.extend(self.dialled.map(|dialled| now.since(dialled))),
            LinkEvent::Received(message) => {
                self.heard = now;
                if let Some(asked) = self.asked.remove(message.parent_msg_id()) {
                    let parent = message.parent_msg_id().into();
                    self.answers.insert(parent, (now.since(asked), message.clone()));
                }
            }
            LinkEvent::Pong(_) => self.heard = now,
            LinkEvent::Flushed { .. } => {
                self.flushing.extend(self.written.take().map(|written| now.since(written)));
            }
            LinkEvent::Malformed(_) | LinkEvent::Closed | LinkEvent::Progress | LinkEvent::Reached => {}
        }
    }

    fn take_journal(&mut self, now: Instant, event: &JournalEvent) {
        match event {
            JournalEvent::Stored { up_to } => {
                while let Some(first) = self.stores.first_entry()
                    && first.key() <= up_to
                {
                    self.storing.push(now.since(first.remove()));
                }
            }
            JournalEvent::Fetched { number, message } => {
                self.fetching.extend(self.fetches.remove(number).map(|since| now.since(since)));
                self.entries.insert(*number, message.clone());
            }
            JournalEvent::Refused { number } => drop(self.stores.remove(number)),
            JournalEvent::Lost { number } => drop(self.fetches.remove(number)),
            JournalEvent::Opened { .. }
            | JournalEvent::Restored { .. }
            | JournalEvent::Health(_)
            | JournalEvent::LettersOpened
            | JournalEvent::LetterStored { .. }
            | JournalEvent::LetterLost { .. }
            | JournalEvent::LettersDiscarded { .. } => {}
        }
    }

    fn take_end(&mut self, now: Instant, end: LinkEnd) {
        match end {
            LinkEnd::OpenFailed | LinkEnd::OpenTimeout => {
                self.failed = self.dialled.take().or(Some(now));
                return;
            }
            LinkEnd::Silent => self.silent.push((self.heard, now)),
            LinkEnd::Closed
            | LinkEnd::Stalled
            | LinkEnd::Violation
            | LinkEnd::Shutdown
            | LinkEnd::NoSession
            | LinkEnd::Moved
            | LinkEnd::Renewed => {}
        }
        (self.lost, self.failed, self.written) = (Some(now), None, None);
    }

    fn reachable_again(&mut self) {
        if let (Some(lost), Some(failed)) = (self.lost.take(), self.failed.take()) {
            self.unreachable.push((lost, failed));
        }
    }

    /// What is still open at the end of the recording stays so.
    pub(super) fn finish(&mut self) {
        if self.failed.is_some() {
            self.failed = Some(Instant(u64::MAX));
        }
        self.reachable_again();
        let links = [&mut self.opening, &mut self.failing, &mut self.flushing];
        for lengths in links.into_iter().chain([&mut self.storing, &mut self.fetching]) {
            lengths.sort_unstable();
        }
    }

    pub(super) fn is_reachable(&self, at: Instant) -> bool {
        !self.unreachable.iter().any(|&(from, until)| (from..=until).contains(&at))
    }

    /// How long it takes to open a link; `None` for an attempt that nobody answers.
    pub(super) fn opening(&self) -> Duration {
        median(&self.opening).unwrap_or(UNKNOWN)
    }

    pub(super) fn failing(&self) -> Option<Duration> {
        median(&self.failing)
    }

    pub(super) fn flushing(&self) -> Duration {
        median(&self.flushing).unwrap_or_default()
    }

    /// How long it takes until an entry is durable.
    pub(super) fn storing(&self) -> Duration {
        median(&self.storing).unwrap_or(UNKNOWN)
    }

    /// How long it takes to read an entry back.
    pub(super) fn fetching(&self) -> Duration {
        median(&self.fetching).unwrap_or(UNKNOWN)
    }

    /// An entry that the journal once gave.
    pub(super) fn entry(&self, number: EntryNumber) -> Option<&Message> {
        self.entries.get(&number)
    }

    /// The round trip of about this time.
    pub(super) fn round_trip(&self, at: Instant) -> Duration {
        let later = self.round_trips.partition_point(|&(then, _)| then < at);
        let nearest = self.round_trips.get(later).or(self.round_trips.last());
        nearest.map_or(UNKNOWN, |&(_, rtt)| rtt)
    }

    pub(super) fn answer(&self, msg_id: &str) -> Option<&(Duration, Message)> {
        self.answers.get(msg_id)
    }
}

fn median(sorted: &[Duration]) -> Option<Duration> {
    sorted.get(sorted.len() / 2).copied()
}
