//! What becomes of a message from a node.
//!
//! | message | becomes |
//! |---|---|
//! | operation `ping`, `pong`, `config` | answered with content `"ack"` (viaduct's mux) |
//! | operation `keepalive` | the node's new deadline; nothing else moves it |
//! | operation `response`, parent is a message that waits for its acknowledgement | the end of that delivery |
//! | operation `query`, resource `k8s/ca.crt` | answered with the CA certificate |
//! | anything else, operation `error` included | handed to the cloud modules |
//!
//! Behaviour: KubeEdge `cloudhub/dispatcher`, `DispatchUpstream`. KubeEdge discards responses that acknowledge
//! nothing; here a cloud module may have asked, so it gets them.

use super::output::{CloudNote, CloudOutput};
use super::{CloudHub, ConnectionId, NodeName};
use crate::canary::CloudCanary;
use crate::limits::CONTROL_QUEUE_MAX;
use crate::message::{Content, Draft, Message, operation};

const CA_RESOURCE: &str = "k8s/ca.crt";
const CA_SOURCE: &str = "cloudhub";
const CA_GROUP: &str = "resource";
const LINK_CONTROL_ANSWER: &str = "ack";

impl CloudHub {
    pub(super) fn received(&mut self, connection: ConnectionId, message: Message) {
        self.account.up.received += 1;
        let Some(session) = self.sessions.get(&connection) else {
            self.account.up.stale += 1;
            return self.note(CloudNote::StaleConnection { connection });
        };
        let node = session.node.clone();
        if message.is_link_control() {
            self.answer_link_control(connection, &message);
        } else if message.operation() == operation::KEEPALIVE {
            self.keepalive(connection, node);
        } else if self.acknowledges(&node, &message) {
            self.account.up.acknowledgements += 1;
        } else if message.operation() == operation::QUERY && message.resource() == CA_RESOURCE {
            self.answer_ca_query(connection, &message);
        } else {
            self.account.up.dispatched += 1;
            self.emit(CloudOutput::Upstream { node, message });
        }
        self.serve(connection);
    }

    fn keepalive(&mut self, connection: ConnectionId, node: NodeName) {
        self.account.up.keepalives += 1;
        let until = self.keepalive_until();
        if let Some(session) = self.sessions.get_mut(&connection) {
            session.keepalive_until = until;
        }
        self.note(CloudNote::KeptAlive { node });
    }

    /// Any `response` with the right parent counts, whatever its source, group or content.
    fn acknowledges(&mut self, name: &NodeName, message: &Message) -> bool {
        if message.operation() != operation::RESPONSE {
            return false;
        }
        let Some(node) = self.nodes.find_mut(name) else { return false };
        if self.planted.is(CloudCanary::AcknowledgementForgotten)
            && node.delivery.is_behind(message.parent_msg_id())
        {
            return false;
        }
        let Some(settled) = node.delivery.acknowledge(message.parent_msg_id()) else { return false };
        self.account.down.settled += 1;
        self.emit(CloudOutput::Acknowledged { node: name.clone(), msg_id: settled.msg_id().into() });
        true
    }

    fn answer_link_control(&mut self, connection: ConnectionId, request: &Message) {
        self.account.up.link_control += 1;
        let msg_id = self.rng.uuid();
        let draft = Draft::response_to(request, msg_id.as_str(), self.now.wall);
        let answer = Draft { content: Content::Text(LINK_CONTROL_ANSWER), ..draft }.encode().ok();
        self.answer(connection, answer);
    }

    fn answer_ca_query(&mut self, connection: ConnectionId, request: &Message) {
        self.account.up.ca_queries += 1;
        let msg_id = self.rng.uuid();
        let draft = Draft::response_to(request, msg_id.as_str(), self.now.wall);
        let content = Content::Text(&self.config.ca_content);
        let answer = Draft { source: CA_SOURCE, group: CA_GROUP, content, ..draft }.encode().ok();
        self.answer(connection, answer);
    }

    /// Queues an answer. Without one (a configured certificate longer than a frame), or without room, one is lost.
    fn answer(&mut self, connection: ConnectionId, answer: Option<Message>) {
        let Some(session) = self.sessions.get_mut(&connection) else { return };
        let mut lost = answer.is_none();
        session.answers.extend(answer);
        if session.answers.len() > CONTROL_QUEUE_MAX {
            session.answers.pop_front();
            lost = true;
        }
        if lost {
            let node = session.node.clone();
            self.account.answers_dropped += 1;
            self.note(CloudNote::AnswerDropped { node });
        }
    }
}
