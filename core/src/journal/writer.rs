//! The machine: what is written, synced, moved and deleted, and when.
//!
//! A driver does three things, in a loop: it hands over what happened with [`Writer::handle`], passes on what
//! [`Writer::poll_event`] tells, and carries out the one command that [`Writer::next_command`] asks for. Everything handed
//! over while a command was out goes into the next write together: that is the group commit.
//!
//! ```text
//!            ┌────────────── what waits: forgets, copies, entries
//!            ▼
//!  idle ── write ── sync ── Stored      a fault: rest until Retry, then
//!    │                                    no space: the same write at the same place
//!    ├── read (fetch, or to copy)         else: the segment is left as it is, and what was not
//!    ├── delete the oldest segment              synced is written again, to a new segment
//!    └── create, when the segment is full
//! ```
//!
//! After a sync that failed nobody knows what reached the disk, and asking again may get the wrong answer: so the same
//! file is never trusted twice. When that happens to what was read back at the start, there is no other copy: the
//! writer stops for good and everything is to be read again.

mod batch;
mod complete;
mod input;
mod output;
mod settings;
mod space;
#[cfg(test)]
mod tests;

pub use input::{Completion, Fault, Input, Operation};
pub use output::{Command, Event, FullReason, Health, RefusedReason};
pub use settings::{Overflow, Settings};

use super::index::Index;
use super::record::Record;
use super::{Entry, EntryNumber, Recovery, SegmentNumber};
use crate::canary::{JournalCanary, Planted};
use crate::limits::{JOURNAL_FETCHES_MAX, JOURNAL_UNSYNCED_BYTES_MAX};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use batch::{Active, Chunk};
use bytes::Bytes;
use space::Copying;

/// Decides what becomes of a journal on disk. It never fails and never waits.
#[derive(Debug)]
pub struct Writer {
    settings: Settings,
    /// The owner's identity, and the first unused number, for headers.
    origin: Recovery,
    index: Index,
    /// What is done before anything else: torn ends are cut, what was only in the page cache is synced.
    start: VecDeque<Command>,
    waiting: BTreeMap<EntryNumber, Entry>,
    waiting_bytes: usize,
    /// Ranges whose forget record is to be written: first to last.
    forgets: BTreeMap<EntryNumber, EntryNumber>,
    fetches: VecDeque<EntryNumber>,
    copying: Copying,
    active: Option<Active>,
    next_segment: SegmentNumber,
    /// Encoded, and not written yet.
    pending: Option<Chunk>,
    /// Written to the active segment, and not synced yet.
    unsynced: Chunk,
    /// The buffer of the latest batch, for the next one: given back each time, it would leave its size in holes behind, since
    /// an allocator takes large buffers that come and go for a reason to keep more.
    spare: Vec<u8>,
    out: Option<Step>,
    start_failed: bool,
    resting: bool,
    deletes_fail: bool,
    reads_failed: u32,
    health: Health,
    closing: bool,
    closed: bool,
    events: VecDeque<Event>,
    planted: Planted<JournalCanary>,
}

/// What the command that is out is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Start,
    Create,
    Write,
    Sync,
    Delete(SegmentNumber),
    Fetch(EntryNumber),
    Copy(EntryNumber),
}

impl Writer {
    /// Goes on with what was read back. The first commands make that durable, as far as only the page cache held it;
    /// when one of them fails, see [`must_be_read_again`](Writer::must_be_read_again).
    pub fn new(settings: Settings, mut recovery: Recovery) -> Writer {
        let mut start: VecDeque<Command> = VecDeque::new();
        for torn in recovery.torn() {
            start.push_back(Command::Cut { segment: torn.segment, length: torn.offset });
        }
        start.extend(recovery.index.segments().map(|segment| Command::Sync { segment }));
        start.extend(recovery.unborn.iter().map(|segment| Command::Delete { segment: *segment }));
        Writer {
            settings: settings.bounded(),
            index: core::mem::take(&mut recovery.index),
            next_segment: SegmentNumber(recovery.newest().map_or(1, |newest| newest.0.saturating_add(1))),
            origin: recovery,
            start,
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
            forgets: BTreeMap::new(),
            fetches: VecDeque::new(),
            copying: Copying::default(),
            active: None,
            pending: None,
            unsynced: Chunk::default(),
            spare: Vec::new(),
            out: None,
            start_failed: false,
            resting: false,
            deletes_fail: false,
            reads_failed: 0,
            health: Health::Good,
            closing: false,
            closed: false,
            events: VecDeque::new(),
            planted: Planted::default(),
        }
    }

    /// Gives the writer a bug; only ever called with the feature `canaries`.
    #[cfg(feature = "canaries")]
    pub(crate) fn plant(&mut self, planted: Planted<JournalCanary>) {
        self.planted = planted;
    }

    /// Takes up what happened.
    pub fn handle(&mut self, input: Input) {
        match input {
            Input::Operation(Operation::Store(entry)) => self.store(entry),
            Input::Operation(Operation::Forget { first, last }) => self.forget(first, last),
            Input::Operation(Operation::Fetch(number)) => self.fetch(number),
            Input::Close => self.closing = true,
            Input::Retry => {
                self.resting = false;
                self.deletes_fail = false;
            }
            Input::Completed(completion) => self.completed(completion),
            Input::Failed(fault) => self.failed(fault),
        }
    }

    /// The next thing to tell the owner, in order.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next thing to do on the disk; `None` while one is out, while it rests after a fault, and when there is nothing
    /// to do.
    pub fn next_command(&mut self) -> Option<Command> {
        if self.out.is_some() || self.closed {
            return None;
        }
        if self.resting || self.start_failed {
            if self.closing {
                self.close();
            }
            return None;
        }
        let (step, command) = match self.decide() {
            Some(decision) => decision,
            None if self.closing => {
                self.close();
                return None;
            }
            None => return None,
        };
        self.out = Some(step);
        Some(command)
    }

    fn decide(&mut self) -> Option<(Step, Command)> {
        if let Some(command) = self.start.front() {
            return Some((Step::Start, command.clone()));
        }
        if self.pending.is_some() {
            return Some(self.write_or_create());
        }
        if self.unsynced.must_sync || self.unsynced.len() >= JOURNAL_UNSYNCED_BYTES_MAX {
            return self.sync();
        }
        if let Some(read) = self.read_fetched() {
            return Some(read);
        }
        if let Some(delete) = self.delete_oldest() {
            return Some(delete);
        }
        if let Some(read) = self.read_to_copy() {
            return Some(read);
        }
        if self.fill() {
            return Some(self.write_or_create());
        }
        if let Some(delete) = self.make_room() {
            return Some(delete);
        }
        // Forget records alone are not worth a sync, but the last ones before the end are.
        if self.closing && !self.unsynced.is_empty() { self.sync() } else { None }
    }

    fn close(&mut self) {
        self.closed = true;
        let pending = self.pending.as_ref().map_or(0, |chunk| chunk.entries.len());
        let unsynced = if self.unsynced.must_sync { self.unsynced.entries.len() } else { 0 };
        self.events.push_back(Event::Closed { unwritten: self.waiting.len() + pending + unsynced });
    }

    fn store(&mut self, entry: Entry) {
        let number = entry.number;
        let bytes = Record::of(&entry).bytes();
        let limit = self.record_bytes_max();
        let reason = if self.closing {
            RefusedReason::Closing
        } else if number < self.origin.unused() || number.0 == u64::MAX {
            RefusedReason::NumberUsed
        } else if bytes as u64 > limit {
            RefusedReason::TooLarge { limit }
        } else if self.waiting.len() >= self.settings.waiting
            || (self.waiting_bytes.saturating_add(bytes) > self.settings.waiting_bytes
                && !self.waiting.is_empty())
        {
            RefusedReason::TooManyWaiting
        } else {
            self.origin.use_number(number);
            self.waiting_bytes += bytes;
            self.waiting.insert(number, entry);
            return;
        };
        self.events.push_back(Event::Refused { number, reason });
    }

    fn forget(&mut self, first: EntryNumber, last: EntryNumber) {
        // A range may be open upwards; what comes later is not meant.
        let last = last.min(EntryNumber(self.origin.unused().0.saturating_sub(1)));
        if first > last {
            return;
        }
        let unwritten: Vec<_> = self.waiting.range(first..=last).map(|(number, _)| *number).collect();
        for number in unwritten {
            if let Some(entry) = self.waiting.remove(&number) {
                self.waiting_bytes -= Record::of(&entry).bytes();
            }
        }
        if self.index.remove_range(first, last) > 0 {
            self.note_forget(first, last);
        }
    }

    /// Remembers to write a forget record, joined with its neighbours.
    fn note_forget(&mut self, mut first: EntryNumber, mut last: EntryNumber) {
        let next = EntryNumber(last.0.saturating_add(1));
        while let Some((&start, &end)) = self.forgets.range(..=next).next_back() {
            if end.0.saturating_add(1) < first.0 {
                break;
            }
            self.forgets.remove(&start);
            first = first.min(start);
            last = last.max(end);
        }
        self.forgets.insert(first, last);
    }

    fn fetch(&mut self, number: EntryNumber) {
        if let Some(entry) = self.waiting.get(&number) {
            self.events.push_back(Event::Fetched(entry.clone()));
        } else if self.fetches.len() < JOURNAL_FETCHES_MAX && self.index.place(number).is_some() {
            self.fetches.push_back(number);
        } else {
            // Also what is asked for too eagerly is answered; only what is not there is told to be lost for good.
            self.events.push_back(Event::Lost { number });
        }
    }

    fn set_health(&mut self, health: Health) {
        if self.health != health {
            self.health = health;
            self.events.push_back(Event::Health(health));
        }
    }

    /// Whether what was read back is durable now, and new entries can be written.
    pub fn is_started(&self) -> bool {
        self.start.is_empty()
    }

    /// Whether what was read back could not be made durable. A second sync might succeed without having written what
    /// the first one lost, so this writer does nothing any more: the segments are to be read again, from the disk.
    pub fn must_be_read_again(&self) -> bool {
        self.start_failed
    }

    /// Whether a fault or a full disk makes it wait for [`Input::Retry`].
    pub fn wants_retry(&self) -> bool {
        !self.closed && !self.start_failed && (self.resting || self.deletes_fail)
    }

    /// Whether nothing waits for the disk and everything written is durable.
    pub fn is_settled(&self) -> bool {
        self.out.is_none()
            && self.is_started()
            && self.pending.is_none()
            && self.waiting.is_empty()
            && self.forgets.is_empty()
            && self.unsynced.is_empty()
    }

    /// How it is.
    pub fn health(&self) -> Health {
        self.health
    }

    /// Entries that wait to be written, and their bytes.
    pub fn waiting(&self) -> (usize, usize) {
        (self.waiting.len(), self.waiting_bytes)
    }

    /// Live entries on disk or on their way, and the bytes of their records.
    pub fn live(&self) -> (usize, u64) {
        (self.index.live().len(), self.index.live_bytes())
    }

    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.index.bytes()
    }

    /// The first number that was never used.
    pub fn unused(&self) -> EntryNumber {
        self.origin.unused()
    }

    /// The longest record that is taken, in bytes: frame, reason and 33 bytes more.
    pub fn record_bytes_max(&self) -> u64 {
        self.settings.segment_bytes / 2
    }

    /// The longest frame of an entry that is no dead letter, in bytes.
    pub fn frame_bytes_max(&self) -> usize {
        usize::try_from(self.record_bytes_max())
            .unwrap_or(usize::MAX)
            .saturating_sub(super::record::HEAD_BYTES)
    }

    fn header(&self, segment: SegmentNumber) -> Bytes {
        Bytes::from(self.origin.header(segment).encode())
    }
}
