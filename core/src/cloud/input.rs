//! What a driver tells the machine.

use crate::message::Message;
use crate::violation::Violation;
use alloc::string::String;
use bytestring::ByteString;
use core::fmt;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One accepted connection. The driver numbers them, each higher than all before it, and never uses one twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConnectionId(pub u64);

/// The name of a node, as its certificate and its URL give it. Cloning shares the text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(ByteString);

impl NodeName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for NodeName {
    fn from(name: &str) -> NodeName {
        NodeName(name.into())
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for NodeName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for NodeName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<NodeName, D::Error> {
        String::deserialize(deserializer).map(|name| NodeName(name.into()))
    }
}

/// How a message to a node is delivered (KubeEdge's ACK and NO-ACK modes, `cloudhub/dispatcher`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delivery {
    /// Written again and again, across sessions, until the node answers it.
    Acknowledged,
    /// Written once, to the session of the moment.
    Unacknowledged,
}

/// What happened, for [`CloudHub::handle`](super::CloudHub::handle).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CloudInput {
    /// Time has passed. Only this input makes deadlines due: while events wait to be handed in, they count first, so
    /// that a process that was suspended does not disconnect nodes whose keepalives it has not read yet.
    Tick,
    /// A node's connection is open, its certificate checked.
    Connected {
        /// The new connection.
        connection: ConnectionId,
        /// The node that its certificate names.
        node: NodeName,
        /// The project of its URL.
        project: String,
    },
    /// A message was read. To slow a node down, the driver reads its socket later: the machine never asks for that,
    /// because what it keeps of received messages (answers that wait to be written) is bounded by itself.
    Received {
        /// Where it was read.
        connection: ConnectionId,
        /// The message.
        message: Message,
    },
    /// A frame was read that is no message.
    Malformed {
        /// Where it was read.
        connection: ConnectionId,
        /// What is wrong with it.
        violation: Violation,
    },
    /// Written messages have left the driver's buffers.
    Flushed {
        /// Where.
        connection: ConnectionId,
        /// How many, since the last such input.
        messages: usize,
    },
    /// The connection is gone. Not needed after a [`Close`](super::CloudOutput::Close).
    Closed {
        /// Which one.
        connection: ConnectionId,
    },
    /// A cloud module sends a message to a node.
    Send {
        /// The receiver.
        node: NodeName,
        /// The message.
        message: Message,
        /// Whether it must be acknowledged.
        delivery: Delivery,
    },
    /// The process ends: close every connection, accept no more.
    Shutdown,
}
