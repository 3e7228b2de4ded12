//! The CloudHub side: a session per node, acknowledged delivery, keepalive.
//!
//! [`CloudHub`] is to the cloud what the hub is to the edge: it decides and touches nothing. A driver accepts
//! connections, checks certificates, reads and writes frames; the machine says which connection is a node's session,
//! what is written to it and when it ends.
//!
//! | file | its one idea |
//! |---|---|
//! | `input`, `output` | what a driver tells the machine, and the other way round |
//! | `config` | what can be set |
//! | `sessions` | how a session begins and ends, and when it is due |
//! | `upstream` | what becomes of a received message |
//! | `downstream` | what becomes of a message to a node |
//! | `delivery` | acknowledged delivery: one in flight, resent, requeued |
//! | `versions` | no older version of an object after a newer one |
//! | `nodes` | the table of nodes, bounded |
//! | `queue`, `window` | a bounded queue; what is written and not flushed |
//! | `certificates` | what a certificate service answers |
//! | `account` | the books |
//!
//! Invariants: at most one acknowledged message per node is in flight; nothing is written to a connection after its
//! `Close` or `Closed`; a message from a cloud module is settled, pending or dropped with a reason. Not here: reading
//! slower (the driver simply hands in less), certificates, choosing the cloud module of an upstream message.
//!
//! Behaviour: KubeEdge `cloud/pkg/cloudhub` (`session`, `dispatcher`), and the recorded conversations.

mod account;
mod certificates;
mod config;
mod delivery;
mod downstream;
mod input;
mod nodes;
mod output;
mod queue;
mod sessions;
mod upstream;
mod versions;
mod window;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

pub use account::{CloudAccount, DownstreamLedger, UpstreamLedger};
pub use certificates::{CertificateDecision, CertificateQuestion, SigningRequest, TokenWorth, decide};
pub use config::{CloudConfig, INTERVAL_FLOOR, NODE_QUEUE_BYTES_MAX, NODE_RESOURCES_MAX};
pub use input::{CloudInput, ConnectionId, Delivery, NodeName};
pub use output::{CloseReason, CloudDeadline, CloudDropReason, CloudNote, CloudOutput, CloudTimer};

use crate::canary::{CloudCanary, Planted};
use crate::rng::Rng;
use crate::time::{Instant, Now};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use nodes::Nodes;
use sessions::Session;

/// CloudHub as a state machine.
///
/// ```
/// use edgehub_core::Now;
/// use edgehub_core::cloud::{CloudConfig, CloudHub, CloudInput, CloudTimer, ConnectionId};
/// let mut cloud = CloudHub::new(CloudConfig::default(), 7, Now::default());
/// let (connection, node) = (ConnectionId(1), "edge-1".into());
/// cloud.handle(Now::default(), CloudInput::Connected { connection, node, project: "p".into() });
/// while let Some(_output) = cloud.poll_output() { /* do what it says */ }
/// assert_eq!(cloud.next_deadline().map(|deadline| deadline.timer), Some(CloudTimer::Keepalive));
/// ```
#[derive(Debug, Clone)]
pub struct CloudHub {
    config: CloudConfig,
    rng: Rng,
    /// The latest instant seen: the clock never goes back.
    now: Now,
    stopping: bool,
    newest_connection: Option<ConnectionId>,
    sessions: BTreeMap<ConnectionId, Session>,
    nodes: Nodes,
    /// The earliest deadline of every session.
    deadlines: BTreeSet<CloudDeadline>,
    account: CloudAccount,
    outputs: VecDeque<CloudOutput>,
    planted: Planted<CloudCanary>,
}

impl CloudHub {
    /// A CloudHub without nodes. The seed determines the ids of the messages that it makes itself.
    pub fn new(config: CloudConfig, seed: u64, now: Now) -> CloudHub {
        CloudHub {
            config: config.bounded(),
            rng: Rng::new(seed),
            now,
            stopping: false,
            newest_connection: None,
            sessions: BTreeMap::new(),
            nodes: Nodes::default(),
            deadlines: BTreeSet::new(),
            account: CloudAccount::default(),
            outputs: VecDeque::new(),
            planted: Planted::default(),
        }
    }

    /// Takes in what happened. Total: no input makes it fail, and the work is bounded, at most one write window per
    /// session and one queue per session that ends. A `now` before the last one counts as the last one.
    pub fn handle(&mut self, now: Now, input: CloudInput) {
        self.now = Now { mono: now.mono.max(self.now.mono), wall: now.wall };
        match input {
            CloudInput::Tick => self.tick(),
            CloudInput::Connected { connection, node, project } => self.connected(connection, node, project),
            CloudInput::Received { connection, message } => self.received(connection, message),
            CloudInput::Malformed { connection, violation } => self.malformed(connection, violation),
            CloudInput::Flushed { connection, messages } => self.flushed(connection, messages),
            CloudInput::Closed { connection } => self.closed(connection),
            CloudInput::Send { node, message, delivery } => self.send(node, message, delivery),
            CloudInput::Shutdown => self.shutdown(),
        }
    }

    /// The next thing to do, oldest first. Everything that is ready is here when [`handle`](Self::handle) returns.
    pub fn poll_output(&mut self) -> Option<CloudOutput> {
        self.outputs.pop_front()
    }

    /// When a [`Tick`](CloudInput::Tick) is due next, and what for.
    pub fn next_deadline(&self) -> Option<CloudDeadline> {
        self.deadlines.first().copied()
    }

    /// The books, at this moment. What is pending is counted where it waits, which takes time with many nodes.
    pub fn account(&self) -> CloudAccount {
        let unacknowledged: usize = self.waiting_unacknowledged().map(|(_, messages, _)| messages).sum();
        let mut account = self.account;
        account.down.pending = (self.nodes.queued() + unacknowledged) as u64;
        account
    }

    /// Unacknowledged messages that wait for each connected node, and their bytes: what a driver may wait for before it hands in
    /// more for that one.
    pub fn waiting_unacknowledged(&self) -> impl Iterator<Item = (&NodeName, usize, usize)> {
        self.sessions.values().map(Session::waiting)
    }

    /// Gives the CloudHub a bug; only ever called with the feature `canaries`.
    #[cfg(feature = "canaries")]
    pub(crate) fn plant(&mut self, planted: Planted<CloudCanary>) {
        self.planted = planted;
    }

    fn mono(&self) -> Instant {
        self.now.mono
    }

    fn emit(&mut self, output: CloudOutput) {
        self.outputs.push_back(output);
    }

    fn note(&mut self, note: CloudNote) {
        self.emit(CloudOutput::Note(note));
    }
}
