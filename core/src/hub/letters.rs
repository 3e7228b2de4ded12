//! Dead letters: what is dropped of a class that asks for it goes to a journal of its own, with the reason.
//!
//! A message that is in memory is handed over at once. One that is in the journal is fetched first, a few at a time. What
//! the journal holds of a dropped message is forgotten only when its letter is durable: until then a crash brings the
//! message back, to be sent after all.
//!
//! What a newer message has superseded is no loss, and no letter: sent again, it would undo the newer one.
//!
//! Nobody waits for letters. What a slow or failing disk leaves no room for is lost, and counted as that.

use super::consistent::{is_small, is_sum};
use super::link::LinkState;
use super::note::DropReason;
use super::outbox::{Body, Taken};
use super::{Hub, JournalEvent, Note, Output};
use crate::canary::Canary;
use crate::journal::EntryNumber;
use crate::limits::{
    LETTERS_FETCHED_MAX, LETTERS_UNSTORED_BYTES, LETTERS_UNSTORED_MESSAGES, LETTERS_WAITING_MAX,
};
use crate::message::Message;
use alloc::collections::{BTreeMap, VecDeque};
use serde::{Deserialize, Serialize};

/// A dead letter's number: they rise by one, from 1 on, in the life of a hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct LetterNumber(pub u64);

/// Why a message was dropped, and of which class it was.
type Cause = (u8, DropReason);

/// A letter that was handed over.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Handed {
    number: LetterNumber,
    /// What the journal may forget with it.
    kept: Option<EntryNumber>,
    bytes: usize,
    reason: DropReason,
}

/// Letters on their way.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Letters {
    /// Whether there is a journal for them.
    there: bool,
    /// The last number given out.
    last: u64,
    /// Handed over, and not known to be durable.
    handed: VecDeque<Handed>,
    handed_bytes: usize,
    /// In the journal, and to be fetched …
    to_fetch: VecDeque<(EntryNumber, Cause)>,
    /// … or asked for.
    fetching: BTreeMap<EntryNumber, Cause>,
}

impl Letters {
    /// Whether a state out of a file can be one: the sum of what was handed over is right.
    pub(super) fn is_consistent(&self) -> bool {
        is_sum(self.handed_bytes as u64, self.handed.iter().map(|handed| handed.bytes as u64))
            && is_small(self.last)
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.handed.is_empty()
            || (self.handed.len() < LETTERS_UNSTORED_MESSAGES
                && self.handed_bytes.saturating_add(bytes) <= LETTERS_UNSTORED_BYTES)
    }

    fn fetches(&self) -> usize {
        self.to_fetch.len() + self.fetching.len()
    }
}

impl Hub {
    /// Something about dead letters.
    pub(super) fn letter_event(&mut self, event: JournalEvent) {
        match event {
            JournalEvent::LettersOpened if !self.letters.there => self.letters.there = true,
            JournalEvent::LettersDiscarded { letters } if self.letters.there => {
                self.account.letters_discarded = self.account.letters_discarded.saturating_add(letters);
            }
            JournalEvent::LetterStored { up_to } if self.letters.there => {
                while let Some(handed) = self.letters.handed.pop_front_if(|handed| handed.number <= up_to) {
                    self.letters.handed_bytes -= handed.bytes;
                    self.account.letters += 1;
                    self.outbox.forget(handed.kept);
                }
            }
            JournalEvent::LetterLost { number } if self.letters.there => {
                let place = self.letters.handed.iter().position(|handed| handed.number == number);
                if let Some(handed) = place.and_then(|place| self.letters.handed.remove(place)) {
                    self.letters.handed_bytes -= handed.bytes;
                    self.letter_lost(handed.kept, handed.reason);
                }
            }
            _ => self.note(Note::UnexpectedJournalEvent),
        }
    }

    /// A message was dropped: it becomes a dead letter, if its class asks for that.
    pub(super) fn bury(&mut self, taken: Taken, reason: DropReason) {
        let Taken { class, kept, body } = taken;
        if reason == DropReason::Superseded || !self.buries(usize::from(class)) {
            return;
        }
        if !self.planted.is(Canary::ForgottenBeforeBuried) {
            self.outbox.hold_back(kept);
        }
        match (body, kept) {
            (Body::Here(entry), _) if self.letters.has_room(entry.message.bytes()) => {
                self.write_letter(kept, entry.message, (class, reason));
            }
            // What a stop drops the journal is not known to have, and nothing is fetched any more.
            (Body::Here(_), _) if self.state == LinkState::Stopped => self.letter_lost(kept, reason),
            (_, Some(number))
                if reason != DropReason::JournalLost && self.letters.fetches() < LETTERS_WAITING_MAX =>
            {
                self.letters.to_fetch.push_back((number, (class, reason)));
            }
            (_, kept) => self.letter_lost(kept, reason),
        }
    }

    /// A message that never came into the outbox becomes a dead letter, if its class asks for that.
    pub(super) fn bury_refused(&mut self, class: usize, message: Message, reason: DropReason) {
        if self.buries(class) {
            let message = message.into_link_form();
            match self.letters.has_room(message.bytes()) {
                true => self.write_letter(None, message, (class as u8, reason)),
                false => self.letter_lost(None, reason),
            }
        }
    }

    fn buries(&self, class: usize) -> bool {
        self.letters.there
            && !self.planted.is(Canary::NothingBuried)
            && self.outbox.class(class).is_some_and(|class| class.dead_letters)
    }

    fn write_letter(&mut self, kept: Option<EntryNumber>, message: Message, (class, reason): Cause) {
        self.letters.last += 1;
        let (number, bytes) = (LetterNumber(self.letters.last), message.bytes());
        self.letters.handed_bytes += bytes;
        self.letters.handed.push_back(Handed { number, kept, bytes, reason });
        self.outputs.push_back(Output::Bury { letter: number, class, reason, message });
    }

    fn letter_lost(&mut self, kept: Option<EntryNumber>, reason: DropReason) {
        self.account.letters_lost += 1;
        self.note(Note::LetterLost { reason });
        self.outbox.forget(kept);
    }

    /// A message was read from the journal. It comes back unless it was read for a letter.
    pub(super) fn letter_fetched(&mut self, number: EntryNumber, message: Message) -> Option<Message> {
        let Some(cause) = self.letters.fetching.remove(&number) else { return Some(message) };
        self.write_letter(Some(number), message, cause);
        None
    }

    /// An entry of the journal cannot be read. Whether it was to be read for a letter.
    pub(super) fn letter_unreadable(&mut self, number: EntryNumber) -> bool {
        let cause = self.letters.fetching.remove(&number);
        if let Some((_, reason)) = cause {
            self.letter_lost(Some(number), reason);
        }
        cause.is_some()
    }

    /// The journal did not take an entry: there is nothing to be forgotten with its letter, or to be read for it.
    pub(super) fn letter_not_kept(&mut self, number: EntryNumber) {
        let letters = &mut self.letters;
        if let Some(handed) = letters.handed.iter_mut().find(|handed| handed.kept == Some(number)) {
            handed.kept = None;
            return;
        }
        let waiting = letters.to_fetch.iter().position(|(other, _)| *other == number);
        let waiting = waiting.and_then(|place| letters.to_fetch.remove(place)).map(|(_, cause)| cause);
        if let Some((_, reason)) = waiting.or_else(|| letters.fetching.remove(&number)) {
            self.letter_lost(None, reason);
        }
    }

    /// Asks for what is to become a letter, as far as there is room for it.
    pub(super) fn fetch_letters(&mut self) {
        // What a stop finds here stays in the journal, and is restored after the next start.
        while self.state != LinkState::Stopped
            && self.letters.fetching.len() < LETTERS_FETCHED_MAX
            && self.letters.has_room(0)
            && let Some((number, cause)) = self.letters.to_fetch.pop_front()
        {
            self.letters.fetching.insert(number, cause);
            self.outputs.push_back(Output::Fetch { number });
        }
    }

    /// Dead letters that are not known to be durable: handed over, and still to be read from the journal.
    pub fn letters_under_way(&self) -> (usize, usize) {
        (self.letters.handed.len(), self.letters.fetches())
    }
}
