//! What is written and not confirmed, and what becomes of it.

use super::entry::{Entry, Taken};
use super::slot::Mark;
use super::{Outbox, leave};
use crate::canary::Canary;
use crate::class::Delivery;
use crate::message::Message;

impl Outbox {
    pub(in crate::hub) fn unconfirmed(&self) -> usize {
        self.unconfirmed.len()
    }

    /// Takes the next message of a class to write it. It stays here until it is confirmed.
    pub(in crate::hub) fn write(&mut self, class: usize) -> Option<Message> {
        let front = self.queues.get(class)?.front()?.here()?;
        let mut slot = self.queues.get_mut(class)?.pop()?;
        let message = self.entries.get(front)?.message.clone();
        slot.set(Mark::Sent, true);
        if slot.is(Mark::Kept) {
            self.forget_unconfirmed(slot.number);
        }
        self.unconfirmed.push_back(slot);
        self.written += 1;
        Some(message)
    }

    /// Messages ever written that want a confirmation.
    pub(in crate::hub) fn written(&self) -> u64 {
        self.written
    }

    /// Everything up to this many, of all that were ever written, is confirmed and leaves; `leaves` sees each. Returns how
    /// many they are.
    pub(in crate::hub) fn confirm(&mut self, written: u64, mut leaves: impl FnMut(&Entry)) -> u64 {
        let written = if self.planted.is(Canary::PongConfirmsAll) { self.written } else { written };
        let first = self.written - self.unconfirmed.len() as u64;
        let confirmed = written.saturating_sub(first).min(self.unconfirmed.len() as u64);
        for slot in self.unconfirmed.drain(..confirmed as usize) {
            let bytes = self.total.bytes;
            leave(&slot, &mut self.queues, &mut self.total, &mut self.kept);
            if self.planted.is(Canary::BytesForgotten) {
                self.total.bytes = bytes;
            }
            // What was written is in memory until it is confirmed.
            if let Some(place) = slot.here() {
                self.resident -= slot.bytes as usize;
                self.entries.vacate(place, &mut leaves);
            }
        }
        confirmed
    }

    /// The link is gone: unconfirmed messages are queued again, first and in order. Calls `gone` with what is not sent
    /// again.
    pub(in crate::hub) fn link_lost(&mut self, mut gone: impl FnMut(Taken)) {
        let mut back = alloc::vec![0; self.queues.len()];
        while let Some(slot) = self.unconfirmed.pop_back() {
            let class = usize::from(slot.class);
            match self.queues.get_mut(class) {
                Some(queue) if queue.class.delivery == Delivery::AtLeastOnce => {
                    queue.put_back(slot);
                    back[class] += 1;
                }
                _ => self.release(slot).into_iter().for_each(&mut gone),
            }
        }
        if self.planted.is(Canary::OrderSwapped) {
            self.queues.iter_mut().zip(back).for_each(|(queue, count)| queue.swap_first(count));
        }
        self.learn_keys();
        self.spool_down();
    }
}
