//! What becomes of a message to a node.
//!
//! A session writes in this order, as its write window allows: answers of CloudHub's own, the acknowledged message
//! that is due (at most one is in flight), unacknowledged messages. Behaviour: KubeEdge `cloudhub/dispatcher`,
//! `DispatchDownstream`, and `cloudhub/session`, which also has a queue for each kind.

use super::delivery::{AcknowledgedDelivery, Expired};
use super::input::Delivery;
use super::output::{CloudDropReason, CloudNote, CloudOutput};
use super::queue::Room;
use super::sessions::Session;
use super::{CloudHub, ConnectionId, NodeName};
use crate::canary::CloudCanary;
use crate::message::Message;

impl CloudHub {
    pub(super) fn send(&mut self, node: NodeName, message: Message, delivery: Delivery) {
        self.account.down.accepted += 1;
        let message = message.into_link_form();
        let queued = match delivery {
            _ if self.stopping => Err(CloudDropReason::Shutdown),
            Delivery::Acknowledged => self.queue_acknowledged(&node, &message),
            Delivery::Unacknowledged => self.queue_unacknowledged(&node, &message),
        };
        match queued {
            Ok(Some(connection)) => self.serve(connection),
            Ok(None) => {}
            Err(reason) => self.drop_message(&node, &message, reason),
        }
    }

    /// Returns the connection that the message can be written to, if the node has one now.
    fn queue_acknowledged(
        &mut self,
        name: &NodeName,
        message: &Message,
    ) -> Result<Option<ConnectionId>, CloudDropReason> {
        if message.msg_id().is_empty() {
            return Err(CloudDropReason::WithoutId);
        }
        if !self.remember(name) {
            return Err(CloudDropReason::QueueFull);
        }
        let (room, planted) = (self.node_room(), self.planted);
        let queued = self.nodes.update(name, |node| {
            if node.delivery.makes_old(message) && !planted.is(CloudCanary::OlderVersionSent) {
                return Err(CloudDropReason::OlderVersion);
            }
            if !node.delivery.admits(message, room) && !planted.is(CloudCanary::QueueUnbounded) {
                return Err(CloudDropReason::QueueFull);
            }
            match planted.is(CloudCanary::TwoInFlight) {
                false => node.delivery.push(message.clone()),
                true => node.delivery.push_first(message.clone()),
            }
            Ok(node.connection)
        });
        queued.unwrap_or(Err(CloudDropReason::QueueFull))
    }

    fn queue_unacknowledged(
        &mut self,
        name: &NodeName,
        message: &Message,
    ) -> Result<Option<ConnectionId>, CloudDropReason> {
        let room = self.node_room();
        let connection = self.nodes.find(name).and_then(|node| node.connection);
        let session = connection.and_then(|connection| self.sessions.get_mut(&connection));
        let Some(session) = session else { return Err(CloudDropReason::NotConnected) };
        if !session.unacknowledged.admits(message, room) {
            return Err(CloudDropReason::QueueFull);
        }
        session.unacknowledged.push(message.clone());
        Ok(connection)
    }

    fn node_room(&self) -> Room {
        Room { messages: self.config.node_queue_messages_max, bytes: self.config.node_queue_bytes_max }
    }

    pub(super) fn drop_message(&mut self, node: &NodeName, message: &Message, reason: CloudDropReason) {
        self.account.down.drop_one(reason);
        self.note(CloudNote::Dropped { node: node.clone(), msg_id: message.msg_id().into(), reason });
    }

    pub(super) fn flushed(&mut self, connection: ConnectionId, messages: usize) {
        let Some(session) = self.sessions.get_mut(&connection) else {
            return self.note(CloudNote::StaleConnection { connection });
        };
        session.window.flushed(messages);
        self.serve(connection);
    }

    /// Ends the wait for an acknowledgement, if it is over.
    pub(super) fn expire(&mut self, connection: ConnectionId) {
        if self.planted.is(CloudCanary::ResendMissing) {
            return;
        }
        let now = self.mono();
        let Some(session) = self.sessions.get(&connection) else { return };
        let Some(node) = self.nodes.find_mut(&session.node) else { return };
        let msg_id = node.delivery.front().map(|message| message.msg_id().into());
        match node.delivery.expire(now, &self.config, self.planted) {
            Some(Expired::Requeued) => {
                let (node, msg_id) = (session.node.clone(), msg_id.unwrap_or_default());
                self.account.requeues += 1;
                self.note(CloudNote::Requeued { node, msg_id });
            }
            Some(Expired::Outdated(Some(message))) => {
                let node = session.node.clone();
                self.drop_message(&node, &message, CloudDropReason::OlderVersion);
            }
            Some(Expired::Outdated(None) | Expired::Resend) | None => {}
        }
    }

    /// Writes as much as the window allows.
    pub(super) fn write(&mut self, connection: ConnectionId) {
        let now = self.mono();
        let Some(session) = self.sessions.get_mut(&connection) else { return };
        let Some(node) = self.nodes.find_mut(&session.node) else { return };
        while let Some((kind, message)) = next_write(session, &node.delivery) {
            if !session.window.admits(message.bytes()) {
                break;
            }
            let message = message.clone();
            session.window.written(message.bytes());
            match kind {
                Kind::Answer => drop(session.answers.pop_front()),
                Kind::Unacknowledged => {
                    session.unacknowledged.pop();
                    self.account.down.settled += 1;
                }
                Kind::Acknowledged => {
                    let sends = node.delivery.written(now, &self.config);
                    if sends > 1 {
                        self.account.resends += 1;
                        let (node, msg_id) = (session.node.clone(), message.msg_id().into());
                        self.outputs.push_back(CloudOutput::Note(CloudNote::Resent { node, msg_id, sends }));
                    }
                }
            }
            self.outputs.push_back(CloudOutput::Write { connection, message });
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Answer,
    Acknowledged,
    Unacknowledged,
}

fn next_write<'a>(session: &'a Session, delivery: &'a AcknowledgedDelivery) -> Option<(Kind, &'a Message)> {
    let answer = session.answers.front().map(|message| (Kind::Answer, message));
    let acknowledged = || delivery.next_write().map(|message| (Kind::Acknowledged, message));
    let unacknowledged = || session.unacknowledged.front().map(|message| (Kind::Unacknowledged, message));
    answer.or_else(acknowledged).or_else(unacknowledged)
}
