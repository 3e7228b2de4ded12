//! How a session begins and ends, and when it is due.
//!
//! ```text
//!            Connected                       Closed
//!  (none) ─────────────▶ session ──────────────────────────────────▶ (none)
//!     │                     │  Close: replaced, keepalive expired,      ▲
//!     └─ Close: node limit  └─ violation, shutdown ─────────────────────┘
//! ```
//!
//! Behaviour: KubeEdge `cloudhub/session`, `NodeSession` and `Manager`.

use super::output::{CloseReason, CloudDeadline, CloudDropReason, CloudNote, CloudOutput, CloudTimer};
use super::queue::Queue;
use super::window::WriteWindow;
use super::{CloudHub, ConnectionId, NodeName};
use crate::canary::CloudCanary;
use crate::message::Message;
use crate::time::Instant;
use crate::violation::Violation;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

/// What belongs to one connection and ends with it.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) node: NodeName,
    pub(super) keepalive_until: Instant,
    /// The deadline that stands in the machine's table for this session.
    armed: Option<CloudDeadline>,
    pub(super) window: WriteWindow,
    /// Messages of CloudHub's own making.
    pub(super) answers: VecDeque<Message>,
    pub(super) unacknowledged: Queue,
}

impl Session {
    /// Whose messages from cloud modules wait that end with the session, how many, and their bytes.
    pub(super) fn waiting(&self) -> (&NodeName, usize, usize) {
        (&self.node, self.unacknowledged.len(), self.unacknowledged.bytes())
    }
}

impl CloudHub {
    pub(super) fn connected(&mut self, connection: ConnectionId, node: NodeName, project: String) {
        if self.newest_connection >= Some(connection) {
            return self.note(CloudNote::StaleConnection { connection });
        }
        self.newest_connection = Some(connection);
        if self.stopping {
            return self.emit(CloudOutput::Close { connection, reason: CloseReason::Shutdown });
        }
        let old = self.nodes.find(&node).and_then(|node| node.connection);
        let within_limit = old.is_some() || self.sessions.len() < self.config.node_limit;
        if !within_limit || !self.remember(&node) {
            return self.emit(CloudOutput::Close { connection, reason: CloseReason::NodeLimit });
        }
        if let Some(old) = old.filter(|_| !self.planted.is(CloudCanary::TwoSessions)) {
            self.close(old, CloseReason::Replaced);
        }
        self.begin(connection, node, project);
    }

    /// When the session of a node of which something was heard now ends.
    pub(super) fn keepalive_until(&self) -> Instant {
        let endless = self.planted.is(CloudCanary::KeepaliveEndless);
        self.mono() + self.config.keepalive_timeout.saturating_mul(if endless { 1000 } else { 1 })
    }

    /// Finds or makes a place for the node; false when there is none.
    pub(super) fn remember(&mut self, node: &NodeName) -> bool {
        let Ok(forgotten) = self.nodes.remember(node, self.config.known_nodes_max) else { return false };
        if let Some(node) = forgotten {
            self.note(CloudNote::Forgotten { node });
        }
        true
    }

    fn begin(&mut self, connection: ConnectionId, node: NodeName, project: String) {
        let queued = self.nodes.update(&node, |node| {
            node.connection = Some(connection);
            node.delivery.len()
        });
        let session = Session {
            node: node.clone(),
            keepalive_until: self.keepalive_until(),
            armed: None,
            window: WriteWindow::default(),
            answers: VecDeque::new(),
            unacknowledged: Queue::default(),
        };
        self.sessions.insert(connection, session);
        self.account.sessions += 1;
        self.note(CloudNote::Connected { connection, node, project, queued: queued.unwrap_or_default() });
        self.serve(connection);
    }

    pub(super) fn closed(&mut self, connection: ConnectionId) {
        if !self.end(connection) {
            self.note(CloudNote::StaleConnection { connection });
        }
    }

    pub(super) fn malformed(&mut self, connection: ConnectionId, violation: Violation) {
        if !self.sessions.contains_key(&connection) {
            return self.note(CloudNote::StaleConnection { connection });
        }
        self.account.violations += 1;
        self.close(connection, CloseReason::Violation(violation));
    }

    pub(super) fn shutdown(&mut self) {
        self.stopping = true;
        let connections: Vec<_> = self.sessions.keys().copied().collect();
        for connection in connections {
            self.close(connection, CloseReason::Shutdown);
        }
    }

    fn close(&mut self, connection: ConnectionId, reason: CloseReason) {
        self.emit(CloudOutput::Close { connection, reason });
        self.end(connection);
    }

    /// Acknowledged messages stay with the node, the one in flight first; the others end here.
    fn end(&mut self, connection: ConnectionId) -> bool {
        let Some(session) = self.sessions.remove(&connection) else { return false };
        let Session { node, armed, mut unacknowledged, .. } = session;
        if let Some(armed) = armed {
            self.deadlines.remove(&armed);
        }
        while let Some(message) = unacknowledged.pop() {
            self.drop_message(&node, &message, CloudDropReason::Disconnected);
        }
        let kept = self.nodes.update(&node, |node| {
            node.connection = None;
            node.delivery.disconnected();
            node.delivery.len()
        });
        self.note(CloudNote::Disconnected { connection, node, kept: kept.unwrap_or_default() });
        true
    }

    /// Settles whatever is due, once for each session, however late the tick is.
    pub(super) fn tick(&mut self) {
        let now = self.mono();
        let due: Vec<_> = self.deadlines.iter().take_while(|deadline| deadline.at <= now).copied().collect();
        for CloudDeadline { connection, .. } in due {
            self.due(connection);
        }
    }

    /// A keepalive that is missing goes first: nothing is resent to a session that ends now.
    fn due(&mut self, connection: ConnectionId) {
        let now = self.mono();
        let Some(session) = self.sessions.get(&connection) else { return };
        if session.keepalive_until <= now {
            return self.close(connection, CloseReason::KeepaliveExpired);
        }
        self.expire(connection);
        self.serve(connection);
    }

    /// Writes what can be written, then sets the session's deadline. Last step of everything that touches a session.
    pub(super) fn serve(&mut self, connection: ConnectionId) {
        self.write(connection);
        self.arm(connection);
    }

    fn arm(&mut self, connection: ConnectionId) {
        let Some(session) = self.sessions.get_mut(&connection) else { return };
        let keepalive =
            CloudDeadline { at: session.keepalive_until, timer: CloudTimer::Keepalive, connection };
        let resend = self.nodes.find(&session.node).and_then(|node| node.delivery.deadline());
        let resend = resend
            .filter(|_| !self.planted.is(CloudCanary::ResendMissing))
            .map(|at| CloudDeadline { at, timer: CloudTimer::Resend, connection });
        let earliest = resend.map_or(keepalive, |resend| resend.min(keepalive));
        if session.armed == Some(earliest) {
            return;
        }
        if let Some(old) = session.armed.replace(earliest) {
            self.deadlines.remove(&old);
        }
        self.deadlines.insert(earliest);
    }
}
