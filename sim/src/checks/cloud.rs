//! The rules for a CloudHub.

use super::drain::drain;
use super::{Broken, Outcome, broken, secret};
use crate::key;
use edgehub_core::Now;
use edgehub_core::cloud::{
    CloseReason, CloudHub, CloudInput, CloudNote, CloudOutput, ConnectionId, Delivery, NodeName,
};
use std::collections::{BTreeMap, BTreeSet};

/// All rules for one CloudHub: the books balance, one session per node, nothing is written to a closed connection, one
/// acknowledged message per node is in flight, and ticks move the deadline on.
#[derive(Debug, Default, Clone)]
pub struct CloudChecks {
    sessions: BTreeMap<ConnectionId, NodeName>,
    acknowledged: BTreeSet<(NodeName, u64)>,
    in_flight: BTreeMap<NodeName, u64>,
    /// Sent to be acknowledged, and neither acknowledged nor dropped.
    waiting: BTreeMap<NodeName, BTreeSet<u64>>,
}

impl CloudChecks {
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
        self.before(&input);
        let tick = input == CloudInput::Tick;
        let before = cloud.account().down.pending;
        cloud.handle(now, input);
        let outputs = drain(before, || cloud.poll_output())?;
        outputs.iter().try_for_each(|output| self.observe(output))?;
        let account = cloud.account();
        if !account.balanced() {
            return broken("balance", format!("the books do not balance: {account:?}"));
        }
        if let Some(deadline) = cloud.next_deadline()
            && tick
            && deadline.at <= now.mono
        {
            return broken(
                "progress",
                format!("after a tick at {:?} the next deadline is {deadline:?}", now.mono),
            );
        }
        if let Some((connection, node)) = self.doubled() {
            return broken("two-sessions", format!("{connection:?} is a second session of {node}"));
        }
        Ok(outputs)
    }

    /// The connections that have a session.
    pub(crate) fn connections(&self) -> Vec<ConnectionId> {
        self.sessions.keys().copied().collect()
    }

    /// Whether a connection is the session of this node.
    pub(crate) fn serves(&self, connection: ConnectionId, node: &NodeName) -> bool {
        self.sessions.get(&connection) == Some(node)
    }

    /// Messages of a node that CloudHub still has to deliver.
    pub(crate) fn waiting(&self, node: &NodeName) -> usize {
        self.waiting.get(node).map_or(0, BTreeSet::len)
    }

    fn settled(&mut self, node: &NodeName, msg_id: &str) {
        if let Some(waiting) = self.waiting.get_mut(node) {
            waiting.remove(&key::of(msg_id));
        }
    }

    fn before(&mut self, input: &CloudInput) {
        match input {
            CloudInput::Closed { connection } => self.end(*connection),
            CloudInput::Send { node, message, delivery: Delivery::Acknowledged } => {
                self.waiting.entry(node.clone()).or_default().insert(key::of(message.msg_id()));
                self.acknowledged.insert((node.clone(), key::of(message.msg_id())));
            }
            _ => {}
        }
    }

    fn observe(&mut self, output: &CloudOutput) -> Outcome {
        match output {
            CloudOutput::Note(note)
                if !matches!(note, CloudNote::KeptAlive { .. }) && secret::shows(note) =>
            {
                return broken("secret", format!("a note shows a content: {note:?}"));
            }
            CloudOutput::Note(CloudNote::Connected { connection, node, .. }) => {
                self.sessions.insert(*connection, node.clone());
            }
            CloudOutput::Close { connection, reason } => {
                let known = self.sessions.contains_key(connection);
                if !known && !matches!(reason, CloseReason::NodeLimit | CloseReason::Shutdown) {
                    return broken(
                        "close-without-session",
                        format!("{connection:?} closed ({reason:?}) without a session"),
                    );
                }
                self.end(*connection);
            }
            CloudOutput::Write { connection, message } => {
                let Some(node) = self.sessions.get(connection) else {
                    return broken(
                        "write-without-session",
                        format!("{connection:?} has no session and is written to"),
                    );
                };
                let id = key::of(message.msg_id());
                if self.acknowledged.contains(&(node.clone(), id)) {
                    let other = self.in_flight.insert(node.clone(), id);
                    if other.as_ref().is_some_and(|other| *other != id) {
                        return broken(
                            "two-in-flight",
                            format!("{node} has two messages in flight, {other:x?} and {id:x}"),
                        );
                    }
                }
            }
            CloudOutput::Acknowledged { node, msg_id } => {
                if !self.acknowledged.contains(&(node.clone(), key::of(msg_id))) {
                    return broken(
                        "acknowledged-unsent",
                        format!("{node} acknowledged {msg_id}, which nobody sent"),
                    );
                }
                self.landed(node, msg_id);
                self.settled(node, msg_id);
            }
            CloudOutput::Note(CloudNote::Dropped { node, msg_id, .. }) => self.settled(node, msg_id),
            CloudOutput::Note(CloudNote::Requeued { node, msg_id }) => self.landed(node, msg_id),
            _ => {}
        }
        Ok(())
    }

    fn landed(&mut self, node: &NodeName, msg_id: &str) {
        if self.in_flight.get(node).is_some_and(|id| *id == key::of(msg_id)) {
            self.in_flight.remove(node);
        }
    }

    fn end(&mut self, connection: ConnectionId) {
        if let Some(node) = self.sessions.remove(&connection) {
            self.in_flight.remove(&node);
        }
    }

    fn doubled(&self) -> Option<(ConnectionId, &NodeName)> {
        let mut nodes = BTreeSet::new();
        self.sessions
            .iter()
            .find(|(_, node)| !nodes.insert(*node))
            .map(|(connection, node)| (*connection, node))
    }
}
