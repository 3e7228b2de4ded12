//! What can happen in the world.

use super::network::{End, LinkId, Network, Way};
use edgehub_core::{LinkEpoch, Message, ModuleId};

#[derive(Debug)]
pub(crate) enum Event {
    /// A node's timer fires. One that is not sure finds out first whether its time has come.
    Tick { node: usize, sure: bool },
    /// The driver gets round to what the hub has said.
    Drains { node: usize },
    /// The node's disk is done with a command, or is tried again.
    Disk { node: usize, incarnation: u64, letters: bool },
    /// The edge learns that the link is open, or is not.
    Dialled { link: LinkId },
    /// The edge learns that it is not.
    DialFailed { node: usize, incarnation: u64, epoch: LinkEpoch, closed: bool },
    /// The cloud accepts the connection.
    Accepted { link: LinkId },
    /// The next frame has reached the other end.
    Arrives { link: LinkId, way: Way },
    /// The sender's operating system has taken messages.
    Flushed { link: LinkId, way: Way, messages: usize, bytes: usize },
    /// One end learns that the link is cut.
    Severed { link: LinkId, end: End },
    /// A module is done with a message, and answers it if it is given here.
    ModuleTook { node: usize, module: ModuleId, credit: u32, message: Option<Box<Message>> },
    /// A module that left comes back.
    ModuleRejoins { node: usize, module: usize },
    /// A node's process starts again.
    EdgeStarts { node: usize },
    /// Nothing crosses a link until then, again and again.
    Flaps { node: usize, times: u64, silent_us: u64, heard_us: u64 },
    /// A link that has been quiet for too long is forgotten on the way.
    NatLooks { link: LinkId },
    /// A CloudHub's timer fires.
    CloudTick { cloud: usize },
    /// A cloud module answers a request.
    CloudAnswers { cloud: usize, node: usize, message: Box<Message> },
    /// A CloudHub is there again.
    CloudStarts { cloud: usize },
    /// The state of a CloudHub is copied to its replica.
    Snapshot { cloud: usize },
}

impl Event {
    /// The machine that has to be awake for it.
    pub(super) fn node(&self, network: &Network) -> Option<usize> {
        match *self {
            Event::Tick { node, .. }
            | Event::Drains { node }
            | Event::Disk { node, .. }
            | Event::DialFailed { node, .. }
            | Event::ModuleTook { node, .. }
            | Event::EdgeStarts { node }
            | Event::ModuleRejoins { node, .. } => Some(node),
            Event::Dialled { link }
            | Event::Arrives { link, way: Way::Down }
            | Event::Flushed { link, way: Way::Up, .. }
            | Event::Severed { link, end: End::Edge } => Some(network.link(link).node),
            _ => None,
        }
    }
}
