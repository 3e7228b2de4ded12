//! From a module into the outbox.

use super::input::{ModuleId, ReceiptId};
use super::link::LinkState;
use super::outbox::{Amount, Body, Entry, Keep, Room, Taken, UnstoredShare};
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
        let persistent = self.is_persistent(class, &message);
        let mut limit = None;
        let mut wait = None;
        let refused = if matches!(self.state, LinkState::Draining | LinkState::Stopped) {
            Some(DropReason::Shutdown)
        } else if !self.modules.is_joined(module) {
            Some(DropReason::NotJoined)
        } else if !is_for_the_cloud(message.destination()) {
            Some(DropReason::NotForTheCloud)
        } else if let Some(exceeded) = self.exceeded_limit(class, persistent, &message) {
            limit = Some(exceeded);
            Some(DropReason::TooLargeForClass)
        } else if persistent && self.outbox.unstored_exceeds(UnstoredShare::Limit) {
            Some(DropReason::JournalFull)
        } else if message.is_sync() {
            let since = self.now.mono;
            let deadline = since + timeout.unwrap_or(self.config.sync_timeout).max(Duration::from_micros(1));
            match self.sync_keeper.begin(module, &message, since, deadline) {
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
            self.dropped_up(message.msg_id(), reason);
            // Whoever sends what can never be taken is told, asked or not.
            if receipt.is_some() || limit.is_some() {
                self.tell(module, receipt, message.msg_id(), Stage::Dropped { reason, limit });
            }
            if message.is_sync() {
                self.request_rejected(module, &message, reason, limit);
            }
            return self.bury_refused(class, message, reason);
        }
        if message.operation() == operation::RESPONSE {
            self.duplicates.acknowledged(message.parent_msg_id());
        }
        let keep = if persistent { Keep::Store } else { Keep::No };
        let message = message.into_link_form();
        let message = if self.leaves_soon() { message } else { message.detached() };
        let entry = Entry { message, module: Some(module), receipt, wait };
        self.enqueue(class, entry, keep);
    }

    /// The limit of a message's class, or of the journal, if the message is larger; says so.
    fn exceeded_limit(&mut self, class: usize, persistent: bool, message: &Message) -> Option<usize> {
        let of_class = self.outbox.class(class)?.message_bytes;
        let of_journal = persistent.then(|| self.stored_bytes_max());
        let limit = of_class.into_iter().chain(of_journal).min()?;
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
            self.dropped_up(oldest.msg_id(), DropReason::OutboxFull);
        }
    }

    /// Queues a module's message: first it takes the place of what it supersedes, then others make room as far as that is
    /// needed. When there is no room to be made, nothing changes but that the message is dropped.
    pub(super) fn enqueue(&mut self, class: usize, entry: Entry, keep: Keep) {
        let bytes = entry.message.bytes();
        // What is restored late is older than what was sent meanwhile, and does not take its place.
        let is_older = |number: u64| !matches!(keep, Keep::Restored(restored) if restored.0 < number);
        let superseded = self.outbox.superseded_by(class, &entry).filter(|(number, _)| is_older(*number));
        let freed = superseded.map_or(Amount::default(), |(_, freed)| freed);
        let mut room = self.outbox.room_for(class, bytes, freed);
        if let Room::None(reason) = room {
            let rejects = self.outbox.class(class).is_some_and(|class| class.overflow == Overflow::Reject);
            if rejects
                && entry.receipt.is_none()
                && let Some(module) = entry.module
            {
                self.tell(module, None, entry.message.msg_id(), Stage::dropped(reason));
            }
            let kept = if let Keep::Restored(number) = keep { Some(number) } else { None };
            self.outbox.forget(kept);
            return self.give_up(Taken { class: class as u8, kept, body: Body::Here(entry) }, reason);
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
        let stored = (keep == Keep::Store).then(|| entry.message.clone());
        let asker = entry.module.zip(entry.receipt).filter(|_| self.planted.is(Canary::StoredBeforeSync));
        let number = self.outbox.push(class, entry, self.now.mono, keep);
        if let Some((number, message)) = number.zip(stored) {
            if let Some((module, receipt)) = asker {
                self.tell(module, Some(receipt), message.msg_id(), Stage::Stored);
            }
            self.store(number, class, message);
        }
    }

    /// Drops what has waited longer than its class allows.
    pub(super) fn drop_expired(&mut self) {
        while self.state != LinkState::Stopped
            && let Some(expired) = self.outbox.pop_expired(self.now.mono)
        {
            self.give_up(expired, DropReason::Expired);
        }
    }

    /// A message that was queued, or was to be, will not reach the cloud. A request ends with it.
    pub(super) fn give_up(&mut self, taken: Taken, reason: DropReason) {
        let msg_id = taken.msg_id();
        self.dropped_up(&msg_id, reason);
        if let Some((module, receipt)) = taken.asker() {
            self.tell(module, Some(receipt), &msg_id, Stage::dropped(reason));
        }
        if let Some(wait) = taken.wait()
            && let Some(waiter) = self.sync_keeper.end_wait(&msg_id, wait)
        {
            self.sync_ended(waiter, SyncOutcome::Rejected(reason));
        }
        self.bury(taken, reason);
    }

    fn tell(&mut self, module: ModuleId, receipt: Option<ReceiptId>, msg_id: &str, stage: Stage) {
        self.outputs.push_back(Output::Receipt { module, receipt, msg_id: msg_id.into(), stage });
    }

    pub(super) fn dropped_up(&mut self, msg_id: &str, reason: DropReason) {
        self.account.up.drop_one(reason);
        self.note(Note::Dropped { direction: Direction::Up, msg_id: msg_id.into(), reason });
    }

    /// Makes modules wait while the link is up and does not keep pace, or the journal does not. Without a link they need
    /// not wait for it: the oldest messages make room, and each is reported.
    pub(super) fn adjust_intake(&mut self) {
        let open = match self.state {
            // Nothing follows a stop.
            LinkState::Stopped => self.intake_open,
            _ if self.is_journal_behind() => false,
            LinkState::Up | LinkState::Renewing if self.intake_open => !self.is_behind(&INTAKE_CLOSES),
            LinkState::Up | LinkState::Renewing => !self.is_behind(&INTAKE_OPENS),
            _ => true,
        };
        let open = open && (self.intake_open || !self.planted.is(Canary::IntakeNeverOpens));
        let open = open || self.planted.is(Canary::IntakeNeverCloses);
        if open != self.intake_open {
            self.intake_open = open;
            self.outputs.push_back(Output::Intake { open });
        }
    }

    /// Whether what is queued now waits for nothing but the link to take it.
    fn leaves_soon(&self) -> bool {
        self.state.takes_messages() && self.config.rate.is_none() && !self.is_draining_backlog()
    }

    /// Whether the link has so much before it. What waits for the rate limit or its pace is not the link's fault, and has the whole
    /// outbox to wait in.
    fn is_behind(&self, level: &Level) -> bool {
        let has_long_backlog = || {
            let backlog = self.outbox.backlog();
            backlog.messages > level.backlog.messages || backlog.bytes > level.backlog.bytes
        };
        self.outbox.is_fuller_than(level.share)
            || (self.config.rate.is_none() && has_long_backlog() && !self.is_draining_backlog())
    }
}
