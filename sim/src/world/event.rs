//! What can happen in the world.

use super::network::{End, LinkId, Network, Way};
use edgehub_core::{LinkEpoch, Message, ModuleId};

#[derive(Debug)]
pub(crate) enum Event {
    /// A node's timer fires; an older number was replaced by a newer timer.
    Tick { node: usize, number: u64 },
    /// It fires for no reason.
    Spurious { node: usize },
    /// The edge learns that the link is open.
    Dialled { link: LinkId },
    /// The edge learns that it is not.
    DialFailed { node: usize, epoch: LinkEpoch },
    /// CloudHub accepts the connection.
    Accepted { link: LinkId },
    /// The next frame has reached the other end.
    Arrives { link: LinkId, way: Way },
    /// The sender's operating system has taken messages.
    Flushed { link: LinkId, way: Way, messages: usize, bytes: usize },
    /// One end learns that the link is cut.
    Severed { link: LinkId, end: End },
    /// A module may send.
    ModuleActs { node: usize, module: usize },
    /// A module is done with a message, and answers it if it is given here.
    ModuleTook { node: usize, module: ModuleId, credit: u32, message: Option<Message> },
    /// A module that left comes back.
    ModuleRejoins { node: usize, module: usize },
    /// CloudHub's timer fires.
    CloudTick { number: u64 },
    /// A cloud module may send.
    CloudActs,
    /// A cloud module answers a request.
    CloudAnswers { node: usize, message: Message },
    /// CloudHub is there again.
    CloudRestarts,
    /// A fault strikes.
    Fault,
}

impl Event {
    /// The machine that has to be awake for it.
    pub(crate) fn node(&self, network: &Network) -> Option<usize> {
        match *self {
            Event::Tick { node, .. }
            | Event::Spurious { node }
            | Event::DialFailed { node, .. }
            | Event::ModuleActs { node, .. }
            | Event::ModuleTook { node, .. }
            | Event::ModuleRejoins { node, .. } => Some(node),
            Event::Dialled { link }
            | Event::Arrives { link, way: Way::Down }
            | Event::Flushed { link, way: Way::Up, .. }
            | Event::Severed { link, end: End::Edge } => Some(network.link(link).node),
            _ => None,
        }
    }
}
