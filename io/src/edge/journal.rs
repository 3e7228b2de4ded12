//! The node's journal, as the driver sees it: what the hub asks for goes out in batches, what becomes of it comes back as
//! events of the hub.

use crate::journal::{Entry, EntryNumber, Event, Journal, Opened, Operation};
use async_channel::Receiver;
use edgehub_core::hub::JournalEvent;
use edgehub_core::journal::Health;
use edgehub_core::{Message, UnixMillis};
use smol::future;
use tracing::{error, info, warn};

/// An open journal, and what is still to be handed to it.
#[derive(Debug)]
pub(super) struct NodeJournal {
    journal: Journal,
    events: Receiver<Event>,
    /// In order; it grows while more waits for the disk than the journal takes.
    operations: Vec<Operation>,
    closed: bool,
}

impl NodeJournal {
    /// Hands what was there before the start to the hub, and starts the thread that writes. Blocks while it reads.
    pub(super) fn start(opened: Opened, mut tell: impl FnMut(JournalEvent)) -> Option<NodeJournal> {
        report(&opened);
        tell(JournalEvent::Opened {
            unused: opened.recovered.unused,
            frame_bytes_max: opened.frame_bytes_max(),
        });
        let mut live = opened.recovered.live.iter().map(|(number, _)| *number);
        let mut restored = 0;
        for entry in opened.entries() {
            // What cannot be read is missing among the entries.
            for number in live.by_ref().take_while(|number| *number != entry.number) {
                tell(JournalEvent::Lost { number });
            }
            match Message::decode(entry.frame) {
                Ok(message) => {
                    restored += 1;
                    tell(JournalEvent::Restored { number: entry.number, message });
                }
                Err(_) => tell(JournalEvent::Lost { number: entry.number }),
            }
        }
        live.for_each(|number| tell(JournalEvent::Lost { number }));
        if restored > 0 {
            info!(restored, "journal: messages from before the start will leave first");
        }
        match opened.start() {
            Ok(journal) => {
                Some(NodeJournal { events: journal.events(), journal, operations: Vec::new(), closed: false })
            }
            Err(error) => {
                error!(%error, "the journal's thread cannot be started: nothing is stored; free some memory or threads and start again");
                tell(JournalEvent::Health(Health::Failing));
                None
            }
        }
    }

    /// What happens next.
    pub(super) async fn next(&self) -> JournalEvent {
        loop {
            match self.events.recv().await {
                Ok(event) => {
                    if let Some(event) = translated(event) {
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
            if let Some(event) = translated(self.events.try_recv().ok()?) {
                return Some(event);
            }
        }
    }

    /// Closes it once everything is handed over, or at once when it does not work. Returns what happens until then, and
    /// `None` at the end, which is reported if it is a bad one.
    pub(super) async fn next_before_end(&mut self, works: bool) -> Option<JournalEvent> {
        loop {
            self.hand_over();
            if !self.closed && (self.operations.is_empty() || !works) {
                self.closed = true;
                self.journal.close();
            }
            match self.events.recv().await.ok()? {
                Event::Closed { unwritten } => {
                    let waiting = |operation: &&Operation| matches!(operation, Operation::Store(_));
                    let unwritten = unwritten + self.operations.iter().filter(waiting).count();
                    if unwritten == 0 {
                        return None;
                    }
                    error!(unwritten, "journal: messages could not be stored and are lost; check the disk");
                    return None;
                }
                event => {
                    if let Some(event) = translated(event) {
                        return Some(event);
                    }
                }
            }
        }
    }

    pub(super) fn store(&mut self, number: EntryNumber, class: u8, at: UnixMillis, message: Message) {
        let entry = Entry { number, class, at, reason: None, frame: message.into_frame() };
        self.operations.push(Operation::Store(entry));
    }

    pub(super) fn forget(&mut self, first: EntryNumber, last: EntryNumber) {
        // What is still here needs neither storing nor forgetting; there are many only when the disk does not keep pace.
        let is_meant = |operation: &Operation| matches!(operation, Operation::Store(entry) if (first..=last).contains(&entry.number));
        let before = self.operations.len();
        self.operations.retain(|operation| !is_meant(operation));
        let all = last.0 - first.0 + 1 == (before - self.operations.len()) as u64;
        if !all {
            self.operations.push(Operation::Forget { first, last });
        }
    }

    pub(super) fn fetch(&mut self, number: EntryNumber) {
        self.operations.push(Operation::Fetch(number));
    }

    /// Hands over what there is. What is not taken waits for the next time, and each event is one.
    pub(super) fn hand_over(&mut self) {
        if !self.operations.is_empty()
            && let Err(refused) = self.journal.append(std::mem::take(&mut self.operations))
        {
            self.operations = refused;
        }
    }
}

fn report(opened: &Opened) {
    let recovered = &opened.recovered;
    for torn in &recovered.torn {
        info!(segment = %torn.segment, bytes = torn.bytes, "journal: an unfinished end was cut off");
    }
    if recovered.skipped_bytes > 0 {
        let (stretches, bytes) = (recovered.skipped.len(), recovered.skipped_bytes);
        error!(
            stretches,
            bytes, "journal: damaged parts were passed over, what they held is lost; check the disk"
        );
    }
    for (path, refusal) in &recovered.set_aside {
        warn!(path = %path.display(), %refusal, "journal: a segment was set aside");
    }
}

/// What the hub has to know of an event.
fn translated(event: Event) -> Option<JournalEvent> {
    Some(match event {
        Event::Stored { up_to } => JournalEvent::Stored { up_to },
        Event::Refused { number, .. } => JournalEvent::Refused { number },
        Event::Fetched(Entry { number, frame, .. }) => match Message::decode(frame) {
            Ok(message) => JournalEvent::Fetched { number, message },
            Err(_) => JournalEvent::Lost { number },
        },
        Event::Lost { number } => JournalEvent::Lost { number },
        Event::Health(health) => JournalEvent::Health(health),
        // Only dead letters are discarded.
        Event::Discarded { .. } | Event::Closed { .. } => return None,
    })
}
