//! The node's dead letters, as the driver sees them: what the hub drops goes to a journal of its own, without anyone
//! waiting for it.

use super::journal::report;
use crate::journal::{Entry, EntryNumber, Event, Health, Journal, Opened, Operation, letter_reason};
use async_channel::Receiver;
use edgehub_core::hub::{DropReason, JournalEvent, LetterNumber};
use edgehub_core::{Message, UnixMillis};
use smol::future;
use tracing::{error, info, warn};

/// An open journal of dead letters, and what is still to be handed to it.
#[derive(Debug)]
pub(super) struct NodeLetters {
    journal: Journal,
    events: Receiver<Event>,
    operations: Vec<Operation>,
    /// The numbers of this life's letters begin behind this one.
    base: u64,
    closed: bool,
}

impl NodeLetters {
    /// Starts the thread that writes, and tells the hub.
    pub(super) fn start(opened: Opened, tell: impl FnOnce(JournalEvent)) -> Option<NodeLetters> {
        report("dead letters", &opened.recovered);
        let base = opened.recovered.unused.0.saturating_sub(1);
        match opened.start() {
            Ok(journal) => {
                tell(JournalEvent::LettersOpened);
                let events = journal.events();
                Some(NodeLetters { journal, events, operations: Vec::new(), base, closed: false })
            }
            Err(error) => {
                error!(%error, "the thread for dead letters cannot be started: none are kept; free some memory or threads and start again");
                None
            }
        }
    }

    /// Takes a dropped message.
    pub(super) fn bury(
        &mut self,
        letter: LetterNumber,
        (class, name): (u8, &str),
        reason: DropReason,
        at: UnixMillis,
        message: Message,
    ) {
        let number = EntryNumber(self.base.saturating_add(letter.0));
        let reason = Some(letter_reason(name, &reason.to_string()).into());
        let entry = Entry { number, class, at, reason, frame: message.into_frame() };
        self.operations.push(Operation::Store(entry));
    }

    /// Hands over what there is. What is not taken waits for the next time; how much that can be, the hub decides.
    pub(super) fn hand_over(&mut self) {
        if !self.operations.is_empty()
            && let Err(refused) = self.journal.append(std::mem::take(&mut self.operations))
        {
            self.operations = refused;
        }
    }

    /// What happens next.
    pub(super) async fn next(&self) -> JournalEvent {
        loop {
            match self.events.recv().await {
                Ok(event) => {
                    if let Some(event) = self.translated(event) {
                        return event;
                    }
                }
                // It ends only when it is closed.
                Err(_) => future::pending().await,
            }
        }
    }

    /// What has happened already.
    pub(super) fn try_next(&self) -> Option<JournalEvent> {
        loop {
            if let Some(event) = self.translated(self.events.try_recv().ok()?) {
                return Some(event);
            }
        }
    }

    /// Closes it and returns what happens until then; `None` at the end, which is reported if it is a bad one.
    pub(super) async fn next_before_end(&mut self) -> Option<JournalEvent> {
        loop {
            self.hand_over();
            // A batch is refused only while another one is written, and then there is an event to come.
            if !self.closed && self.operations.is_empty() {
                self.closed = true;
                self.journal.close();
            }
            match self.events.recv().await.ok()? {
                Event::Closed { unwritten: 0 } => return None,
                Event::Closed { unwritten } => {
                    error!(unwritten, "dead letters could not be stored and are lost; check the disk");
                    return None;
                }
                // On a disk that does not work nobody waits.
                Event::Health(health) if health != Health::Good && !self.closed => {
                    self.closed = true;
                    self.journal.close();
                }
                event => {
                    if let Some(event) = self.translated(event) {
                        return Some(event);
                    }
                }
            }
        }
    }

    fn translated(&self, event: Event) -> Option<JournalEvent> {
        let letter = |number: EntryNumber| LetterNumber(number.0.saturating_sub(self.base));
        Some(match event {
            Event::Stored { up_to } => JournalEvent::LetterStored { up_to: letter(up_to) },
            Event::Refused { number, reason } => {
                warn!(?reason, "a dead letter was not taken");
                JournalEvent::LetterLost { number: letter(number) }
            }
            Event::Discarded { entries } => {
                info!(entries, "the oldest dead letters made room");
                JournalEvent::LettersDiscarded { letters: entries as u64 }
            }
            // It was to move to a newer segment. The journal's thread has told of it, and of its health.
            Event::Lost { .. } => JournalEvent::LettersDiscarded { letters: 1 },
            // Letters are never read back while the hub runs.
            Event::Health(_) | Event::Fetched(_) | Event::Closed { .. } => return None,
        })
    }
}
