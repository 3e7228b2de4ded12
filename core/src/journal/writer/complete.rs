//! What follows from a command that was carried out, or failed.

use super::super::record::{HEAD_BYTES, Record};
use super::super::{Entry, EntryNumber};
use super::batch::{Active, Chunk};
use super::{Completion, Event, Fault, FullReason, Health, Step, Writer};
use crate::canary::JournalCanary;
use crate::limits::JOURNAL_READS_MAX;

impl Writer {
    pub(super) fn completed(&mut self, completion: Completion) {
        match self.out.take() {
            None => {}
            Some(Step::Start) => drop(self.start.pop_front()),
            Some(Step::Create) => self.created(),
            Some(Step::Write) => self.written(),
            Some(Step::Sync) => self.synced(),
            Some(Step::Delete(segment)) => {
                let entries = self.index.remove_segment(segment);
                if entries > 0 {
                    self.events.push_back(Event::Discarded { entries });
                }
            }
            Some(Step::Fetch(number)) => match self.decoded(number, &completion) {
                Some(entry) => self.events.push_back(Event::Fetched(entry)),
                None => self.lost(number),
            },
            Some(Step::Copy(number)) => match self.decoded(number, &completion) {
                Some(entry) => self.copying.push(entry),
                None => self.lost(number),
            },
        }
    }

    pub(super) fn failed(&mut self, fault: Fault) {
        let Some(step) = self.out.take() else { return };
        self.resting = true;
        self.set_health(match fault {
            Fault::NoSpace => Health::Full(FullReason::Disk),
            Fault::Other => Health::Failing,
        });
        match step {
            Step::Start => self.start_failed = !self.planted.is(JournalCanary::StartTrusted),
            Step::Create => {}
            // What part of it was written is overwritten with the same bytes.
            Step::Write if fault == Fault::NoSpace => {}
            Step::Sync if self.planted.is(JournalCanary::SyncedAgain) => {}
            Step::Write | Step::Sync => self.abandon(),
            Step::Delete(_) => {
                // What can be written still is.
                self.resting = false;
                self.deletes_fail = true;
            }
            Step::Fetch(number) => {
                if !self.gives_up(number) {
                    self.fetches.push_front(number);
                }
            }
            Step::Copy(number) => {
                if !self.gives_up(number) {
                    self.copying.read_again(number);
                }
            }
        }
    }

    fn created(&mut self) {
        let segment = self.next_segment;
        let length = self.header(segment).len();
        self.index.grow(segment, length);
        self.active = Some(Active { segment, begin: length as u64, length: length as u64 });
        self.next_segment.0 = segment.0.saturating_add(1);
    }

    fn written(&mut self) {
        let chunk = self.pending.take().unwrap_or_default();
        if let Some(active) = &mut self.active {
            active.length += chunk.len() as u64;
        }
        if let Some(up_to) = chunk.up_to.filter(|_| self.planted.is(JournalCanary::StoredUnsynced)) {
            self.events.push_back(Event::Stored { up_to });
        }
        self.unsynced.append(chunk);
        if !self.unsynced.must_sync {
            self.is_well();
        }
    }

    fn synced(&mut self) {
        let chunk = core::mem::take(&mut self.unsynced);
        if let Some(up_to) = chunk.up_to {
            self.events.push_back(Event::Stored { up_to });
        }
        let most = self.settings.batch_bytes + HEAD_BYTES;
        self.spare = chunk.into_buffer().filter(|buffer| buffer.capacity() <= most).unwrap_or_default();
        self.is_well();
    }

    /// The disk works; a journal that is full by its own limit stays so.
    fn is_well(&mut self) {
        if self.health != Health::Full(FullReason::Limit) && !self.deletes_fail {
            self.set_health(Health::Good);
        }
    }

    /// Leaves the active segment as it is; all that may not have reached the disk is to be written again, elsewhere.
    fn abandon(&mut self) {
        self.active = None;
        let mut chunk = core::mem::take(&mut self.unsynced);
        if let Some(pending) = self.pending.take() {
            chunk.append(pending);
        }
        chunk.placed = false;
        self.pending = (!chunk.is_empty()).then_some::<Chunk>(chunk);
    }

    fn decoded(&mut self, number: EntryNumber, completion: &Completion) -> Option<Entry> {
        let Completion::Read(bytes) = completion else { return None };
        self.reads_failed = 0;
        let entry = Record::decode(bytes, self.origin.seed())?.0.to_entry()?;
        (entry.number == number).then_some(entry)
    }

    /// Counts a read that failed; whether the entry is given up.
    fn gives_up(&mut self, number: EntryNumber) -> bool {
        self.reads_failed += 1;
        let gives_up = self.reads_failed >= JOURNAL_READS_MAX;
        if gives_up {
            self.reads_failed = 0;
            self.lost(number);
        }
        gives_up
    }

    pub(super) fn lost(&mut self, number: EntryNumber) {
        // It may become readable once more, on another day: then it must not appear again.
        if self.index.remove(number) {
            self.note_forget(number, number);
        }
        self.events.push_back(Event::Lost { number });
    }
}
