//! From a module into the outbox.

use super::input::{ModuleId, ReceiptId};
use super::link::LinkState;
use super::outbox::{Amount, Entry, Room};
use super::route::is_for_the_cloud;
use super::{Direction, DropReason, Hub, Note, Output, Stage, SyncOutcome};
use crate::canary::Canary;
use crate::class::Overflow;
use crate::limits::{INTAKE_BACKLOG_BYTES, INTAKE_BACKLOG_MESSAGES};
use crate::message::{Message, operation};
use core::time::Duration;

/// How much modules may have sent and the cloud not confirmed, before they must wait.
struct Level {
    /// Of the outbox's bounds, in 1/256.
    share: usize,
    /// Of messages that only wait for the link. A longer queue makes nothing faster, only every message in it later.
    backlog: Amount,
}

/// Above this modules must wait …
const INTAKE_CLOSES: Level =
    Level { share: 192, backlog: Amount { messages: INTAKE_BACKLOG_MESSAGES, bytes: INTAKE_BACKLOG_BYTES } };
/// … and at this they may go on.
const INTAKE_OPENS: Level = Level {
    share: 128,
    backlog: Amount { messages: INTAKE_BACKLOG_MESSAGES / 2, bytes: INTAKE_BACKLOG_BYTES / 2 },
};

impl Hub {
    /// A module sends a message. A request is remembered before it can leave.
    pub(super) fn sent(
        &mut self,
        module: ModuleId,
        message: Message,
        timeout: Option<Duration>,
        receipt: Option<ReceiptId>,
    ) {
        self.account.up.accepted += 1;
        let class = self.config.classes.of(&message);
        let mut limit = None;
        let mut wait = None;
        let refused = if matches!(self.state, LinkState::Draining | LinkState::Stopped) {
            Some(DropReason::Shutdown)
        } else if !self.modules.is_joined(module) {
            Some(DropReason::NotJoined)
        } else if !is_for_the_cloud(message.destination()) {
            Some(DropReason::NotForTheCloud)
        } else if let Some(exceeded) = self.exceeded_limit(class, &message) {
            limit = Some(exceeded);
            Some(DropReason::TooLargeForClass)
        } else if message.is_sync() {
            let deadline =
                self.now.mono + timeout.unwrap_or(self.config.sync_timeout).max(Duration::from_micros(1));
            match self.sync_keeper.begin(module, &message, deadline) {
                Ok(begun) => {
                    wait = Some(begun);
                    None
                }
                Err(reason) => Some(reason),
            }
        } else {
            None
        };
        if let Some(reason) = refused {
            self.dropped_up(&message, reason);
            if receipt.is_some() {
                self.tell(module, receipt, &message, Stage::Dropped { reason, limit });
            }
            if message.is_sync() {
                self.request_rejected(module, &message, reason);
            }
            return;
        }
        if message.operation() == operation::RESPONSE {
            self.duplicates.acknowledged(message.parent_msg_id());
        }
        self.enqueue(class, Entry { message: message.into_link_form(), module, receipt, wait });
    }

    /// The limit of a message's class, if the message is larger; says so.
    fn exceeded_limit(&mut self, class: usize, message: &Message) -> Option<usize> {
        let limit = self.outbox.class(class)?.message_bytes?;
        if message.bytes() <= limit {
            return None;
        }
        // What is local does not count: it does not leave.
        let bytes = message.clone().into_link_form().bytes();
        if bytes > limit {
            self.note(Note::TooLarge { msg_id: message.msg_id().into(), bytes, limit });
        }
        (bytes > limit).then_some(limit)
    }

    /// Queues a message of the hub's own making.
    pub(super) fn enqueue_own(&mut self, message: Message) {
        self.account.up.accepted += 1;
        if let Some(oldest) = self.outbox.push_own(message) {
            self.dropped_up(&oldest, DropReason::OutboxFull);
        }
    }

    /// Queues a module's message: first it takes the place of what it supersedes, then others make room as far as that is
    /// needed. When there is no room to be made, nothing changes but that the message is dropped.
    fn enqueue(&mut self, class: usize, entry: Entry) {
        let bytes = entry.message.bytes();
        let superseded = self.outbox.superseded_by(class, &entry);
        let freed = superseded.map_or(Amount::default(), |(_, freed)| freed);
        let mut room = self.outbox.room_for(class, bytes, freed);
        if let Room::None(reason) = room {
            let rejects = self.outbox.class(class).is_some_and(|class| class.overflow == Overflow::Reject);
            if rejects && entry.receipt.is_none() {
                self.tell(entry.module, None, &entry.message, Stage::dropped(reason));
            }
            return self.give_up(entry, reason);
        }
        if let Some((number, _)) = superseded
            && let Some(old) = self.outbox.remove(class, number)
        {
            self.give_up(old, DropReason::Superseded);
            room = self.outbox.room_for(class, bytes, Amount::default());
        }
        while let Room::After(giver, reason) = room {
            let Some(oldest) = self.outbox.pop(giver) else { break };
            if !self.planted.is(Canary::OldestUnbooked) {
                self.give_up(oldest, reason);
            }
            room = self.outbox.room_for(class, bytes, Amount::default());
        }
        self.outbox.push(class, entry, self.now.mono);
    }

    /// Drops what has waited longer than its class allows.
    pub(super) fn drop_expired(&mut self) {
        while let Some(expired) = self.outbox.pop_expired(self.now.mono) {
            self.give_up(expired, DropReason::Expired);
        }
    }

    /// A message that was queued, or was to be, will not reach the cloud. A request ends with it.
    pub(super) fn give_up(&mut self, entry: Entry, reason: DropReason) {
        self.dropped_up(&entry.message, reason);
        self.tell_asker(&entry, Stage::dropped(reason));
        if let Some(wait) = entry.wait
            && let Some(waiter) = self.sync_keeper.end_wait(entry.message.msg_id(), wait)
        {
            self.sync_ended(waiter, SyncOutcome::Rejected(reason));
        }
    }

    /// Tells the sender, if it asked for it.
    pub(super) fn tell_asker(&mut self, entry: &Entry, stage: Stage) {
        if entry.receipt.is_some() {
            self.tell(entry.module, entry.receipt, &entry.message, stage);
        }
    }

    fn tell(&mut self, module: ModuleId, receipt: Option<ReceiptId>, message: &Message, stage: Stage) {
        self.outputs.push_back(Output::Receipt { module, receipt, msg_id: message.msg_id().into(), stage });
    }

    pub(super) fn dropped_up(&mut self, message: &Message, reason: DropReason) {
        self.account.up.drop_one(reason);
        self.note(Note::Dropped { direction: Direction::Up, msg_id: message.msg_id().into(), reason });
    }

    /// Makes modules wait while the link is up and does not keep pace. Without a link they need not wait: the oldest
    /// messages make room, and each is reported.
    pub(super) fn adjust_intake(&mut self) {
        let open = match self.state {
            LinkState::Up if self.intake_open => !self.is_behind(&INTAKE_CLOSES),
            LinkState::Up => !self.is_behind(&INTAKE_OPENS),
            // Nothing follows a stop.
            LinkState::Stopped => self.intake_open,
            _ => true,
        };
        if open != self.intake_open {
            self.intake_open = open;
            self.outputs.push_back(Output::Intake { open });
        }
    }

    /// Whether the link has so much before it. What waits for the rate limit is not the link's fault, and has the whole
    /// outbox to wait in.
    fn is_behind(&self, level: &Level) -> bool {
        let backlog = self.outbox.backlog();
        let long = backlog.messages > level.backlog.messages || backlog.bytes > level.backlog.bytes;
        self.outbox.is_fuller_than(level.share) || (long && self.config.rate.is_none())
    }
}
