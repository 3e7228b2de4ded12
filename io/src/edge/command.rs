//! What handles ask of the driver, and the ways on which it gets there.

use super::module::{Delivery, RequestError, Stopped};
use super::recorder::AskedBy;
use super::rejection::Rejections;
use crate::bell;
use crate::budget::{Allowance, Share};
use async_channel::Sender;
use concurrent_queue::PushError;
use edgehub_core::hub::{Account, HubHealth, Stage};
use edgehub_core::{Message, ModuleId};
use rustls::ClientConfig;
use std::sync::Arc;
use std::time::Duration;

/// Messages that wait for the driver before senders wait themselves.
pub(super) const COMMANDS: usize = 256;

/// … and their bytes, above which the next one waits.
pub(super) const COMMANDS_BYTES: usize = 8 << 20;

/// Where a request's outcome goes.
pub(super) type Reply = Sender<Result<Message, RequestError>>;

/// What a module sends.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) module: ModuleId,
    pub(super) message: Message,
    /// What its sender wants to hear of it. Most senders want nothing.
    pub(super) wish: Option<Box<Wish>>,
    _share: Share,
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
    pub(super) answers: Way,
    pub(super) commands: Way,
}

impl Senders {
    /// Sends a module's message on its way to the driver, once there is room.
    pub(super) async fn send(
        &self,
        module: ModuleId,
        message: Message,
        wish: Option<Box<Wish>>,
    ) -> Result<(), Stopped> {
        let way = if message.is_response() { &self.answers } else { &self.commands };
        let _share = way.room.take(message.bytes()).await.ok_or(Stopped)?;
        let command = Command { module, message, wish, _share };
        // Most often there is room, and waiting for it need not be prepared.
        match way.sender.try_send(command) {
            Ok(()) => Ok(()),
            Err(PushError::Full(command)) => way.sender.send(command).await.map_err(|_| Stopped),
            Err(PushError::Closed(_)) => Err(Stopped),
        }
    }
}

/// One of them.
#[derive(Debug, Clone)]
pub(super) struct Way {
    pub(super) sender: bell::Sender<Command>,
    pub(super) room: Allowance,
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
    Dump(AskedBy),
}
