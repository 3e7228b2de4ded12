//! What the journal reports, and what it is asked for.
//!
//! A message of a persistent class is handed to the journal when it is accepted, and may be written to the link at once:
//! storing protects against a crash, and waiting for it would cost every message the disk's time. It is told as stored
//! only after the journal has said so. With its end, whatever that is, the journal may forget it.
//!
//! After a start, what the journal held comes first: accepted again, with its old id and its old place, and counted in the
//! books as any other message. Its time to live begins anew, since no clock that can be trusted runs across a restart.

use super::input::JournalEvent;
use super::link::LinkState;
use super::outbox::{Entry, Keep, UnstoredShare};
use super::{DropReason, Hub, Note, Output, Stage};
use crate::canary::Canary;
use crate::journal::{EntryNumber, Health};
use crate::message::Message;
use serde::{Deserialize, Serialize};

/// A journal that is there.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Journal {
    frame_bytes_max: usize,
    /// Numbers from here on are new.
    unused: EntryNumber,
    /// The latest that was restored.
    restored: EntryNumber,
    health: Health,
}

impl Hub {
    /// Something about the journal.
    pub(super) fn journal_event(&mut self, event: JournalEvent) {
        let stopped = self.state == LinkState::Stopped;
        match event {
            JournalEvent::Opened { unused, frame_bytes_max } => self.journal_opened(unused, frame_bytes_max),
            JournalEvent::LettersOpened
            | JournalEvent::LetterStored { .. }
            | JournalEvent::LetterLost { .. }
            | JournalEvent::LettersDiscarded { .. } => self.letter_event(event),
            _ if self.journal.is_none() => self.note(Note::UnexpectedJournalEvent),
            JournalEvent::Restored { number, message } => self.restored(number, message),
            JournalEvent::Stored { up_to } => {
                for (module, receipt, msg_id) in self.outbox.stored(up_to) {
                    if !self.planted.is(Canary::StoredBeforeSync) {
                        let (receipt, stage) = (Some(receipt), Stage::Stored);
                        self.outputs.push_back(Output::Receipt { module, receipt, msg_id, stage });
                    }
                }
            }
            JournalEvent::Refused { number } => {
                self.letter_not_kept(number);
                if let Some(msg_id) = self.outbox.not_stored(number) {
                    self.note(Note::NotStored { msg_id });
                }
            }
            // What a stop has left to the journal stays there.
            JournalEvent::Fetched { .. } | JournalEvent::Lost { .. } if stopped => {}
            JournalEvent::Fetched { number, message } => {
                if let Some(message) = self.letter_fetched(number, message)
                    && let Some(lost) = self.outbox.fetched(number, message)
                {
                    self.give_up(lost, DropReason::JournalLost);
                }
            }
            JournalEvent::Lost { number } if self.letter_unreadable(number) => {}
            JournalEvent::Lost { number } => self.journal_lost(number),
            JournalEvent::Health(health) => {
                if let Some(journal) = &mut self.journal
                    && core::mem::replace(&mut journal.health, health) != health
                {
                    self.note(Note::JournalHealth { health });
                }
            }
        }
        if stopped {
            // It may be the first time that it says what it cannot keep.
            self.drop_what_is_not_kept();
        }
    }

    fn journal_opened(&mut self, unused: EntryNumber, frame_bytes_max: usize) {
        let first = self.journal.is_none() && self.state != LinkState::Stopped;
        if !first || !self.outbox.begin_with(unused) {
            return self.note(Note::UnexpectedJournalEvent);
        }
        let (restored, health) = (EntryNumber(0), Health::Good);
        self.journal = Some(Journal { frame_bytes_max, unused, restored, health });
    }

    /// A message from before the start is accepted again.
    fn restored(&mut self, number: EntryNumber, message: Message) {
        let expected = |journal: &Journal| number > journal.restored && number < journal.unused;
        let ended = matches!(self.state, LinkState::Draining | LinkState::Stopped);
        match &mut self.journal {
            Some(journal) if expected(journal) && !ended => journal.restored = number,
            _ => return self.note(Note::UnexpectedJournalEvent),
        }
        self.account.up.accepted += 1;
        self.account.restored += 1;
        let class = self.config.classes.of(&message);
        self.enqueue(
            class,
            Entry { message, module: None, receipt: None, wait: None },
            Keep::Restored(number),
        );
    }

    fn journal_lost(&mut self, number: EntryNumber) {
        match self.outbox.lost(number) {
            Some(taken) => self.give_up(taken, DropReason::JournalLost),
            // From before the start, and not readable: nobody has accepted it in this life.
            None if self
                .journal
                .is_some_and(|journal| number > journal.restored && number < journal.unused) =>
            {
                self.note(Note::EntryLost { number });
                self.outputs.push_back(Output::Forget { first: number, last: number });
            }
            None => {}
        }
    }

    /// Whether a message of this class is to be stored.
    pub(super) fn is_persistent(&self, class: usize, message: &Message) -> bool {
        self.journal.is_some()
            && !message.is_sync()
            && self.outbox.class(class).is_some_and(|class| class.persistent)
    }

    /// The first number that no message from before the start has.
    pub(super) fn first_new(&self) -> EntryNumber {
        self.journal.map_or(EntryNumber(0), |journal| journal.unused)
    }

    /// The longest frame that can be stored.
    pub(super) fn stored_bytes_max(&self) -> usize {
        self.journal.map_or(usize::MAX, |journal| journal.frame_bytes_max)
    }

    /// A message was queued under this number, and goes to the journal.
    pub(super) fn store(&mut self, number: EntryNumber, class: usize, message: Message) {
        self.outputs.push_back(Output::Store { number, class: class as u8, message });
    }

    /// Whether so much waits to be stored that modules are to wait.
    pub(super) fn is_journal_behind(&self) -> bool {
        let share = if self.intake_open { UnstoredShare::Whole } else { UnstoredShare::Half };
        self.outbox.unstored_exceeds(share)
    }

    /// Drops what a stop does not leave to the journal: what that does not have, and, unless it is well, what it has not
    /// reported as stored.
    pub(super) fn drop_what_is_not_kept(&mut self) {
        let trusted = self.journal.is_some_and(|journal| journal.health == Health::Good);
        for (class, number) in self.outbox.not_kept(trusted) {
            if let Some(taken) = self.outbox.remove(class, number) {
                self.give_up(taken, DropReason::Shutdown);
            }
        }
    }

    /// How the journal is; `None` without one.
    pub fn journal_health(&self) -> Option<Health> {
        self.journal.map(|journal| journal.health)
    }

    /// Asks for what will soon have its turn.
    pub(super) fn fetch_ahead(&mut self) {
        if self.state.is_open() {
            for number in self.outbox.ask_for_next() {
                self.outputs.push_back(Output::Fetch { number });
            }
        }
    }

    /// Tells the journal what has come to its end.
    pub(super) fn forget_settled(&mut self) {
        if self.outbox.has_forgets() {
            let forgets = self.outbox.take_forgets();
            self.outputs.extend(forgets.map(|(first, last)| Output::Forget { first, last }));
        }
    }
}
