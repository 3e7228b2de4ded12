//! What happened and why: for logs, metrics and traces. No note holds a content.

use super::input::{LinkEpoch, ModuleId};
use super::suspicion::Suspicion;
use crate::journal::{EntryNumber, Health};
use crate::violation::Violation;
use alloc::boxed::Box;
use core::fmt;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// Why a message did not reach its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum DropReason {
    /// Upstream: the outbox was full; the oldest queued message made room.
    OutboxFull,
    /// Upstream: its class was full.
    ClassFull,
    /// Upstream: its class's time to live was over before it could leave, or leave again.
    Expired,
    /// Upstream: a newer message about the same thing took its place.
    Superseded,
    /// Upstream: larger than its class allows; [`Note::TooLarge`] says the limit.
    TooLargeForClass,
    /// Upstream: it had a meaning on a link that is gone (keepalive, link control).
    LinkLost,
    /// Upstream: the request's wait had ended, by an answer or by its time, before it could leave, or leave again.
    RequestExpired,
    /// Upstream: a request with this id waits already, or the id is empty.
    RequestIdTaken,
    /// Upstream: too many requests wait.
    TooManyRequests,
    /// Upstream: its destination is not the cloud.
    NotForTheCloud,
    /// Upstream: the sender has not joined.
    NotJoined,
    /// Both ways: the hub is shutting down.
    Shutdown,
    /// Downstream: an answer for which nobody waits.
    NoWaiter,
    /// Downstream: no rule for its group.
    UnknownGroup,
    /// Downstream: a user message from a source that no module serves.
    UnknownSource,
    /// Downstream: the rule names a module or group that nobody is in.
    NoReceiver,
    /// Downstream: the module's inbox was full.
    InboxFull,
    /// Downstream: the module left.
    ModuleGone,
    /// Downstream: the module took nothing for too long.
    ModuleStalled,
    /// Downstream: it came before, and was delivered then.
    Duplicate,
    /// Upstream: more waits to be stored than the journal can take.
    JournalFull,
    /// Upstream: it was left to the journal, which cannot read it any more.
    JournalLost,
}

impl DropReason {
    /// All of them, in the order of the ledger.
    pub const ALL: [DropReason; 22] = [
        DropReason::OutboxFull,
        DropReason::ClassFull,
        DropReason::Expired,
        DropReason::Superseded,
        DropReason::TooLargeForClass,
        DropReason::LinkLost,
        DropReason::RequestExpired,
        DropReason::RequestIdTaken,
        DropReason::TooManyRequests,
        DropReason::NotForTheCloud,
        DropReason::NotJoined,
        DropReason::Shutdown,
        DropReason::NoWaiter,
        DropReason::UnknownGroup,
        DropReason::UnknownSource,
        DropReason::NoReceiver,
        DropReason::InboxFull,
        DropReason::ModuleGone,
        DropReason::ModuleStalled,
        DropReason::Duplicate,
        DropReason::JournalFull,
        DropReason::JournalLost,
    ];
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DropReason::OutboxFull => "outbox full",
            DropReason::ClassFull => "class full",
            DropReason::Expired => "time to live over",
            DropReason::Superseded => "superseded by a newer one",
            DropReason::TooLargeForClass => "larger than its class allows",
            DropReason::LinkLost => "meaningless after link loss",
            DropReason::RequestExpired => "the request's wait had ended",
            DropReason::RequestIdTaken => "request id empty or already waiting",
            DropReason::TooManyRequests => "too many requests waiting",
            DropReason::NotForTheCloud => "destination is not the cloud",
            DropReason::NotJoined => "sender has not joined",
            DropReason::Shutdown => "hub shutting down",
            DropReason::NoWaiter => "nobody waits for this answer",
            DropReason::UnknownGroup => "unknown group",
            DropReason::UnknownSource => "unknown source",
            DropReason::NoReceiver => "no such module or group joined",
            DropReason::InboxFull => "module's inbox full",
            DropReason::ModuleGone => "module left",
            DropReason::ModuleStalled => "module stalled",
            DropReason::Duplicate => "delivered before",
            DropReason::JournalFull => "the journal takes no more",
            DropReason::JournalLost => "the journal cannot read it any more",
        })
    }
}

/// Why a link ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkEnd {
    /// It could not be opened.
    OpenFailed,
    /// Opening took longer than allowed.
    OpenTimeout,
    /// The peer or the network closed it.
    Closed,
    /// No traffic and no pong within the deadline.
    Silent,
    /// The peer lives, and has not answered a ping within the longer deadline.
    Stalled,
    /// The peer broke the framing.
    Violation,
    /// We shut down.
    Shutdown,
    /// The peer lives, and has no session for the node.
    NoSession,
    /// It was left for the preferred endpoint.
    Moved,
    /// It was left in good order for a better one: the node has another certificate, or the better lane gets through.
    Renewed,
}

impl fmt::Display for LinkEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LinkEnd::OpenFailed => "it could not be opened",
            LinkEnd::OpenTimeout => "opening it took too long",
            LinkEnd::Closed => "the peer or the network closed it",
            LinkEnd::Silent => "nothing was heard on it in time",
            LinkEnd::Stalled => "the peer lives, and did not answer a ping in time",
            LinkEnd::Violation => "the peer broke the framing",
            LinkEnd::Shutdown => "the hub shut down",
            LinkEnd::NoSession => "the peer lives, and has no session for the node",
            LinkEnd::Moved => "it was left for the preferred endpoint",
            LinkEnd::Renewed => "it was left for a better one",
        })
    }
}

/// How a sync request ended; each ends exactly once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SyncOutcome {
    /// Answered.
    Response,
    /// Answered with operation `error`.
    Error,
    /// Not answered in time.
    Timeout,
    /// Refused by the hub, with the reason.
    Rejected(DropReason),
}

/// Which way a message travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// From a module to the cloud.
    Up,
    /// From the cloud to a module.
    Down,
}

/// One note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Note {
    /// A link is up.
    LinkUp {
        /// Which.
        epoch: LinkEpoch,
        /// Unconfirmed or queued messages that will now leave.
        backlog: usize,
    },
    /// A link ended.
    LinkDown {
        /// Which.
        epoch: LinkEpoch,
        /// Why.
        end: LinkEnd,
        /// When the next attempt comes; `None` after a shutdown.
        retry_in: Option<Duration>,
        /// Written messages that no pong has confirmed; they will be sent again.
        unconfirmed: usize,
    },
    /// The better lane gets through by now: this link is left for it.
    BetterLane {
        /// The link.
        epoch: LinkEpoch,
    },
    /// An event of a link that is no longer current; it changed nothing.
    StaleLinkEvent {
        /// The event's link.
        epoch: LinkEpoch,
    },
    /// An event of the current link that its state does not allow; it changed nothing.
    UnexpectedLinkEvent {
        /// The link.
        epoch: LinkEpoch,
    },
    /// The peer's machine lives, and has not answered a ping for as long as a silent link may take.
    PeerStalled {
        /// The link.
        epoch: LinkEpoch,
    },
    /// A stalled peer answers again.
    PeerRecovered {
        /// The link.
        epoch: LinkEpoch,
    },
    /// Something is probably wrong that no peer tells.
    Suspected {
        /// The link that shows it.
        epoch: LinkEpoch,
        /// What.
        cause: Suspicion,
    },
    /// The peer broke a rule; the frame was refused.
    Violation {
        /// The link.
        epoch: LinkEpoch,
        /// The rule.
        violation: Violation,
    },
    /// A message was dropped.
    Dropped {
        /// Which way it travelled.
        direction: Direction,
        /// Its id.
        msg_id: Box<str>,
        /// Why.
        reason: DropReason,
    },
    /// A message is larger than its class allows; it is dropped.
    TooLarge {
        /// Its id.
        msg_id: Box<str>,
        /// Its size in bytes, in the form in which it would leave.
        bytes: usize,
        /// What its class allows, in bytes.
        limit: usize,
    },
    /// A sync request ended.
    SyncEnded {
        /// The request's id.
        msg_id: Box<str>,
        /// How.
        outcome: SyncOutcome,
    },
    /// A pong came back.
    RoundTrip {
        /// Time since its ping was handed to the driver.
        rtt: Duration,
    },
    /// A module took nothing for too long; its messages are dropped until it does.
    ModuleStalled {
        /// Which.
        module: ModuleId,
    },
    /// A stalled module takes messages again.
    ModuleRecovered {
        /// Which.
        module: ModuleId,
    },
    /// The monotonic clock went back; the step is ignored.
    ClockBack {
        /// By how much.
        by: Duration,
    },
    /// The journal's health changed. While it is not good, messages of persistent classes are not stored, and modules wait
    /// once too many are not.
    JournalHealth {
        /// How it is now.
        health: Health,
    },
    /// The journal did not take a message. It goes on in memory, and would not survive the process.
    NotStored {
        /// Its id.
        msg_id: Box<str>,
    },
    /// An entry of the journal that the hub does not hold cannot be read any more; it is lost.
    EntryLost {
        /// Its number.
        number: EntryNumber,
    },
    /// A dropped message should have become a dead letter, and did not: more waits for the disk than may, or it cannot be
    /// read any more.
    LetterLost {
        /// Why it was dropped.
        reason: DropReason,
    },
    /// An event of the journal that has no place at this moment; it changed nothing.
    UnexpectedJournalEvent,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::string::ToString;

    /// A module reads the reason in the error that ends its request: it must tell one from another.
    #[test]
    fn every_reason_has_words_of_its_own() {
        let texts: BTreeSet<_> = DropReason::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), DropReason::ALL.len());
        assert!(texts.iter().all(|text| !text.is_empty() && !text.contains('\n')), "{texts:?}");
    }
}
