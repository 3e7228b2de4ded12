//! What a hub asks of its driver. The list is closed.

use super::input::{LinkEpoch, ModuleId, ReceiptId};
use super::letters::LetterNumber;
use super::note::{DropReason, Note};
use super::receipt::Stage;
use crate::config::Lane;
use crate::journal::EntryNumber;
use crate::message::Message;
use alloc::boxed::Box;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// One thing to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Output {
    /// Open a link; report `Opened` or `OpenFailed`.
    Open {
        /// The new link.
        epoch: LinkEpoch,
        /// The endpoint to dial, by its place among [`Endpoints::weights`](crate::config::Endpoints::weights).
        #[serde(default)]
        endpoint: usize,
        /// What carries it.
        #[serde(default)]
        lane: Lane,
        /// The hub gives the dial up after this.
        #[serde(default)]
        within: Duration,
    },
    /// See whether this lane gets through to an endpoint, without a word of who the node is: a handshake, and no more. Report
    /// `Reached` with the epoch of the present link if it does, and nothing otherwise.
    Reach {
        /// The present link, which goes on meanwhile.
        epoch: LinkEpoch,
        /// The endpoint, as in [`Output::Open`].
        endpoint: usize,
        /// What is asked for.
        lane: Lane,
        /// After this, an answer is of no use.
        within: Duration,
    },
    /// Write a message; report it as `Flushed` once the operating system has it.
    Write {
        /// The link.
        epoch: LinkEpoch,
        /// The message.
        message: Message,
    },
    /// Write a ping behind everything written before; its pong is reported as `Pong`.
    Ping {
        /// The link.
        epoch: LinkEpoch,
        /// The number that the pong carries back, rising over the hub's life.
        number: u64,
    },
    /// Stop reading the link: modules are slow.
    Pause {
        /// The link.
        epoch: LinkEpoch,
    },
    /// Read again.
    Resume {
        /// The link.
        epoch: LinkEpoch,
    },
    /// Close the link, whatever its state. Its events are ignored from now on.
    Close {
        /// The link.
        epoch: LinkEpoch,
    },
    /// Take (`true`), or stop taking (`false`), messages from modules: the link is slow. Answers are taken all the same.
    Intake {
        /// Whether modules may send.
        open: bool,
    },
    /// Hand a message to a module. It uses up one credit, unless it answers a request of the module's own: answers
    /// never queue behind other messages, and the pending requests bound their number.
    Deliver {
        /// The receiver.
        module: ModuleId,
        /// The message.
        message: Message,
        /// Whether it answers a sync request of this module.
        answer: bool,
    },
    /// Tells a sender what has become of its message. It uses up no credit.
    Receipt {
        /// The sender, which may have left.
        module: ModuleId,
        /// The number under which it asked. `None`: it did not ask, and its message is rejected, because its class
        /// ([`Overflow::Reject`](crate::class::Overflow::Reject)) has no room or because it is larger than it may be.
        receipt: Option<ReceiptId>,
        /// The message's id.
        msg_id: Box<str>,
        /// What has become of it.
        stage: Stage,
    },
    /// Put a message into the journal; report it as `Stored` once it is durable.
    Store {
        /// Its number, larger than all before.
        number: EntryNumber,
        /// The place of its class among the classes.
        class: u8,
        /// The message.
        message: Message,
    },
    /// The journal may forget these: they have come to their end.
    Forget {
        /// The first of them.
        first: EntryNumber,
        /// The last of them.
        last: EntryNumber,
    },
    /// Read a message back from the journal; report it as `Fetched`, or as `Lost`.
    Fetch {
        /// Its number.
        number: EntryNumber,
    },
    /// Put a dropped message into the journal of dead letters; report it as `LetterStored` once it is durable. After a stop,
    /// what is refused may still follow.
    Bury {
        /// Its number, larger by one than the last.
        letter: LetterNumber,
        /// The place of its class among the classes.
        class: u8,
        /// Why it was dropped.
        reason: DropReason,
        /// The message.
        message: Message,
    },
    /// The module may not join: its name is taken, or there are too many.
    JoinRefused {
        /// The module.
        module: ModuleId,
    },
    /// A shutdown is complete; nothing follows but refusals of what is still asked.
    Stopped,
    /// What happened and why. Whoever drops every note sees the same everything else.
    Note(Note),
}
