//! What the journal has, and what is on its way there.

use super::super::consistent::is_sum;
use super::super::input::{ModuleId, ReceiptId};
use super::slab::Place;
use super::slot::{Mark, Spot};
use super::{Entry, Outbox};
use crate::canary::Canary;
use crate::journal::EntryNumber;
use crate::limits::{JOURNAL_UNSTORED_BYTES, JOURNAL_UNSTORED_BYTES_MAX, JOURNAL_UNSTORED_MESSAGES};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Whether a message is for the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::hub) enum Keep {
    /// It is not.
    No,
    /// It is to be stored.
    Store,
    /// It comes from there, under this number.
    Restored(EntryNumber),
}

/// Who asked to be told of a message, and under which id.
pub(in crate::hub) type Asker = (ModuleId, ReceiptId, Box<str>);

/// What the outbox knows of the journal.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Handed over, held here, and not known to be durable: place and bytes, by number.
    storing: BTreeMap<u64, (Place, u32)>,
    storing_bytes: usize,
    /// Numbers that have come to their end since the last [`Outbox::take_forgets`].
    forgets: BTreeSet<u64>,
}

impl Kept {
    pub(super) fn stores(&mut self, number: u64, place: Place, bytes: u32) {
        self.storing.insert(number, (place, bytes));
        self.storing_bytes += bytes as usize;
    }

    /// Whether the sum of what is being stored is right.
    pub(super) fn is_consistent(&self) -> bool {
        is_sum(self.storing_bytes as u64, self.storing.values().map(|&(_, bytes)| u64::from(bytes)))
    }

    pub(super) fn is_storing(&self, number: u64) -> bool {
        self.storing.contains_key(&number)
    }

    /// It is durable, or never will be.
    pub(super) fn settle(&mut self, number: u64) -> Option<Place> {
        let (place, bytes) = self.storing.remove(&number)?;
        self.storing_bytes -= bytes as usize;
        Some(place)
    }

    /// It has come to its end here.
    pub(super) fn forget(&mut self, number: u64) {
        self.settle(number);
        self.forgets.insert(number);
    }
}

impl Outbox {
    /// Whether so much waits to be stored that modules are to wait, too; or no more can be taken at all.
    pub(in crate::hub) fn unstored_exceeds(&self, share: UnstoredShare) -> bool {
        let (messages, bytes) = match share {
            UnstoredShare::Half => (JOURNAL_UNSTORED_MESSAGES / 2, JOURNAL_UNSTORED_BYTES / 2),
            UnstoredShare::Whole => (JOURNAL_UNSTORED_MESSAGES, JOURNAL_UNSTORED_BYTES),
            UnstoredShare::Limit => (2 * JOURNAL_UNSTORED_MESSAGES, JOURNAL_UNSTORED_BYTES_MAX),
        };
        self.kept.storing.len() >= messages || self.kept.storing_bytes >= bytes
    }

    /// Messages that are handed to the journal and not known to be stored.
    pub(in crate::hub) fn unstored(&self) -> usize {
        self.kept.storing.len()
    }

    /// Everything up to this number is durable. Returns who is to be told, in order.
    pub(in crate::hub) fn stored(&mut self, up_to: EntryNumber) -> Vec<Asker> {
        let mut askers = Vec::new();
        while let Some((&number, _)) = self.kept.storing.first_key_value()
            && number <= up_to.0
        {
            let entry = self.kept.settle(number).and_then(|place| self.entries.get(place));
            askers.extend(entry.and_then(Entry::asker));
            self.spool_if_too_much(number);
        }
        askers
    }

    /// The journal did not take it: it goes on in memory. Returns its id.
    pub(in crate::hub) fn not_stored(&mut self, number: EntryNumber) -> Option<Box<str>> {
        let place = self.kept.settle(number.0)?;
        let unconfirmed = self.unconfirmed.iter_mut().filter(|slot| slot.number == number.0);
        let waiting = self.queues.iter_mut().filter_map(|queue| queue.slot_mut(number.0));
        unconfirmed.chain(waiting).for_each(|slot| slot.set(Mark::Kept, false));
        Some(self.entries.get(place)?.message.msg_id().into())
    }

    /// What the journal may forget, in ranges.
    pub(in crate::hub) fn take_forgets(
        &mut self,
    ) -> impl Iterator<Item = (EntryNumber, EntryNumber)> + use<> {
        let mut ranges: Vec<(EntryNumber, EntryNumber)> = Vec::new();
        for number in core::mem::take(&mut self.kept.forgets) {
            match ranges.last_mut() {
                Some((_, last)) if last.0.checked_add(1) == Some(number) => last.0 = number,
                _ => ranges.push((EntryNumber(number), EntryNumber(number))),
            }
        }
        ranges.into_iter()
    }

    /// Whether the journal is to be told of something.
    pub(in crate::hub) fn has_forgets(&self) -> bool {
        !self.kept.forgets.is_empty()
    }

    /// The journal may forget this one, if there is one.
    pub(in crate::hub) fn forget(&mut self, number: Option<EntryNumber>) {
        self.kept.forgets.extend(number.map(|number| number.0));
    }

    /// The journal may not forget this one yet, although it has left: [`Outbox::forget`] follows.
    pub(in crate::hub) fn hold_back(&mut self, number: Option<EntryNumber>) {
        if let Some(number) = number {
            self.kept.forgets.remove(&number.0);
        }
    }

    /// A written message is forgotten although nothing has confirmed it; only for a canary.
    pub(super) fn forget_unconfirmed(&mut self, number: u64) {
        if self.planted.is(Canary::ForgottenWhenWritten) {
            self.kept.forget(number);
        }
    }

    /// What a stop does not leave to the journal, in the order in which it would have left: class and number.
    /// Without `trusted`, what is not known to be stored is not left to it either.
    pub(in crate::hub) fn not_kept(&self, trusted: bool) -> Vec<(usize, u64)> {
        let mut not_kept = Vec::new();
        for (class, queue) in self.queues.iter().enumerate() {
            let lost = queue.slots().filter(|slot| {
                slot.spot() != Spot::Gone
                    && !(slot.is(Mark::Kept) && (trusted || !self.kept.is_storing(slot.number)))
            });
            not_kept.extend(lost.map(|slot| (queue.class.priority, slot.number, class)));
        }
        not_kept.sort_unstable();
        not_kept.into_iter().map(|(_, number, class)| (class, number)).collect()
    }
}

/// How much of what may wait to be stored does.
#[derive(Debug, Clone, Copy)]
pub(in crate::hub) enum UnstoredShare {
    /// So much that modules may go on when it is less.
    Half,
    /// So much that modules are to wait.
    Whole,
    /// So much that nothing more is taken.
    Limit,
}
