//! What carries a link, behind one interface: the drivers on both ends know messages, pings and batches, and no transport.
//!
//! The node's end begins with a [`Dialer`], the cloud's with a [`Listener`]; both end in [`Opened::run`], which moves batches until
//! either side ends the link. The hub says
//! which lane is dialled; on the other end it follows from who listens.

mod listener;
mod quic;
mod steps;
#[cfg(test)]
mod tests;

pub(crate) use listener::{Cut, Datagrams, Incoming, Listener};

use crate::pump::pump;
use crate::websocket::{self, ConnectError, Target};
use async_channel::Receiver;
use bytestring::ByteString;
use edgehub_core::config::{Lane, LaneChoice};
use edgehub_core::{Config, Message, Violation};
use rustls::ClientConfig;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Batches that may wait for the reader's owner.
pub(crate) const BATCHES: usize = 2;

/// Messages in one batch. The owner stops reading between two batches, and has room for a few of them when it does.
pub(crate) const BATCH_MESSAGES: usize = 128;

/// One thing to write.
#[derive(Debug)]
pub(crate) enum Write {
    /// A message, of which only the frame is left to be written.
    Frame(ByteString),
    /// A message that goes out in another form.
    Message(Box<Message>),
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Frames are all that it needs.
    Frames,
    /// It looks at the messages itself.
    Messages,
}

impl Form {
    /// A message in this form.
    pub(crate) fn write(self, message: Message) -> Write {
        match self {
            Form::Frames => Write::Frame(message.into_frame()),
            Form::Messages => Write::Message(Box::new(message)),
        }
    }
}

/// The scheme of a target's URL on the QUIC lane.
pub(crate) const QUIC_SCHEME: &str = "quic://";

fn lane_of(target: &Target) -> Lane {
    if target.url.trim().starts_with(QUIC_SCHEME) { Lane::Quic } else { Lane::WebSocket }
}

/// The lanes on which these targets are.
pub(crate) fn lanes_of(targets: &[Target]) -> LaneChoice {
    let has = |lane| targets.iter().any(|target| lane_of(target) == lane);
    match (has(Lane::Quic), has(Lane::WebSocket)) {
        (true, true) => LaneChoice::Auto,
        (true, false) => LaneChoice::Quic,
        (false, _) => LaneChoice::WebSocket,
    }
}

/// How many endpoints these targets are: those of two lanes are two ways to the same ones.
pub(crate) fn endpoints_of(targets: &[Target]) -> usize {
    let quic = targets.iter().filter(|target| lane_of(target) == Lane::Quic).count();
    quic.max(targets.len() - quic)
}

/// A way to the cloud, as the hub wants it dialled.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    target: Arc<Target>,
    lane: Lane,
    /// What the hub gives it.
    within: Duration,
}

impl Way {
    /// The way to this target, in no longer than it says itself.
    pub(crate) fn to(target: &Target) -> Way {
        Way { target: Arc::new(target.clone()), lane: lane_of(target), within: target.handshake_timeout }
    }

    /// The form for links that way.
    pub(crate) fn form(&self) -> Form {
        match self.lane {
            Lane::WebSocket => Form::Frames,
            Lane::Quic => Form::Messages,
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.target.url
    }
}

/// Dials.
#[derive(Debug)]
pub(crate) struct Dialer {
    quic: quic::Client,
    /// The targets of each lane, in the order of the endpoints.
    quic_targets: Vec<Arc<Target>>,
    websocket_targets: Vec<Arc<Target>>,
}

impl Dialer {
    /// A dialer for hubs of this configuration.
    pub(crate) fn new(config: &Config, targets: &[Target], compression: bool) -> Dialer {
        let of =
            |lane| targets.iter().filter(|target| lane_of(target) == lane).cloned().map(Arc::new).collect();
        Dialer {
            quic: quic::Client::new(config, compression),
            quic_targets: of(Lane::Quic),
            websocket_targets: of(Lane::WebSocket),
        }
    }

    /// The way to an endpoint over a lane. A lane with fewer targets has several endpoints behind one of them.
    pub(crate) fn way(&self, endpoint: usize, lane: Lane, within: Duration) -> Option<Way> {
        let targets = match lane {
            Lane::Quic => &self.quic_targets,
            Lane::WebSocket => &self.websocket_targets,
        };
        let target = targets.get(endpoint.checked_rem(targets.len())?)?.clone();
        Some(Way { target, lane, within })
    }

    /// Whether a way gets through, without a word of who the node is. Of a lane that there is nothing better than, nobody asks.
    pub(crate) async fn reaches(&self, way: &Way, tls: Arc<ClientConfig>) -> bool {
        match way.lane {
            Lane::WebSocket => false,
            Lane::Quic => {
                let limit = way.target.handshake_timeout.min(way.within);
                self.quic.reaches(&way.target, limit, tls).await
            }
        }
    }

    /// Opens a link to a cloud hub.
    pub(crate) async fn open(&self, way: &Way, tls: Arc<ClientConfig>) -> Result<Opened, OpenError> {
        match way.lane {
            Lane::WebSocket => {
                let stream = websocket::connect(&way.target, tls).await.map_err(OpenError::WebSocket)?;
                Ok(Opened::ToCloud(Box::new(stream)))
            }
            Lane::Quic => {
                let limit = way.target.handshake_timeout.min(way.within);
                let session = self.quic.open(&way.target, limit, tls).await.map_err(OpenError::Quic)?;
                Ok(Opened::Quic(Box::new(session)))
            }
        }
    }
}

/// Why a link could not be opened.
#[derive(Debug)]
pub(crate) enum OpenError {
    WebSocket(ConnectError),
    Quic(quic::QuicError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::WebSocket(error) => error.fmt(f),
            OpenError::Quic(error) => error.fmt(f),
        }
    }
}

/// A link that is open and not yet run.
#[derive(Debug)]
pub(crate) enum Opened {
    ToCloud(Box<websocket::Stream>),
    ToNode(Box<websocket::ServerStream>),
    Quic(Box<quic::Session>),
}

impl Opened {
    /// What tells whether the peer's machine takes what is written.
    pub(crate) fn progress(&self) -> Progress {
        let tcp = match self {
            Opened::ToCloud(stream) => stream.get_ref().get_ref().0,
            Opened::ToNode(stream) => stream.get_ref().get_ref().0,
            Opened::Quic(session) => return Progress::Quic(session.progress()),
        };
        Progress::Tcp(websocket::Progress::of(tcp))
    }

    /// Runs a link until either side ends it. Ends when `writes` is closed, after saying goodbye.
    pub(crate) async fn run(self, writes: Receiver<Vec<Write>>, owner: impl Owner) {
        match self {
            Opened::ToCloud(stream) => pump(*stream, writes, owner).await,
            Opened::ToNode(stream) => pump(*stream, writes, owner).await,
            Opened::Quic(session) => session.run(writes, owner).await,
        }
    }
}

/// Watches a connection that somebody else reads and writes.
#[derive(Debug)]
pub(crate) enum Progress {
    Tcp(websocket::Progress),
    Quic(quic::Progress),
}

impl Progress {
    /// Whether something is under way, and something of it was acknowledged since this was asked last.
    pub(crate) fn is_made(&mut self) -> bool {
        match self {
            Progress::Tcp(progress) => progress.is_made(),
            Progress::Quic(progress) => progress.is_made(),
        }
    }
}
