//! A module of this process: joined under a name, with a bounded inbox.

use super::EdgeHub;
use super::command::{Control, Request, Senders, Wish};
use super::credit::Credit;
use super::receipt::Receipt;
use super::rejection::{Rejection, Rejections};
use crate::bell;
use crate::clock;
use async_channel::Receiver;
use edgehub_core::message::{Stencil, operation};
use edgehub_core::rng::Rng;
use edgehub_core::{Content, Draft, Message, ModuleId, Violation};
use serde::Serialize;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Messages that a module's inbox holds before the hub keeps the next ones.
pub(super) const INBOX: u32 = 256;

/// A message in a module's inbox.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) message: Message,
    pub(super) answer: bool,
}

/// The hub has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the edge hub has stopped")
    }
}

impl std::error::Error for Stopped {}

/// Why a module could not join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinError {
    /// A module of this name has joined already, or too many have.
    Refused,
    /// The hub has stopped.
    Stopped,
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinError::Refused => {
                f.write_str("a module of this name has joined already, or too many modules have")
            }
            JoinError::Stopped => Stopped.fmt(f),
        }
    }
}

impl std::error::Error for JoinError {}

/// How a request can fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestError {
    /// The cloud or the hub answered with operation `error`: refused, timed out, or failed in the cloud. The message
    /// says which.
    Failed(Message),
    /// A request with this id waits already.
    IdTaken,
    /// The request does not fit its frame.
    Limit(Violation),
    /// The hub has stopped.
    Stopped,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestError::Failed(message) => write!(f, "{}", message.content()),
            RequestError::IdTaken => f.write_str("a request with this id waits already"),
            RequestError::Limit(violation) => violation.fmt(f),
            RequestError::Stopped => Stopped.fmt(f),
        }
    }
}

impl std::error::Error for RequestError {}

/// A joined module. It leaves when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Module(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    id: ModuleId,
    name: String,
    control: bell::Sender<Control>,
    senders: Senders,
    inbox: Receiver<Delivery>,
    rejected: Receiver<Rejection>,
    credit: Credit,
    pen: Mutex<Pen>,
}

/// What new messages are written with.
#[derive(Debug)]
struct Pen {
    ids: Rng,
    stencil: Stencil,
}

impl Module {
    pub(super) async fn join(hub: &EdgeHub, name: &str, groups: &[&str]) -> Result<Module, JoinError> {
        let (sender, inbox) = async_channel::unbounded();
        let (rejections, rejected) = Rejections::new();
        let groups = groups.iter().map(|&group| group.into()).collect();
        let joined = hub
            .ask(|reply| Control::Join { name: name.into(), groups, inbox: sender, rejections, reply })
            .await
            .map_err(|Stopped| JoinError::Stopped)?;
        let id = joined.ok_or(JoinError::Refused)?;
        Ok(Module(Arc::new(Inner {
            id,
            name: name.into(),
            control: hub.control.clone(),
            senders: hub.senders.clone(),
            inbox,
            rejected,
            credit: Credit::new(),
            pen: Mutex::new(Pen { ids: Rng::new(fastrand::u64(..)), stencil: Stencil::default() }),
        })))
    }

    /// The name under which it joined.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// A message from this module to the cloud, with a fresh id and the present time.
    pub fn compose(
        &self,
        group: &str,
        operation: &str,
        resource: &str,
        content: &impl Serialize,
    ) -> Result<Message, ComposeError> {
        let content = serde_json::value::to_raw_value(content).map_err(ComposeError::Content)?;
        self.write(group, operation, resource, Content::Json(&content)).map_err(ComposeError::Limit)
    }

    /// The same with a text as content, which needs no serialising: only what JSON wants escaped is.
    pub fn compose_text(
        &self,
        group: &str,
        operation: &str,
        resource: &str,
        text: &str,
    ) -> Result<Message, Violation> {
        self.write(group, operation, resource, Content::Text(text))
    }

    /// The acknowledgement that ends a message's resending: operation `response`, content `"OK"`.
    pub fn acknowledgement(&self, of: &Message) -> Result<Message, Violation> {
        let id = self.pen().ids.uuid();
        Draft { content: Content::Text("OK"), ..Draft::response_to(of, id.as_str(), clock::wall()) }.encode()
    }

    fn write(
        &self,
        group: &str,
        operation: &str,
        resource: &str,
        content: Content<'_>,
    ) -> Result<Message, Violation> {
        let (mut pen, source, timestamp) = (self.pen(), self.name(), clock::wall());
        let id = pen.ids.uuid();
        let msg_id = id.as_str();
        match pen.stencil.write([source, group, operation, resource], msg_id, timestamp, content) {
            Some(message) => Ok(message),
            None => {
                Draft { msg_id, timestamp, source, group, operation, resource, content, ..Draft::default() }
                    .encode()
            }
        }
    }

    fn pen(&self) -> MutexGuard<'_, Pen> {
        self.0.pen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a message to the cloud. Waits while the link is up and does not keep pace. If the hub refuses the message,
    /// [`rejected`](Module::rejected) tells.
    pub async fn send(&self, message: Message) -> Result<(), Stopped> {
        self.0.senders.send(self.0.id, message, None).await
    }

    /// The next message of this module that the hub did not take: it is larger than its class allows, or its class is full
    /// and says `overflow: reject`. `None` once the hub has stopped. What was sent with
    /// [`send_tracked`](Module::send_tracked) or [`request`](Module::request) is told there.
    ///
    /// Whoever does not care need not call it: no more than 256 wait, and further ones are only counted.
    pub async fn rejected(&self) -> Option<Rejection> {
        self.0.rejected.recv().await.ok()
    }

    /// Sends a message and returns what tells its way: confirmed, written, or dropped and why.
    pub async fn send_tracked(&self, message: Message) -> Result<Receipt, Stopped> {
        let (stages, receipt) = Receipt::new();
        let wish = Some(Box::new(Wish::Stages(stages)));
        self.0.senders.send(self.0.id, message, wish).await?;
        Ok(receipt)
    }

    /// Sends a request and waits for its one outcome; `None` waits for the configured time.
    ///
    /// A request that is no longer waited for (its future dropped) still ends in the hub; its answer is thrown away.
    pub async fn request(
        &self,
        message: &Message,
        timeout: Option<Duration>,
    ) -> Result<Message, RequestError> {
        let (reply, answer) = async_channel::bounded(1);
        let message = with_sync(message).map_err(RequestError::Limit)?;
        let wish = Some(Box::new(Wish::Answer(Request { timeout, reply })));
        self.0.senders.send(self.0.id, message, wish).await.map_err(|Stopped| RequestError::Stopped)?;
        let answer = answer.recv().await.map_err(|_| RequestError::Stopped)??;
        if answer.operation() == operation::ERROR { Err(RequestError::Failed(answer)) } else { Ok(answer) }
    }

    /// The next message for this module; `None` once the hub has stopped.
    pub async fn receive(&self) -> Option<Message> {
        let delivery = self.0.inbox.recv().await.ok()?;
        if !delivery.answer
            && let Some(credit) = self.0.credit.took(delivery.message.bytes())
        {
            // A stopped hub needs no credit.
            let _ = self.0.control.try_send(Control::Ready { module: self.0.id, credit });
        }
        Some(delivery.message)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // A stopped hub has forgotten the module already.
        let _ = self.control.try_send(Control::Leave(self.id));
    }
}

/// The same message with `header.sync` set, as a request needs it.
fn with_sync(message: &Message) -> Result<Message, Violation> {
    if message.is_sync() {
        return Ok(message.clone());
    }
    Draft { sync: true, ..Draft::from(message) }.encode()
}

/// Why a message could not be composed.
#[derive(Debug)]
pub enum ComposeError {
    /// The content does not serialise.
    Content(serde_json::Error),
    /// A field or the frame is too long.
    Limit(Violation),
}

impl fmt::Display for ComposeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ComposeError::Content(error) => write!(f, "content does not serialise: {error}"),
            ComposeError::Limit(violation) => violation.fmt(f),
        }
    }
}

impl std::error::Error for ComposeError {}
