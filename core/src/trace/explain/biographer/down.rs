//! Messages on their way to modules: delivered, waiting in an inbox, acknowledged.

use super::{Biographer, DELIVERED_MAX, Serial};
use crate::hub::{Direction, DropReason, Hub, ModuleId, Note, Output};
use crate::message::Message;
use crate::trace::Moment;
use crate::trace::explain::story::{Story, What};
use alloc::vec::Vec;

impl<F: FnMut(Story)> Biographer<F> {
    pub(super) fn delivered(
        &mut self,
        module: ModuleId,
        message: &Message,
        answer: bool,
        subject: Option<Serial>,
        hub: &Hub,
    ) {
        let name = hub.module_name(module).unwrap_or_default().into();
        let arrived_now = subject.filter(|&serial| {
            self.open
                .get(&serial)
                .is_some_and(|story| story.direction == Direction::Down && &*story.msg_id == message.msg_id())
        });
        let serial = match arrived_now {
            Some(serial) => serial,
            None => match self.take_waiting(message.msg_id(), Some(module)) {
                Some(waiting) => {
                    self.change(waiting, |story| story.copies = story.copies.saturating_sub(1));
                    waiting
                }
                None => self.made_by_hub(Direction::Down, message),
            },
        };
        self.tell(serial, What::Delivered { module, name, answer });
        self.may_be_acknowledged(serial);
    }

    /// What has become of a message that arrived with this moment.
    pub(super) fn placed(&mut self, serial: Serial, moment: &Moment<'_>) {
        let hub = moment.hub;
        let Some(story) = self.open.get(&serial).filter(|story| story.direction == Direction::Down) else {
            return;
        };
        let msg_id = story.msg_id.clone();
        let happened = story.events.len() > 1;
        let delivered = story.events.iter().any(|event| matches!(event.what, What::Delivered { .. }));
        let waits_for: Vec<ModuleId> = hub
            .joined_modules()
            .filter(|&module| hub.newest_waiting(module).is_some_and(|newest| newest.msg_id() == &*msg_id))
            .filter(|&module| self.is_new_there(&msg_id, module, hub))
            .collect();
        for &module in &waits_for {
            let name = hub.module_name(module).unwrap_or_default().into();
            self.tell(serial, What::Waits { module, name });
            self.waits(serial);
        }
        if !waits_for.is_empty() {
            return;
        }
        if delivered {
            // It may be acknowledged.
            return;
        }
        if happened {
            self.end_if_over(serial);
        } else {
            let ignored = moment.outputs.iter().any(|output| {
                matches!(output, Output::Note(Note::StaleLinkEvent { .. } | Note::UnexpectedLinkEvent { .. }))
            });
            self.tell(serial, if ignored { What::Ignored } else { What::AnsweredByHub });
            self.end_if_over(serial);
        }
    }

    /// Whether one of the messages of this id that wait for a module is told by no story yet: the hub may have dropped the one that came
    /// just because another one waits.
    fn is_new_there(&self, msg_id: &str, module: ModuleId, hub: &Hub) -> bool {
        let Some(told) = self.waiting.get(msg_id) else { return true };
        let waits = |serial: &&Serial| self.open.get(serial).is_some_and(|story| story.waits_for(module));
        let held = hub.inbox_messages(module).filter(|message| message.msg_id() == msg_id);
        held.count() > told.iter().filter(waits).count()
    }

    pub(super) fn dropped_down(&mut self, msg_id: &str, reason: DropReason, subject: Option<Serial>) {
        // What is dropped on arrival never waited. Another module may still get it: what has become of it is said at the end.
        if let Some(arrived) = subject.filter(|&serial| self.is(serial, msg_id)) {
            self.tell(arrived, What::Dropped { reason });
        } else if let Some(waited) = self.take_waiting(msg_id, None) {
            self.dropped(waited, reason);
        }
    }

    pub(super) fn acknowledges(&mut self, module: ModuleId, message: &Message) {
        if !message.is_response() {
            return;
        }
        if let Some(serial) = self.delivered_by_id.remove(message.parent_msg_id()) {
            self.tell(serial, What::Acknowledged { module, by: message.msg_id().into() });
            self.delivered.retain(|&delivered| delivered != serial);
            self.end_if_over(serial);
        }
    }

    pub(super) fn waits(&mut self, serial: Serial) {
        let Some(story) = self.open.get_mut(&serial) else { return };
        story.copies += 1;
        let same = self.waiting.entry(story.msg_id.clone()).or_default();
        if same.back() != Some(&serial) {
            same.push_back(serial);
        }
    }

    /// The oldest message of this id that waits, for this module if one is named; it is forgotten with its last copy.
    fn take_waiting(&mut self, msg_id: &str, module: Option<ModuleId>) -> Option<Serial> {
        let same = self.waiting.get_mut(msg_id)?;
        let open = &self.open;
        let waits = |serial: &Serial| {
            module.is_none_or(|module| open.get(serial).is_some_and(|story| story.waits_for(module)))
        };
        let at = same.iter().position(waits).unwrap_or(0);
        let serial = *same.get(at)?;
        if open.get(&serial).is_none_or(|story| story.copies <= 1) {
            same.remove(at);
        }
        if same.is_empty() {
            self.waiting.remove(msg_id);
        }
        Some(serial)
    }

    /// Keeps a delivered message's story open for its acknowledgement.
    fn may_be_acknowledged(&mut self, serial: Serial) {
        let Some(story) = self.open.get(&serial) else { return };
        if self.delivered_by_id.get(&story.msg_id) == Some(&serial) {
            return;
        }
        self.delivered_by_id.insert(story.msg_id.clone(), serial);
        self.delivered.push_back(serial);
        if self.delivered.len() > DELIVERED_MAX
            && let Some(oldest) = self.delivered.pop_front()
        {
            if let Some(story) = self.open.get(&oldest)
                && self.delivered_by_id.get(&story.msg_id) == Some(&oldest)
            {
                self.delivered_by_id.remove(&story.msg_id.clone());
            }
            self.end_if_over(oldest);
        }
    }
}
