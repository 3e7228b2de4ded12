//! The node's journal, as the driver sees it: what the hub asks for goes out in batches, what becomes of it comes back as
//! events of the hub.

use crate::journal::{Entry, EntryNumber, Event, Journal, Opened, Operation, Recovered};
use async_channel::Receiver;
use edgehub_core::hub::JournalEvent;
use edgehub_core::journal::Health;
use edgehub_core::{Message, UnixMillis};
use smol::future;
use std::collections::VecDeque;
use tracing::{error, info, warn};

/// An open journal, and what is still to be handed to it.
#[derive(Debug)]
pub(super) struct NodeJournal {
    journal: Journal,
    events: Receiver<Event>,
    /// What is to be stored, by rising number; it grows while more waits for the disk than the journal takes.
    stores: VecDeque<Entry>,
    /// What else is to be done. None of it is about an entry that is still here.
    others: Vec<Operation>,
    closed: bool,
}

impl NodeJournal {
    /// Hands what was there before the start to the hub, and starts the thread that writes. Blocks while it reads.
    pub(super) fn start(opened: Opened, mut tell: impl FnMut(JournalEvent)) -> Option<NodeJournal> {
        report("journal", &opened.recovered);
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
            Ok(journal) => Some(NodeJournal {
                events: journal.events(),
                journal,
                stores: VecDeque::new(),
                others: Vec::new(),
                closed: false,
            }),
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

    /// Hands over what there is, and returns what happens next; `None` when nothing more can.
    pub(super) async fn next_after_handing_over(&mut self) -> Option<JournalEvent> {
        loop {
            self.hand_over();
            if let Some(event) = translated(self.events.recv().await.ok()?) {
                return Some(event);
            }
        }
    }

    /// Closes it, and returns what happens until then; `None` at the end.
    pub(super) async fn next_before_end(&mut self) -> Option<JournalEvent> {
        self.hand_over();
        if !std::mem::replace(&mut self.closed, true) {
            self.journal.close();
        }
        self.next_after_handing_over().await
    }

    pub(super) fn store(&mut self, number: EntryNumber, class: u8, at: UnixMillis, message: Message) {
        self.stores.push_back(Entry { number, class, at, reason: None, frame: message.into_frame() });
    }

    pub(super) fn forget(&mut self, first: EntryNumber, last: EntryNumber) {
        // What is still here needs neither storing nor forgetting.
        let begin = self.stores.partition_point(|entry| entry.number < first);
        let end = self.stores.partition_point(|entry| entry.number <= last);
        self.stores.drain(begin..end);
        if (end - begin) as u64 <= last.0 - first.0 {
            self.others.push(Operation::Forget { first, last });
        }
    }

    pub(super) fn fetch(&mut self, number: EntryNumber) {
        self.others.push(Operation::Fetch(number));
    }

    /// Hands over what there is. What is not taken waits for the next time, and each event is one; forgetting never has to.
    pub(super) fn hand_over(&mut self) {
        if !self.others.is_empty()
            && let Err(refused) = self.journal.append(std::mem::take(&mut self.others))
        {
            self.others = refused;
        }
        if self.stores.is_empty() {
            return;
        }
        let stores = std::mem::take(&mut self.stores);
        if let Err(refused) = self.journal.append(stores.into_iter().map(Operation::Store).collect()) {
            let back = |operation| match operation {
                Operation::Store(entry) => Some(entry),
                _ => None,
            };
            self.stores = refused.into_iter().filter_map(back).collect();
        }
    }
}

/// Says what opening has found that is not as it should be.
pub(super) fn report(which: &str, recovered: &Recovered) {
    for torn in &recovered.torn {
        info!(segment = %torn.segment, bytes = torn.bytes, "{which}: an unfinished end was cut off");
    }
    if recovered.skipped_bytes > 0 {
        let (stretches, bytes) = (recovered.skipped.len(), recovered.skipped_bytes);
        error!(
            stretches,
            bytes, "{which}: damaged parts were passed over, what they held is lost; check the disk"
        );
    }
    for (path, refusal) in &recovered.set_aside {
        warn!(path = %path.display(), %refusal, "{which}: a file was set aside; keep it for an examination, or delete it");
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Options;
    use edgehub_core::{Content, Draft};

    #[test]
    fn what_ends_before_it_is_handed_over_is_never_written() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Opened::open(dir.path(), "project/edge-1", Options::default()).unwrap();
        let mut journal = NodeJournal::start(open(), drop).unwrap();
        let message =
            Draft { msg_id: "a", content: Content::Text("x"), ..Draft::default() }.encode().unwrap();
        let store = |journal: &mut NodeJournal, numbers: std::ops::RangeInclusive<u64>| {
            for number in numbers {
                journal.store(EntryNumber(number), 0, UnixMillis(0), message.clone());
            }
        };
        store(&mut journal, 1..=3);
        journal.hand_over();
        store(&mut journal, 4..=9);
        journal.forget(EntryNumber(5), EntryNumber(6));
        assert!(journal.others.is_empty(), "nobody has to hear of it");
        // The first of these was handed over, the second was not.
        journal.forget(EntryNumber(3), EntryNumber(4));
        journal.forget(EntryNumber(9), EntryNumber(9));
        let waiting: Vec<_> = journal.stores.iter().map(|entry| entry.number.0).collect();
        assert_eq!((waiting, journal.others.len()), (vec![7, 8], 1));
        while smol::block_on(journal.next_before_end()).is_some() {}
        let live: Vec<_> = open().recovered.live.iter().map(|(number, _)| number.0).collect();
        assert_eq!(live, [1, 2, 7, 8]);
    }
}
