//! The story of one message.

use crate::hub::{Direction, DropReason, LinkEpoch, ModuleId, Standing, SyncOutcome};
use crate::journal::EntryNumber;
use crate::message::Message;
use crate::time::{Instant, Now};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use serde::Serialize;

/// One thing that happened to a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum What {
    /// A module handed it over.
    Sent {
        /// Which module.
        module: ModuleId,
        /// Its name; empty if it had not joined.
        name: Box<str>,
        /// Whether the module waits for an answer.
        request: bool,
        /// How it stands in the outbox.
        rank: Rank,
    },
    /// It was taken up again from the journal after a start.
    Restored {
        /// How it stands in the outbox.
        rank: Rank,
    },
    /// It was handed to the journal.
    Storing {
        /// Under which number.
        number: EntryNumber,
    },
    /// The journal has it for sure.
    Stored,
    /// It had been left to the journal, and was read back.
    Fetched,
    /// The hub made it itself.
    MadeByHub,
    /// It was there already when the readable part of the trace begins.
    There {
        /// In the outbox.
        standing: Option<Standing>,
        /// In the inbox of this module.
        module: Option<ModuleId>,
    },
    /// It was written to the link.
    Written {
        /// Which link.
        epoch: LinkEpoch,
        /// How often it had been written before.
        before: u32,
    },
    /// A ping went out behind it: its pong will confirm it.
    Covered {
        /// The number of the ping.
        ping: u64,
    },
    /// A pong confirmed it: the cloud has it.
    Confirmed {
        /// The number of the pong, if that was what settled it.
        pong: Option<u64>,
    },
    /// The link ended before it was confirmed; it will be sent again.
    LinkLost {
        /// The link that ended.
        epoch: LinkEpoch,
    },
    /// Its sender's wait for an answer ended.
    RequestEnded {
        /// How.
        outcome: SyncOutcome,
    },
    /// It arrived from the cloud.
    Received {
        /// On which link.
        epoch: LinkEpoch,
    },
    /// The hub answered it itself: link control.
    AnsweredByHub,
    /// It came too late: its link was over, or not open.
    Ignored,
    /// It waits until a module can take it.
    Waits {
        /// Which module.
        module: ModuleId,
        /// Its name.
        name: Box<str>,
    },
    /// A module got it.
    Delivered {
        /// Which module.
        module: ModuleId,
        /// Its name.
        name: Box<str>,
        /// Whether the module had asked for it.
        answer: bool,
    },
    /// A module sent an acknowledgement or a response to it.
    Acknowledged {
        /// Which module.
        module: ModuleId,
        /// The id of that message.
        by: Box<str>,
    },
    /// It was dropped, or a copy of it.
    Dropped {
        /// Why.
        reason: DropReason,
    },
}

/// How a message stands in the outbox when it comes there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rank {
    /// The name of its class.
    pub class: Box<str>,
    /// Messages that waited before it, of classes of the same priority or an earlier one. What is written already does not
    /// wait.
    pub ahead: usize,
}

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rank { class, ahead } = self;
        let waits = if *ahead == 1 { "message waits" } else { "messages wait" };
        write!(f, "class {class}, {ahead} {waits} before it")
    }
}

/// When something happened to a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When.
    pub now: Now,
    /// The number of the record.
    pub record: u64,
    /// What.
    pub what: What,
}

/// How a story ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Fate {
    /// Upstream: the cloud has it. Downstream: whoever should have it has it.
    Arrived,
    /// Dropped, at least in one copy.
    Dropped(DropReason),
    /// Neither, when the trace ends.
    Pending,
}

/// What is known of one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Story {
    /// Which way it travels.
    pub direction: Direction,
    /// Its id.
    pub msg_id: Box<str>,
    /// The id of the message that it answers, or empty.
    pub parent_msg_id: Box<str>,
    /// Where it comes from, what it is about: source, group, operation, resource.
    pub route: [Box<str>; 4],
    /// Length of its frame, in bytes.
    pub bytes: usize,
    /// The hash of its content, where the trace has only that.
    pub content_hash: Option<u64>,
    /// What happened to it, in order.
    pub events: Vec<Event>,
    /// The place of its class, for one that a module sent.
    pub(super) class: usize,
    /// Copies that are on their way.
    pub(super) copies: usize,
    /// Whether a module waits for its answer.
    pub(super) awaited: bool,
}

impl Story {
    /// Of a message whose text is not in memory.
    pub(super) fn unread(direction: Direction, msg_id: &str, bytes: usize) -> Story {
        Story {
            direction,
            msg_id: msg_id.into(),
            parent_msg_id: "".into(),
            route: ["", "", "", ""].map(Box::from),
            bytes,
            content_hash: None,
            events: Vec::new(),
            class: 0,
            copies: 0,
            awaited: false,
        }
    }

    pub(super) fn new(direction: Direction, message: &Message, content_hash: Option<u64>) -> Story {
        Story {
            direction,
            msg_id: message.msg_id().into(),
            parent_msg_id: message.parent_msg_id().into(),
            route: [message.source(), message.group(), message.operation(), message.resource()]
                .map(Box::from),
            bytes: message.bytes(),
            content_hash,
            events: Vec::new(),
            class: 0,
            copies: 0,
            awaited: false,
        }
    }

    /// Whether a module or the cloud sent it, and not the hub itself.
    pub fn is_from_outside(&self) -> bool {
        !matches!(self.events.first(), Some(Event { what: What::MadeByHub, .. }))
    }

    /// Whether something of it is still on its way: a copy, or an answer.
    pub(super) fn is_unsettled(&self) -> bool {
        self.copies > 0 || self.awaited
    }

    /// Whether a copy of it is in the inbox of this module.
    pub(super) fn waits_for(&self, wanted: ModuleId) -> bool {
        let mut copies = 0_usize;
        for Event { what, .. } in &self.events {
            match what {
                What::Waits { module, .. } | What::There { module: Some(module), .. }
                    if *module == wanted =>
                {
                    copies += 1;
                }
                What::Delivered { module, .. } if *module == wanted => copies = copies.saturating_sub(1),
                _ => {}
            }
        }
        copies > 0
    }

    /// How it ends.
    pub fn fate(&self) -> Fate {
        let dropped = self.events.iter().find_map(|event| match event.what {
            What::Dropped { reason } => Some(reason),
            _ => None,
        });
        match dropped {
            Some(reason) => Fate::Dropped(reason),
            None if self.copies > 0 => Fate::Pending,
            None => Fate::Arrived,
        }
    }

    /// Time from the first event to the one that settled it; `None` while it is pending or if it was dropped.
    pub fn took(&self) -> Option<Duration> {
        let settled = self.events.iter().rev().find(|event| match self.direction {
            Direction::Up => matches!(event.what, What::Confirmed { .. }),
            Direction::Down => matches!(event.what, What::Delivered { .. } | What::AnsweredByHub),
        })?;
        Some(settled.now.mono.since(self.events.first()?.now.mono))
    }

    /// How long it was on its way, or its sender waited, whichever was longer. What is pending, or still waited for, is so
    /// until now, and what was dropped was on its way until then.
    pub fn lasted(&self, now: Instant) -> Duration {
        let Some(begin) = self.events.first().map(|event| event.now.mono) else { return Duration::ZERO };
        if self.is_unsettled() {
            return now.since(begin);
        }
        let dropped = self.events.iter().rev().find(|event| matches!(event.what, What::Dropped { .. }));
        let dropped = dropped.map(|event| event.now.mono.since(begin));
        self.took().max(self.waited()).max(dropped).unwrap_or_default()
    }

    /// How long its sender waited for an answer, if it was a request whose wait ended.
    pub fn waited(&self) -> Option<Duration> {
        let ended = self.events.iter().find(|event| matches!(event.what, What::RequestEnded { .. }))?;
        Some(ended.now.mono.since(self.events.first()?.now.mono))
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Sent { module, name, request, rank } => {
                let who = if name.is_empty() { "a module that had not joined" } else { &**name };
                let asks = if *request { ", which waits for an answer" } else { "" };
                write!(f, "handed over by {who} (module {}){asks}; {rank}", module.0)
            }
            What::Restored { rank } => {
                write!(f, "taken up again from the journal, where it was at the start; {rank}")
            }
            What::Storing { number } => write!(f, "handed to the journal as entry {number}"),
            What::Stored => f.write_str("stored: it survives a crash from now on"),
            What::Fetched => f.write_str("read back from the journal, to which it had been left"),
            What::MadeByHub => f.write_str("made by the hub itself"),
            What::There { standing: Some(Standing::Unconfirmed), .. } => {
                f.write_str("already written and unconfirmed where this part of the trace begins")
            }
            What::There { module: Some(module), .. } => {
                write!(f, "already waiting for module {} where this part of the trace begins", module.0)
            }
            What::There { .. } => f.write_str("already in the outbox where this part of the trace begins"),
            What::Written { epoch, before: 0 } => write!(f, "written to the link of epoch {}", epoch.0),
            What::Written { epoch, before } => {
                write!(f, "sent again on the link of epoch {} (written {before} times before)", epoch.0)
            }
            What::Covered { ping } => write!(f, "ping {ping} went out behind it"),
            What::Confirmed { pong: Some(pong) } => {
                write!(f, "confirmed by pong {pong}: the cloud has handed it on")
            }
            What::Confirmed { pong: None } => f.write_str("settled with the writing: nothing confirms it"),
            What::LinkLost { epoch } => {
                write!(
                    f,
                    "the link of epoch {} ended before a pong confirmed it; queued again, in its old place",
                    epoch.0
                )
            }
            What::RequestEnded { outcome } => match outcome {
                SyncOutcome::Response => f.write_str("its answer came; the wait ended"),
                SyncOutcome::Error => f.write_str("an error came as its answer; the wait ended"),
                SyncOutcome::Timeout => f.write_str("no answer came in time; the wait ended"),
                SyncOutcome::Rejected(reason) => write!(f, "the wait ended: {reason}"),
            },
            What::Received { epoch } => write!(f, "arrived from the cloud on the link of epoch {}", epoch.0),
            What::AnsweredByHub => f.write_str("answered by the hub itself: link control is routed nowhere"),
            What::Ignored => f.write_str("ignored: its link was over, or not open"),
            What::Waits { module, name } => {
                write!(f, "waits for {name} (module {}), which has to take others first", module.0)
            }
            What::Delivered { module, name, answer: false } => {
                write!(f, "delivered to {name} (module {})", module.0)
            }
            What::Delivered { module, name, answer: true } => {
                write!(f, "delivered to {name} (module {}) as the answer to its request", module.0)
            }
            What::Acknowledged { module, by } => {
                write!(f, "acknowledged or answered by module {} with message {by}", module.0)
            }
            What::Dropped { reason } => write!(f, "dropped: {reason}"),
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fate::Arrived => f.write_str("arrived"),
            Fate::Dropped(reason) => write!(f, "dropped: {reason}"),
            Fate::Pending => f.write_str("pending when the trace ends"),
        }
    }
}

/// The whole story in plain words, one line for each event.
impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match self.direction {
            Direction::Up => "to the cloud",
            Direction::Down => "from the cloud",
        };
        let [source, group, operation, resource] = &self.route;
        write!(
            f,
            "message {} {way}: {operation} {resource} (source {source}, group {group}), ",
            self.msg_id
        )?;
        writeln!(f, "{} bytes", self.bytes)?;
        if !self.parent_msg_id.is_empty() {
            writeln!(f, "  answers {}", self.parent_msg_id)?;
        }
        for Event { now, record, what } in &self.events {
            writeln!(f, "  {:>14.6} s  #{record:<8} {what}", now.mono.0 as f64 / 1e6)?;
        }
        write!(f, "  {}", self.fate())?;
        match self.took() {
            Some(took) => write!(f, " after {took:?}"),
            None => Ok(()),
        }
    }
}
