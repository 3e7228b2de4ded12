//! What handles ask of the driver, and the ways on which it gets there.

use super::module::{Delivery, RequestError};
use super::rejection::Rejections;
use crate::bell;
use async_channel::Sender;
use edgehub_core::hub::{Account, HubHealth, Stage};
use edgehub_core::{Message, ModuleId};
use rustls::ClientConfig;
use std::sync::Arc;
use std::time::Duration;

/// Messages that wait for the driver before senders wait themselves.
pub(super) const COMMANDS: usize = 256;

/// Where a request's outcome goes.
pub(super) type Reply = Sender<Result<Message, RequestError>>;

/// What a module sends.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) module: ModuleId,
    pub(super) message: Message,
    /// What its sender wants to hear of it. Most senders want nothing.
    pub(super) wish: Option<Box<Wish>>,
}

/// What a sender wants to hear of its message.
#[derive(Debug)]
pub(super) enum Wish {
    /// The answer of the cloud.
    Answer(Request),
    /// The stages of its way.
    Stages(Sender<Stage>),
}

#[derive(Debug)]
pub(super) struct Request {
    pub(super) timeout: Option<Duration>,
    pub(super) reply: Reply,
}

/// The ways of messages to the driver, both bounded. Answers have one of their own, which the driver always reads: while
/// data waits for a slow link, an acknowledgement must not, or the cloud resends what was long delivered (defect D8).
#[derive(Debug, Clone)]
pub(super) struct Senders {
    pub(super) answers: bell::Sender<Command>,
    pub(super) commands: bell::Sender<Command>,
}

impl Senders {
    /// The way that this message takes.
    pub(super) fn of(&self, message: &Message) -> &bell::Sender<Command> {
        if message.is_response() { &self.answers } else { &self.commands }
    }
}

/// What else can be asked of a driver. Few, and never held back.
#[derive(Debug)]
pub(super) enum Control {
    Join {
        name: Box<str>,
        groups: Vec<Box<str>>,
        inbox: Sender<Delivery>,
        rejections: Rejections,
        reply: Sender<Option<ModuleId>>,
    },
    Leave(ModuleId),
    Ready {
        module: ModuleId,
        credit: u32,
    },
    Account(Sender<Account>),
    Health(Sender<HubHealth>),
    WhenSettled(Sender<Account>),
    Shutdown(Sender<Account>),
    /// Open links with this from now on, the present one anew.
    Renew(Arc<ClientConfig>),
    /// Write what the flight recorder holds to a file.
    Dump,
}
