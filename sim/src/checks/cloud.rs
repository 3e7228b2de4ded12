//! The rules for a CloudHub.
//!
//! | file | its one job |
//! |---|---|
//! | `queue` | what is owed to a node, in order, and no older version after a newer one |
//! | `flight` | the message in flight: resent in time, not sooner, not too often |
//! | `session` | a connection that serves a node |
//! | `drops` | whether the reason of a drop is true |

mod drops;
mod flight;
mod queue;
mod session;

use super::amount::Amount;
use super::drain::drain;
use super::{Broken, Outcome, broken, secret};
use crate::key;
use edgehub_core::cloud::{
    CloseReason, CloudConfig, CloudHub, CloudInput, CloudNote, CloudOutput, ConnectionId, Delivery, NodeName,
};
use edgehub_core::message::operation;
use edgehub_core::{Instant, Message, Now};
use flight::Flight;
use queue::Queue;
use session::Session;
use std::collections::{BTreeMap, BTreeSet};

/// All rules for one CloudHub: the books balance; one session per node, which ends when its keepalive is missing and not
/// before; nothing is written to a closed connection; one acknowledged message per node is in flight, resent in time, in
/// order, and never an older version after a newer one; queues are bounded; ticks move the deadline on, and do nothing before
/// it.
#[derive(Debug, Clone)]
pub struct CloudChecks {
    config: CloudConfig,
    latest: Instant,
    stopping: bool,
    sessions: BTreeMap<ConnectionId, Session>,
    nodes: BTreeMap<NodeName, Node>,
    /// What sessions had not written that ended in this step.
    lost: Vec<u64>,
}

/// What is known of a node.
#[derive(Debug, Clone, Default)]
struct Node {
    queue: Queue,
    flight: Option<Flight>,
}

impl CloudChecks {
    /// The rules for a CloudHub with this configuration that began at this time.
    pub fn new(config: &CloudConfig, began: Now) -> CloudChecks {
        CloudChecks {
            config: config.clone(),
            latest: began.mono,
            stopping: false,
            sessions: BTreeMap::new(),
            nodes: BTreeMap::new(),
            lost: Vec::new(),
        }
    }

    /// Hands an input to the CloudHub and checks what comes of it. Returns the outputs.
    pub fn handle(
        &mut self,
        cloud: &mut CloudHub,
        now: Now,
        input: CloudInput,
    ) -> Result<Vec<CloudOutput>, Broken> {
        self.handled(cloud, now, input).map_err(|broken| broken.by("cloud"))
    }

    fn handled(
        &mut self,
        cloud: &mut CloudHub,
        now: Now,
        input: CloudInput,
    ) -> Result<Vec<CloudOutput>, Broken> {
        self.latest = self.latest.max(now.mono);
        let (before, deadline_before) = (cloud.account().down.pending, cloud.next_deadline());
        cloud.handle(now, input.clone());
        let outputs = drain(before, || cloud.poll_output())?;
        if input == CloudInput::Tick
            && deadline_before.is_none_or(|deadline| deadline.at > self.latest)
            && (!outputs.is_empty() || cloud.next_deadline() != deadline_before)
        {
            return broken("early-tick", format!("a tick before {deadline_before:?} leads to {outputs:?}"));
        }
        self.input(&input);
        outputs.iter().try_for_each(|output| self.observe(output, &input))?;
        self.answers(&input, &outputs)?;
        self.sent(&input, &outputs);
        if let Some(lost) = self.lost.pop() {
            return broken("gone-untold", format!("{lost:x} ended with its session, without a word"));
        }
        let account = cloud.account();
        if !account.balanced() {
            return broken("balance", format!("the books do not balance: {account:?}"));
        }
        if let Some(deadline) = cloud.next_deadline()
            && input == CloudInput::Tick
            && deadline.at <= self.latest
        {
            return broken(
                "progress",
                format!("after a tick at {:?} the next deadline is {deadline:?}", self.latest),
            );
        }
        if let Some((connection, node)) = self.doubled() {
            return broken("two-sessions", format!("{connection:?} is a second session of {node}"));
        }
        self.in_time(input == CloudInput::Tick, cloud.next_deadline().map(|deadline| deadline.at))?;
        Ok(outputs)
    }

    /// The connections that have a session.
    pub(crate) fn connections(&self) -> Vec<ConnectionId> {
        self.sessions.keys().copied().collect()
    }

    /// Whether a connection is the session of this node.
    pub(crate) fn serves(&self, connection: ConnectionId, node: &NodeName) -> bool {
        self.sessions.get(&connection).is_some_and(|session| session.node == *node)
    }

    /// Messages of a node that CloudHub still has to deliver.
    pub(crate) fn waiting(&self, node: &NodeName) -> usize {
        self.nodes.get(node).map_or(0, |node| node.queue.len())
    }

    fn node(&mut self, name: &NodeName) -> &mut Node {
        self.nodes.entry(name.clone()).or_default()
    }

    /// The session of a node.
    fn session_of(&mut self, name: &NodeName) -> Option<&mut Session> {
        self.sessions.values_mut().find(|session| session.node == *name)
    }

    fn input(&mut self, input: &CloudInput) {
        match input {
            CloudInput::Closed { connection } => self.end(*connection),
            CloudInput::Flushed { connection, messages } => {
                if let Some(session) = self.sessions.get_mut(connection) {
                    session.flushed(*messages);
                }
            }
            CloudInput::Received { connection, message } if message.operation() == operation::KEEPALIVE => {
                let until = self.latest + self.config.keepalive_timeout;
                if let Some(session) = self.sessions.get_mut(connection) {
                    session.keepalive_until = until;
                }
            }
            CloudInput::Shutdown => self.stopping = true,
            CloudInput::Send { node, message, delivery: Delivery::Acknowledged } => {
                self.node(node).queue.push(message);
            }
            CloudInput::Send { node, message, delivery: Delivery::Unacknowledged } => {
                let sent = (key::of(message.msg_id()), message.clone().into_link_form().bytes());
                if let Some(session) = self.session_of(node) {
                    session.once.push_back(sent);
                }
            }
            _ => {}
        }
    }

    fn observe(&mut self, output: &CloudOutput, input: &CloudInput) -> Outcome {
        match output {
            CloudOutput::Note(note)
                if !matches!(note, CloudNote::KeptAlive { .. }) && secret::shows(note) =>
            {
                return broken("secret", format!("a note shows a content: {note:?}"));
            }
            CloudOutput::Note(CloudNote::Connected { connection, node, .. }) => {
                let until = self.latest + self.config.keepalive_timeout;
                self.node(node);
                self.sessions.insert(*connection, Session::new(node.clone(), until));
            }
            CloudOutput::Close { connection, reason } => return self.closed(*connection, *reason),
            CloudOutput::Write { connection, message } => return self.written(*connection, message),
            CloudOutput::Acknowledged { node, msg_id } => {
                let id = key::of(msg_id);
                if !self.node(node).queue.take(id) {
                    return broken(
                        "acknowledged-unsent",
                        format!("{node} acknowledged {msg_id}, which nobody sent"),
                    );
                }
                self.landed(node, id);
            }
            CloudOutput::Note(CloudNote::Dropped { node, msg_id, reason }) => {
                return self.dropped(node, msg_id, *reason, input);
            }
            CloudOutput::Note(CloudNote::Requeued { node, msg_id }) => {
                let (id, latest, config) = (key::of(msg_id), self.latest, self.config.clone());
                let node = self.node(node);
                if !node.flight.take().is_some_and(|flight| flight.is_over(id, latest, &config)) {
                    return broken("requeued-early", format!("{msg_id} goes back, and its time is not over"));
                }
                node.queue.rotate();
            }
            CloudOutput::Note(CloudNote::Forgotten { node }) => drop(self.nodes.remove(node)),
            _ => {}
        }
        Ok(())
    }

    fn closed(&mut self, connection: ConnectionId, reason: CloseReason) -> Outcome {
        let session = self.sessions.get(&connection);
        if session.is_none() && !matches!(reason, CloseReason::NodeLimit | CloseReason::Shutdown) {
            return broken(
                "close-without-session",
                format!("{connection:?} closed ({reason:?}) without a session"),
            );
        }
        if reason == CloseReason::KeepaliveExpired
            && session.is_some_and(|session| session.keepalive_until > self.latest)
        {
            return broken("expired-early", format!("{connection:?} ends at {:?}: {session:?}", self.latest));
        }
        self.end(connection);
        Ok(())
    }

    fn written(&mut self, connection: ConnectionId, message: &Message) -> Outcome {
        let (latest, config) = (self.latest, self.config.clone());
        let Some(session) = self.sessions.get_mut(&connection) else {
            return broken(
                "write-without-session",
                format!("{connection:?} has no session and is written to"),
            );
        };
        if !session.has_room(message.bytes()) {
            return broken(
                "window",
                format!("{} is written beside {:?}", message.msg_id(), session.unflushed),
            );
        }
        session.unflushed.push_back(message.bytes());
        let id = key::of(message.msg_id());
        let name = session.node.clone();
        if let Some(place) = session.once.iter().position(|(once, _)| *once == id) {
            session.once.remove(place);
            return match place {
                0 => Ok(()),
                _ => broken("order", format!("{} leaves before {place} older ones", message.msg_id())),
            };
        }
        let Node { queue, flight } = self.nodes.entry(name).or_default();
        if queue.has(id) {
            Flight::written(flight, id, latest, &config)?;
            return queue.written(id);
        }
        // It answers a question of the node's, which may have come without an id.
        match message.parent_msg_id().is_empty() && message.operation() != operation::RESPONSE {
            true => broken("written-unsent", format!("{} is written, and nobody sent it", message.msg_id())),
            false => Ok(()),
        }
    }

    /// A message that was not refused makes older versions of its object old.
    fn sent(&mut self, input: &CloudInput, outputs: &[CloudOutput]) {
        let dropped = |output: &CloudOutput| matches!(output, CloudOutput::Note(CloudNote::Dropped { .. }));
        if let CloudInput::Send { node, delivery: Delivery::Acknowledged, .. } = input
            && !outputs.iter().any(dropped)
        {
            self.node(node).queue.accepts_newest();
        }
    }

    /// An answer to a message that waits is taken for its acknowledgement.
    fn answers(&self, input: &CloudInput, outputs: &[CloudOutput]) -> Outcome {
        let CloudInput::Received { connection, message } = input else { return Ok(()) };
        let Some(session) = self.sessions.get(connection) else { return Ok(()) };
        let id = key::of(message.parent_msg_id());
        let waits = self.nodes.get(&session.node).is_some_and(|node| node.queue.has(id));
        let taken = outputs.iter().any(|output| matches!(output, CloudOutput::Acknowledged { .. }));
        if message.operation() == operation::RESPONSE && waits && !taken {
            let what =
                format!("{} answers {}, which goes on waiting", message.msg_id(), message.parent_msg_id());
            return broken("acknowledgement-lost", what);
        }
        Ok(())
    }

    /// What is due is done, and asked for.
    fn in_time(&mut self, ticked: bool, deadline: Option<Instant>) -> Outcome {
        let CloudChecks { latest, config, sessions, nodes, .. } = self;
        for (connection, session) in sessions {
            if ticked && session.keepalive_until <= *latest {
                return broken(
                    "keepalive-overdue",
                    format!("{connection:?} goes on at {latest:?}: {session:?}"),
                );
            }
            let mut until = session.keepalive_until;
            if let Some(node) = nodes.get_mut(&session.node) {
                // Answers of CloudHub's own go first, and nobody knows how long they are.
                let room = session.unflushed.is_empty();
                if let Some(flight) = &mut node.flight {
                    if ticked {
                        flight.ticked(*latest, config, room)?;
                    }
                    until = flight.until().map_or(until, |at| at.min(until));
                }
                let idle = node.flight.as_ref().is_none_or(Flight::is_due);
                if idle && node.queue.len() > 0 && room {
                    return broken(
                        "hidden",
                        format!("{} could be written something: {node:?}", session.node),
                    );
                }
            }
            if deadline.is_none_or(|deadline| deadline > until) {
                return broken("untimed", format!("{connection:?} is due at {until:?}, not at {deadline:?}"));
            }
        }
        let room = Amount { messages: config.node_queue_messages_max, bytes: config.node_queue_bytes_max };
        match nodes.iter().find(|(_, node)| !node.queue.is_within(room)) {
            Some((name, node)) => {
                broken("queue-full", format!("{name} is owed more than {room:?}: {node:?}"))
            }
            None => Ok(()),
        }
    }

    fn landed(&mut self, name: &NodeName, id: u64) {
        let node = self.node(name);
        if node.flight.as_ref().is_some_and(|flight| flight.is_of(id)) {
            node.flight = None;
        }
    }

    fn end(&mut self, connection: ConnectionId) {
        if let Some(session) = self.sessions.remove(&connection) {
            self.lost.extend(session.once.iter().map(|(id, _)| *id));
            self.node(&session.node).flight = None;
        }
    }

    fn doubled(&self) -> Option<(ConnectionId, &NodeName)> {
        let mut nodes = BTreeSet::new();
        self.sessions
            .iter()
            .find(|(_, session)| !nodes.insert(&session.node))
            .map(|(connection, session)| (*connection, &session.node))
    }
}
