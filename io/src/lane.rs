//! What carries a link, behind one interface: the drivers on both ends know messages, pings and batches, and no transport.
//!
//! The node's end begins with a [`Dialer`], the cloud's with a [`Listener`]; both end in [`Opened::run`], which moves batches until
//! either side ends the link. Which lane it is follows from the target's URL, or from who listens.

mod listener;
mod quic;

pub(crate) use listener::{Cut, Datagrams, Incoming, Listener};

use crate::clock::Clock;
use crate::pump::pump;
use crate::websocket::{self, ConnectError, Target};
use async_channel::Receiver;
use bytestring::ByteString;
use edgehub_core::lane::{Choice, LaneChoice};
use edgehub_core::{Config, Message, Violation};
use rustls::ClientConfig;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

/// How long QUIC may take to open when there is another lane: three attempts of the handshake's first packet.
const TRIAL: Duration = Duration::from_secs(5);

/// The scheme of a target's URL on the QUIC lane.
pub(crate) const QUIC_SCHEME: &str = "quic://";

/// Dials, on the lane that a target names.
#[derive(Debug)]
pub(crate) struct Dialer {
    quic: quic::Client,
    choice: Mutex<LaneChoice>,
    clock: Clock,
}

impl Dialer {
    /// A dialer for hubs of this configuration.
    pub(crate) fn new(config: &Config) -> Dialer {
        Dialer { quic: quic::Client::new(config), choice: Mutex::default(), clock: Clock::start() }
    }

    /// How many endpoints these targets are: those of two lanes are two ways to the same ones.
    pub(crate) fn endpoints(targets: &[Target]) -> usize {
        let quic = targets.iter().filter(|target| Dialer::form(target) == Form::Messages).count();
        quic.max(targets.len() - quic)
    }

    /// The target to dial for an endpoint. With targets on both lanes, what became of earlier dials says which lane it is.
    pub(crate) fn target(&self, targets: &[Target], endpoint: usize) -> Option<Target> {
        let is_quic = |target: &&Target| Dialer::form(target) == Form::Messages;
        let (quic, rest): (Vec<_>, Vec<_>) = targets.iter().partition(is_quic);
        let both = !quic.is_empty() && !rest.is_empty();
        let better = rest.is_empty() || (both && self.choice().next(self.clock.now().mono) == Choice::Better);
        let lane = if better { quic } else { rest };
        let at = endpoint.checked_rem(lane.len())?;
        let mut target = (*lane.get(at)?).clone();
        if both && Dialer::form(&target) == Form::Messages {
            // The other lane waits for its turn.
            target.handshake_timeout = target.handshake_timeout.min(TRIAL);
        }
        Some(target)
    }

    fn choice(&self) -> MutexGuard<'_, LaneChoice> {
        self.choice.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The form for links to a target.
    pub(crate) fn form(target: &Target) -> Form {
        if target.url.trim().starts_with(QUIC_SCHEME) { Form::Messages } else { Form::Frames }
    }

    /// Opens a link to a cloud hub.
    pub(crate) async fn open(&self, target: &Target, tls: Arc<ClientConfig>) -> Result<Opened, OpenError> {
        let form = Dialer::form(target);
        let opened = self.open_as(form, target, tls).await;
        let choice = if form == Form::Messages { Choice::Better } else { Choice::Safe };
        match &opened {
            Ok(_) => self.choice().opened(choice, self.clock.now().mono),
            Err(_) => self.choice().failed(choice),
        }
        opened
    }

    async fn open_as(
        &self,
        form: Form,
        target: &Target,
        tls: Arc<ClientConfig>,
    ) -> Result<Opened, OpenError> {
        match form {
            Form::Frames => {
                let stream = websocket::connect(target, tls).await.map_err(OpenError::WebSocket)?;
                Ok(Opened::ToCloud(Box::new(stream)))
            }
            Form::Messages => {
                let session = self.quic.open(target, tls).await.map_err(OpenError::Quic)?;
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
