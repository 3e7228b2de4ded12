//! What can happen to a hub. The list is closed: everything a driver may say is here.

use super::letters::LetterNumber;
use crate::config::Config;
use crate::journal::{EntryNumber, Health};
use crate::message::Message;
use crate::violation::Violation;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// The generation of a link. It rises by one with every [`Output::Open`](super::Output::Open); whatever an older
/// generation still has to say changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct LinkEpoch(pub u64);

/// A joined module, by a number of the driver's choosing. Numbers are not used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ModuleId(pub u32);

/// A message whose sender wants to know what becomes of it, by a number of the driver's choosing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReceiptId(pub u64);

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    /// The time of the next deadline came, or so the driver believes.
    Tick,
    /// Something about the link.
    Link {
        /// The link it is about.
        epoch: LinkEpoch,
        /// What happened.
        event: LinkEvent,
    },
    /// Something about a module.
    Module {
        /// The module it is about.
        module: ModuleId,
        /// What happened.
        event: ModuleEvent,
    },
    /// Something about the journal.
    Journal(JournalEvent),
    /// End in good order: send what is queued, then close. [`Output::Stopped`](super::Output::Stopped) follows.
    Shutdown,
    /// Go on with another configuration; timers that already run keep their length once.
    Reconfigure(Box<Config>),
    /// The node has another certificate, and every link that is opened from now on shows it. A present link ends as soon as
    /// what was written to it is confirmed, and is opened again at once; a dial begins anew.
    Renewed,
}

/// What a link can report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkEvent {
    /// The handshake is complete: frames can be written.
    Opened,
    /// The link could not be opened.
    OpenFailed,
    /// A frame arrived and is a message.
    Received(Message),
    /// A frame arrived and is not a message.
    Malformed(Violation),
    /// So much of what was written has been handed to the operating system.
    Flushed {
        /// Messages.
        messages: usize,
        /// Their bytes, as [`Message::bytes`] counts them.
        bytes: usize,
    },
    /// The peer answered the ping of this number.
    Pong(u64),
    /// The peer's machine has taken something of what was written since this was said last: the way there works, however
    /// slow it is. Worth asking for before each tick; a driver that cannot know never says it.
    Progress,
    /// The link is gone, whoever ended it.
    Closed,
    /// The better lane, asked for with [`Output::Reach`](super::Output::Reach) while this link is there, gets through to its
    /// endpoint.
    Reached,
}

/// What a journal can report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum JournalEvent {
    /// There is one: messages of persistent classes are stored from now on. It comes before any module's message, or not
    /// at all.
    Opened {
        /// The first number that was never used.
        unused: EntryNumber,
        /// The longest frame that it takes, in bytes.
        frame_bytes_max: usize,
    },
    /// It holds this message from before the start. They come in the order of their numbers.
    Restored {
        /// Its number.
        number: EntryNumber,
        /// The message, as it was stored.
        message: Message,
    },
    /// Every entry with a number up to this one is durable, if it was not forgotten or refused.
    Stored {
        /// The last of them.
        up_to: EntryNumber,
    },
    /// It did not take an entry.
    Refused {
        /// Its number.
        number: EntryNumber,
    },
    /// A message that was asked for with [`Output::Fetch`](super::Output::Fetch).
    Fetched {
        /// Its number.
        number: EntryNumber,
        /// The message.
        message: Message,
    },
    /// An entry cannot be read any more, or is not there.
    Lost {
        /// Its number.
        number: EntryNumber,
    },
    /// Its health changed.
    Health(Health),
    /// There is a journal for dead letters. It comes before any module's message, or not at all.
    LettersOpened,
    /// Every dead letter with a number up to this one is durable, if it was not reported as lost.
    LetterStored {
        /// The last of them.
        up_to: LetterNumber,
    },
    /// A dead letter could not be stored.
    LetterLost {
        /// Its number.
        number: LetterNumber,
    },
    /// Dead letters that were durable are gone: the oldest made room for newer ones, or the disk does not give one back.
    LettersDiscarded {
        /// How many.
        letters: u64,
    },
}

/// What a module can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ModuleEvent {
    /// It joins.
    Joined {
        /// Its name, unique among joined modules.
        name: Box<str>,
        /// The groups it receives for.
        groups: Vec<Box<str>>,
        /// Messages it can take before it says [`ModuleEvent::Ready`].
        credit: u32,
    },
    /// It leaves; what waits for it is dropped.
    Left,
    /// It sends a message to the cloud.
    Sent {
        /// The message; `header.sync` makes it a request.
        message: Message,
        /// How long a request waits, if not the configured time.
        timeout: Option<Duration>,
        /// Under which number the module wants to be told what becomes of it, if at all.
        #[serde(default)]
        receipt: Option<ReceiptId>,
    },
    /// It has taken so many of the messages that it was handed, the oldest first, and can take as many more. It gets none, whatever
    /// its credit, while it has not taken [`HANDED_BYTES_MAX`](crate::limits::HANDED_BYTES_MAX) bytes.
    Ready {
        /// Messages.
        credit: u32,
    },
}
