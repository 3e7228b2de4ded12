//! From the link to the modules.

use super::duplicates::Arrival;
use super::input::ModuleId;
use super::modules::Delivery;
use super::route::{Decision, Receiver, decide};
use super::sync_keeper::Waiter;
use super::{Direction, DropReason, Hub, LinkEnd, Note, Output, SyncOutcome};
use crate::canary::Canary;
use crate::config::{Acknowledge, DuplicateWindow};
use crate::limits::INBOX_RESUME_AT;
use crate::message::{Content, Draft, Message, operation};
use crate::violation::Violation;
use alloc::format;

impl Hub {
    /// A message arrived.
    pub(super) fn received(&mut self, message: Message) {
        self.keepalive.heard(self.now.mono);
        if message.is_link_control() {
            return self.answer_link_control(&message);
        }
        self.session.proven(self.now.mono);
        self.is_served();
        if self.takes_probe_answer(&message) {
            return;
        }
        let too_fast = self.planted.is(Canary::WaiterLate) && self.in_flight.messages > 0;
        let answers = message.is_response() && !too_fast;
        let answered = if answers { self.sync_keeper.end(message.parent_msg_id()) } else { None };
        if let Some(waiter) = &answered {
            self.note(Note::SyncEnded {
                msg_id: waiter.request.msg_id().into(),
                outcome: match message.operation() {
                    operation::ERROR => SyncOutcome::Error,
                    _ => SyncOutcome::Response,
                },
            });
        }
        let profile = self.config.profile;
        let Decision { waiter_first, receiver } =
            decide(profile, message.group(), message.source(), message.is_response());
        match answered {
            Some(waiter) if waiter_first => {
                let stranger = self.modules.first().filter(|_| self.planted.is(Canary::AnswerToStranger));
                self.deliver_answer(stranger.unwrap_or(waiter.module), message);
            }
            None if message.parent_msg_id().is_empty() => self.deliver_once(receiver, message),
            waiter => self.deliver_by_table(receiver, message, waiter.map(|waiter| waiter.module)),
        }
    }

    /// Hands a message to whom the table names, unless they have it.
    fn deliver_once(&mut self, receiver: Receiver, message: Message) {
        let (now, limits) = (self.now.mono, self.duplicate_window());
        match self.duplicates.arrived(message.msg_id(), now, &limits) {
            Arrival::Duplicate { acknowledged } if !self.planted.is(Canary::DuplicatesDelivered) => {
                self.undeliverable(&message, DropReason::Duplicate);
                if acknowledged {
                    self.acknowledge(&message);
                }
            }
            _ => {
                self.deliver_by_table(receiver, message.clone(), None);
                self.settle_copies(&message);
            }
        }
    }

    fn duplicate_window(&self) -> DuplicateWindow {
        let window = self.config.duplicate_window;
        let messages = if self.planted.is(Canary::WindowUnbounded) { usize::MAX } else { window.messages };
        DuplicateWindow { messages, ..window }
    }

    /// Acknowledges a message once every receiver has been handed it, where that is the hub's business.
    fn settle_copies(&mut self, message: &Message) {
        let id = known_by(message);
        let complete = self.duplicates.settle(id, self.now.mono, &self.duplicate_window());
        let by = self.config.acknowledge.get(message.group()).copied().unwrap_or_default();
        if complete && by == Acknowledge::Hub && !message.is_sync() {
            self.duplicates.acknowledged(id);
            self.acknowledge(message);
        }
    }

    /// Tells the cloud that a message has arrived.
    fn acknowledge(&mut self, message: &Message) {
        if self.planted.is(Canary::ResendUnanswered) {
            return;
        }
        let id = self.rng.uuid();
        let answer =
            Draft { content: Content::Text("OK"), ..Draft::response_to(message, id.as_str(), self.now.wall) };
        if let Ok(answer) = answer.encode() {
            self.enqueue_own(answer);
        }
    }

    /// Hands a message to whom the table names, and to a waiter who would not get it that way.
    fn deliver_by_table(&mut self, receiver: Receiver, message: Message, waiter: Option<ModuleId>) {
        match receiver {
            Receiver::Group(group) => self.deliver_to_group(group, message, waiter),
            Receiver::Module(name) => {
                let named = self.modules.named(name);
                if let Some(waiter) = waiter.filter(|&waiter| named != Some(waiter)) {
                    self.deliver_answer(waiter, message.clone());
                }
                match named {
                    Some(module) if waiter == Some(module) => self.deliver_answer(module, message),
                    Some(module) => self.deliver(module, message),
                    None if waiter.is_some() => {}
                    None => self.undeliverable(&message, DropReason::NoReceiver),
                }
            }
            Receiver::Nobody(reason) => self.undeliverable(&message, reason),
        }
    }

    /// Hands a message to every module of a group, and to a waiter, in the group or not.
    pub(super) fn deliver_to_group(&mut self, group: &str, message: Message, waiter: Option<ModuleId>) {
        if let Some(waiter) = waiter {
            self.deliver_answer(waiter, message.clone());
        }
        let others = |hub: &Hub, from: usize| {
            (from..)
                .map_while(|at| hub.modules.member(group, at).map(|id| (at, id)))
                .find(|&(_, id)| waiter != Some(id))
        };
        let mut next = others(self, 0);
        if next.is_none() && waiter.is_none() {
            return self.undeliverable(&message, DropReason::NoReceiver);
        }
        while let Some((at, module)) = next {
            next = others(self, at + 1);
            if next.is_none() {
                return self.deliver(module, message);
            }
            self.deliver(module, message.clone());
        }
    }

    /// Hands an answer to the module that asked for it, ahead of whatever else waits for the module.
    fn deliver_answer(&mut self, module: ModuleId, message: Message) {
        self.account.down.accepted += 1;
        self.account.down.confirmed += 1;
        self.outputs.push_back(Output::Deliver { module, message, answer: true });
    }

    /// Hands a message to a module, now or when it can take it.
    fn deliver(&mut self, module: ModuleId, message: Message) {
        if self.duplicates.has(known_by(&message), module) && !self.planted.is(Canary::DuplicatesDelivered) {
            return self.undeliverable(&message, DropReason::Duplicate);
        }
        self.account.down.accepted += 1;
        self.duplicates.given(known_by(&message), module);
        match self.modules.deliver(module, message, self.now.mono) {
            Delivery::Now(message) => {
                self.duplicates.taken(known_by(&message));
                self.hand_over(module, message);
            }
            Delivery::Queued => {}
            Delivery::Dropped(message, reason) => {
                self.duplicates.missed(known_by(&message), module);
                self.dropped_down(&message, reason);
            }
        }
    }

    /// Drops a message that waited for a module.
    pub(super) fn dropped_in_inbox(&mut self, module: ModuleId, message: &Message, reason: DropReason) {
        let id = known_by(message);
        self.duplicates.missed(id, module);
        self.duplicates.settle(id, self.now.mono, &self.duplicate_window());
        self.dropped_down(message, reason);
    }

    fn hand_over(&mut self, module: ModuleId, message: Message) {
        self.account.down.confirmed += 1;
        self.outputs.push_back(Output::Deliver { module, message, answer: false });
    }

    fn undeliverable(&mut self, message: &Message, reason: DropReason) {
        let reason = if self.planted.is(Canary::WrongReason) { DropReason::NoWaiter } else { reason };
        self.account.down.accepted += 1;
        self.dropped_down(message, reason);
    }

    fn dropped_down(&mut self, message: &Message, reason: DropReason) {
        self.account.down.drop_one(reason);
        if self.planted.is(Canary::DropUntold) {
            return;
        }
        self.note(Note::Dropped { direction: Direction::Down, msg_id: message.msg_id().into(), reason });
    }

    /// `ping`, `pong` and `config` are answered by whoever receives them, and go no further.
    fn answer_link_control(&mut self, message: &Message) {
        self.account.down.accepted += 1;
        self.account.down.confirmed += 1;
        let id = self.rng.uuid();
        let answer = Draft {
            content: Content::Text("ack"),
            ..Draft::response_to(message, id.as_str(), self.now.wall)
        };
        if let Ok(answer) = answer.encode() {
            self.enqueue_own(answer);
        }
    }

    /// A frame arrived that is not a message.
    pub(super) fn malformed(&mut self, violation: Violation) {
        self.keepalive.heard(self.now.mono);
        self.account.malformed += 1;
        self.note(Note::Violation { epoch: self.epoch, violation });
        if !violation.link_survives() {
            self.link_lost(LinkEnd::Violation);
        }
    }

    /// Tells a requester that no answer will come.
    pub(super) fn sync_ended(&mut self, waiter: Waiter, outcome: SyncOutcome) {
        self.note(Note::SyncEnded { msg_id: waiter.request.msg_id().into(), outcome });
        if self.planted.is(Canary::TimeoutUntold) && outcome == SyncOutcome::Timeout {
            return;
        }
        let why = match outcome {
            SyncOutcome::Rejected(reason) => format!("rejected: {reason}"),
            _ => "timeout: the cloud did not answer in time".into(),
        };
        self.deliver_error(waiter.module, &waiter.request, &why);
    }

    /// Tells a requester that its request was not accepted at all.
    pub(super) fn request_rejected(
        &mut self,
        module: ModuleId,
        request: &Message,
        reason: DropReason,
        limit: Option<usize>,
    ) {
        self.note(Note::SyncEnded {
            msg_id: request.msg_id().into(),
            outcome: SyncOutcome::Rejected(reason),
        });
        if self.modules.is_joined(module) {
            let why = match limit {
                Some(limit) => format!("rejected: {reason}, which is {limit} bytes"),
                None => format!("rejected: {reason}"),
            };
            self.deliver_error(module, request, &why);
        }
    }

    fn deliver_error(&mut self, module: ModuleId, request: &Message, why: &str) {
        let id = self.rng.uuid();
        let error = Draft {
            operation: operation::ERROR,
            content: Content::Text(why),
            ..Draft::response_to(request, id.as_str(), self.now.wall)
        };
        if let Ok(error) = error.encode() {
            self.deliver_answer(module, error);
        }
    }

    /// A module left: what waited for it is dropped, and what it waited for has nobody to go to.
    pub(super) fn module_left(&mut self, module: ModuleId) {
        let Some(inbox) = self.modules.leave(module) else { return };
        for message in inbox {
            self.dropped_in_inbox(module, &message, DropReason::ModuleGone);
        }
        self.duplicates.left(module);
        for waiter in self.sync_keeper.end_all(Some(module)) {
            self.note(Note::SyncEnded {
                msg_id: waiter.request.msg_id().into(),
                outcome: SyncOutcome::Rejected(DropReason::ModuleGone),
            });
        }
    }

    /// A module can take more.
    pub(super) fn module_ready(&mut self, module: ModuleId, credit: u32) {
        if self.modules.ready(module, credit, self.now.mono) {
            self.note(Note::ModuleRecovered { module });
        }
        while let Some(message) = self.modules.pop(module) {
            self.duplicates.taken(known_by(&message));
            self.hand_over(module, message.clone());
            self.settle_copies(&message);
        }
    }

    /// Stops reading the link while an inbox is filling up, and goes on once all are nearly empty.
    pub(super) fn adjust_reading(&mut self) {
        if !self.state.is_open() {
            return;
        }
        let wants = self.modules.wants_pause()
            || (self.planted.is(Canary::PauseEarly) && self.modules.queued() > INBOX_RESUME_AT);
        let pauses = wants && !self.planted.is(Canary::PauseMissing);
        let resumes = self.modules.allows_resume() && !self.planted.is(Canary::ResumeMissing);
        if self.paused.is_none() && pauses {
            self.paused = Some(self.now.mono);
            self.outputs.push_back(Output::Pause { epoch: self.epoch });
        } else if self.paused.is_some() && resumes {
            self.paused = None;
            self.keepalive.heard(self.now.mono);
            self.flight.listens_again(self.now.mono);
            self.session.proven(self.now.mono);
            self.outputs.push_back(Output::Resume { epoch: self.epoch });
        }
    }
}

/// What a message is known again by: answers are not, the cloud sends each once.
fn known_by(message: &Message) -> &str {
    if message.parent_msg_id().is_empty() { message.msg_id() } else { "" }
}
