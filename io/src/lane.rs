//! What carries a link, behind one interface: the drivers on both ends know messages, pings and batches, and no transport.
//!
//! The node's end begins with [`open`], the cloud's with a [`Listener`]; both end in [`Opened::run`], which moves batches until
//! either side ends the link. Which lane it is follows from the target's URL, or from who listens.

mod listener;

pub(crate) use listener::{Cut, Incoming, Listener};

use crate::pump::pump;
use crate::websocket::{self, ConnectError, Target};
use async_channel::Receiver;
use bytestring::ByteString;
use edgehub_core::{Message, Violation};
use rustls::ClientConfig;
use std::sync::Arc;

/// Batches that may wait for the reader's owner.
pub(crate) const BATCHES: usize = 2;

/// One thing to write.
#[derive(Debug)]
pub(crate) enum Write {
    /// A message, of which only the frame is left to be written.
    Frame(ByteString),
    Ping(u64),
    /// The last thing: an end with this code and text.
    Close(u16, &'static str),
}

/// One thing that was read.
#[derive(Debug)]
pub(crate) enum Read {
    Message(Message),
    Malformed(Violation),
    Pong(u64),
    /// The end, in words; nothing follows.
    Ended(String),
}

/// Whoever a link is run for.
pub(crate) trait Owner: Sync {
    /// Takes what was read, when there is room for it; `false` when nobody wants more.
    fn read(&self, batch: Vec<Read>) -> impl Future<Output = bool> + Send;

    /// So many messages, and their bytes, are handed to the operating system.
    fn flushed(&self, messages: usize, bytes: usize);
}

/// The form in which a lane wants what is to be written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    /// Frames are all that it needs.
    Frames,
}

impl Form {
    /// A message in this form.
    pub(crate) fn write(self, message: Message) -> Write {
        match self {
            Form::Frames => Write::Frame(message.into_frame()),
        }
    }
}

/// The form for links to a target.
pub(crate) fn form(_: &Target) -> Form {
    Form::Frames
}

/// A link that is open and not yet run.
#[derive(Debug)]
pub(crate) enum Opened {
    ToCloud(Box<websocket::Stream>),
    ToNode(Box<websocket::ServerStream>),
}

/// Opens a link to a cloud hub.
pub(crate) async fn open(target: &Target, tls: Arc<ClientConfig>) -> Result<Opened, ConnectError> {
    websocket::connect(target, tls).await.map(|stream| Opened::ToCloud(Box::new(stream)))
}

impl Opened {
    /// What tells whether the peer's machine takes what is written.
    pub(crate) fn progress(&self) -> Progress {
        let tcp = match self {
            Opened::ToCloud(stream) => stream.get_ref().get_ref().0,
            Opened::ToNode(stream) => stream.get_ref().get_ref().0,
        };
        Progress::Tcp(websocket::Progress::of(tcp))
    }

    /// Runs a link until either side ends it. Ends when `writes` is closed, after saying goodbye.
    pub(crate) async fn run(self, writes: Receiver<Vec<Write>>, owner: impl Owner) {
        match self {
            Opened::ToCloud(stream) => pump(*stream, writes, owner).await,
            Opened::ToNode(stream) => pump(*stream, writes, owner).await,
        }
    }
}

/// Watches a connection that somebody else reads and writes.
#[derive(Debug)]
pub(crate) enum Progress {
    Tcp(websocket::Progress),
}

impl Progress {
    /// Whether something is under way, and something of it was acknowledged since this was asked last.
    pub(crate) fn is_made(&mut self) -> bool {
        match self {
            Progress::Tcp(progress) => progress.is_made(),
        }
    }
}
