//! Messages on their way to the cloud: queued, written, confirmed, written again, stored.

use super::{Biographer, Serial, Unconfirmed};
use crate::class::Delivery;
use crate::hub::Input;
use crate::hub::{Direction, DropReason, Hub, JournalEvent, LinkEpoch, LinkEvent, ModuleId, Note, Output};
use crate::message::Message;
use crate::trace::Moment;
use crate::trace::explain::story::{Event, Story, What};
use alloc::vec::Vec;

impl<F: FnMut(Story)> Biographer<F> {
    pub(super) fn sent(&mut self, module: ModuleId, message: &Message, moment: &Moment<'_>) -> Serial {
        self.acknowledges(module, message);
        let serial = self.begin(Direction::Up, message, moment.content_hash);
        let name = moment.hub.module_name(module).unwrap_or_default().into();
        // As its module sent it: what is written later lacks what a rule may ask for.
        let class = moment.hub.classes().of(message);
        let (request, rank) = (message.is_sync(), self.rank(class, moment.hub.classes()));
        self.tell(serial, What::Sent { module, name, request, rank });
        self.change(serial, |story| {
            (story.copies, story.awaited, story.class) = (1, request, class);
        });
        if request {
            self.requests.entry(message.msg_id().into()).or_insert(serial);
        }
        self.queued.entry(message.msg_id().into()).or_default().push_back(serial);
        serial
    }

    pub(super) fn take_journal(&mut self, event: &JournalEvent, moment: &Moment<'_>) -> Option<Serial> {
        let refused = moment.outputs.contains(&Output::Note(Note::UnexpectedJournalEvent));
        match event {
            JournalEvent::Restored { message, .. } if !refused => {
                let serial = self.begin(Direction::Up, message, moment.content_hash);
                let class = moment.hub.classes().of(message);
                let rank = self.rank(class, moment.hub.classes());
                self.tell(serial, What::Restored { rank });
                self.change(serial, |story| (story.copies, story.class) = (1, class));
                self.queued.entry(message.msg_id().into()).or_default().push_back(serial);
                Some(serial)
            }
            JournalEvent::Stored { up_to } => {
                while let Some(first) = self.storing.first_entry()
                    && first.key() <= up_to
                {
                    let serial = first.remove();
                    self.tell(serial, What::Stored);
                }
                None
            }
            JournalEvent::Fetched { message, .. } => {
                let serial = *self.queued.get(message.msg_id())?.front()?;
                self.tell(serial, What::Fetched);
                None
            }
            _ => None,
        }
    }

    pub(super) fn written(&mut self, epoch: LinkEpoch, message: &Message, hub: &Hub) {
        let made = !self.queued.contains_key(message.msg_id());
        let serial = match self.unqueue(message.msg_id(), None) {
            Some(serial) => serial,
            None => self.made_by_hub(Direction::Up, message),
        };
        let written = |event: &Event| matches!(event.what, What::Written { .. });
        let before = self
            .open
            .get(&serial)
            .map_or(0, |story| story.events.iter().filter(|event| written(event)).count());
        self.tell(serial, What::Written { epoch, before: before as u32 });
        let class = self.open.get(&serial).and_then(|story| hub.classes().classes.get(story.class));
        let is_settled = class.is_some_and(|class| class.delivery == Delivery::AtMostOnce);
        if made || is_settled {
            self.tell(serial, What::Confirmed { pong: None });
            self.change(serial, |story| story.copies = 0);
            self.end_if_over(serial);
        } else {
            self.unconfirmed.push_back(Unconfirmed { serial, ping: None });
        }
    }

    pub(super) fn pinged(&mut self, number: u64) {
        let mut covered = Vec::new();
        for entry in self.unconfirmed.iter_mut().rev().take_while(|entry| entry.ping.is_none()) {
            entry.ping = Some(number);
            covered.push(entry.serial);
        }
        covered.into_iter().for_each(|serial| self.tell(serial, What::Covered { ping: number }));
    }

    pub(super) fn link_lost(&mut self, epoch: LinkEpoch) {
        while let Some(Unconfirmed { serial, .. }) = self.unconfirmed.pop_back() {
            self.tell(serial, What::LinkLost { epoch });
            if let Some(story) = self.open.get(&serial) {
                self.queued.entry(story.msg_id.clone()).or_default().push_front(serial);
            }
        }
    }

    pub(super) fn dropped_up(&mut self, msg_id: &str, reason: DropReason, subject: Option<Serial>) {
        let which = if is_refusal(reason) { subject.filter(|&serial| self.is(serial, msg_id)) } else { None };
        if let Some(serial) = self.unqueue(msg_id, which) {
            self.dropped(serial, reason);
        }
    }

    /// What the hub no longer holds as unconfirmed has been confirmed, the oldest first; so many are left.
    pub(super) fn settle(&mut self, moment: &Moment<'_>, left: usize) {
        let pong = match moment.input {
            Some(Input::Link { event: LinkEvent::Pong(number), .. }) => Some(*number),
            _ => None,
        };
        while self.unconfirmed.len() > left {
            let Some(Unconfirmed { serial, .. }) = self.unconfirmed.pop_front() else { break };
            self.tell(serial, What::Confirmed { pong });
            self.change(serial, |story| story.copies = 0);
            self.end_if_over(serial);
        }
    }

    /// Takes a message out of the queue: a certain one, or the oldest of its id.
    fn unqueue(&mut self, msg_id: &str, which: Option<Serial>) -> Option<Serial> {
        let same = self.queued.get_mut(msg_id)?;
        let at = which.map_or(Some(0), |which| same.iter().position(|&serial| serial == which))?;
        let serial = same.remove(at)?;
        if same.is_empty() {
            self.queued.remove(msg_id);
        }
        Some(serial)
    }
}

/// Whether a message was dropped instead of being queued.
fn is_refusal(reason: DropReason) -> bool {
    matches!(
        reason,
        DropReason::RequestIdTaken
            | DropReason::TooManyRequests
            | DropReason::NotForTheCloud
            | DropReason::NotJoined
            | DropReason::Shutdown
            | DropReason::TooLargeForClass
            | DropReason::JournalFull
    )
}
