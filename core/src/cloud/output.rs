//! What the machine tells a driver.

use super::input::{ConnectionId, NodeName};
use crate::message::Message;
use crate::time::Instant;
use crate::violation::Violation;
use alloc::boxed::Box;
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// What to do, from [`CloudHub::poll_output`](super::CloudHub::poll_output).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CloudOutput {
    /// Write a message, and report it with [`Flushed`](super::CloudInput::Flushed) when it has left.
    Write {
        /// Where to.
        connection: ConnectionId,
        /// What.
        message: Message,
    },
    /// Close a connection. Nothing is written to it afterwards, and its events are ignored.
    Close {
        /// Which one.
        connection: ConnectionId,
        /// Why.
        reason: CloseReason,
    },
    /// Hand a node's message to the cloud modules.
    Upstream {
        /// The sender.
        node: NodeName,
        /// The message, as received.
        message: Message,
    },
    /// A node has acknowledged a message; it is done with.
    Acknowledged {
        /// The node.
        node: NodeName,
        /// The acknowledged message.
        msg_id: Box<str>,
    },
    /// Something to log or to count. Dropping it changes nothing else.
    Note(CloudNote),
}

/// Why CloudHub closes a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CloseReason {
    /// The same node has opened a newer connection.
    Replaced,
    /// No keepalive within the timeout.
    KeepaliveExpired,
    /// As many nodes as allowed are connected or remembered. KubeEdge leaves such a connection open and unserved.
    NodeLimit,
    /// The peer broke this rule.
    Violation(Violation),
    /// The process ends.
    Shutdown,
}

/// Why a message to a node, accepted from a cloud module, was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CloudDropReason {
    /// Unacknowledged, and the node is not connected.
    NotConnected,
    /// Unacknowledged, and still queued when the session ended.
    Disconnected,
    /// The node's queue, or the table of nodes, is full.
    QueueFull,
    /// A newer version of the same resource was accepted earlier.
    OlderVersion,
    /// Acknowledged delivery needs a message id, and there is none.
    WithoutId,
    /// The process ends.
    Shutdown,
}

impl CloudDropReason {
    /// Every reason, in the order of their numbers.
    pub const ALL: [CloudDropReason; 6] = [
        CloudDropReason::NotConnected,
        CloudDropReason::Disconnected,
        CloudDropReason::QueueFull,
        CloudDropReason::OlderVersion,
        CloudDropReason::WithoutId,
        CloudDropReason::Shutdown,
    ];
}

/// What happened, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CloudNote {
    /// A session began.
    Connected {
        /// Its connection.
        connection: ConnectionId,
        /// Its node.
        node: NodeName,
        /// The node's project.
        project: String,
        /// Acknowledged messages that waited for it.
        queued: usize,
    },
    /// A session ended.
    Disconnected {
        /// Its connection.
        connection: ConnectionId,
        /// Its node.
        node: NodeName,
        /// Acknowledged messages that stay queued.
        kept: usize,
    },
    /// An event of a connection that has no session changed nothing.
    StaleConnection {
        /// The connection.
        connection: ConnectionId,
    },
    /// A keepalive moved its node's deadline.
    KeptAlive {
        /// The node.
        node: NodeName,
    },
    /// No acknowledgement came in time: the message was written again.
    Resent {
        /// The node.
        node: NodeName,
        /// The message.
        msg_id: Box<str>,
        /// Writes so far.
        sends: u32,
    },
    /// No acknowledgement came after the last write: the message went to the back of its queue.
    Requeued {
        /// The node.
        node: NodeName,
        /// The message.
        msg_id: Box<str>,
    },
    /// A message to a node was given up.
    Dropped {
        /// The node.
        node: NodeName,
        /// The message.
        msg_id: Box<str>,
        /// Why.
        reason: CloudDropReason,
    },
    /// An answer of CloudHub's own was given up: the node asks for more than it reads.
    AnswerDropped {
        /// The node.
        node: NodeName,
    },
    /// A node was forgotten, with its resource versions, to make room for another one.
    Forgotten {
        /// The node.
        node: NodeName,
    },
}

/// What a deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CloudTimer {
    /// The node must have sent a keepalive by then.
    Keepalive,
    /// The message in flight must have been acknowledged by then.
    Resend,
}

/// When a [`Tick`](super::CloudInput::Tick) has something to do, and what for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CloudDeadline {
    /// When.
    pub at: Instant,
    /// What for.
    pub timer: CloudTimer,
    /// Whose.
    pub connection: ConnectionId,
}
