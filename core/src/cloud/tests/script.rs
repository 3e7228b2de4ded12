//! A conversation with a CloudHub, written as a timeline.

use super::super::*;
use crate::message::{Content, Draft, Message};
use crate::violation::Violation;
use std::format;
use std::string::String;
use std::vec::Vec;

/// Feeds inputs at given times and compares the outputs, each as a short line of text. After every step the books
/// must balance, and a tick must obey the laws of deadlines.
pub(in super::super) struct Script {
    pub(in super::super) cloud: CloudHub,
    mono_ms: u64,
    outputs: Vec<CloudOutput>,
}

/// A message with nothing but an id.
pub(in super::super) fn message(msg_id: &str) -> Message {
    Draft { msg_id, operation: "update", resource: "default/configmap/cm", ..Draft::default() }
        .encode()
        .unwrap()
}

/// A message of at least so many bytes.
pub(in super::super) fn large(msg_id: &str, bytes: usize) -> Message {
    let content = Content::Text(&"x".repeat(bytes));
    Draft { msg_id, content, ..Draft::default() }.encode().unwrap()
}

/// A response, as modules of the edge write it.
pub(in super::super) fn response(parent_msg_id: &str, operation: &str) -> Message {
    let (msg_id, content) = (&*format!("r-{parent_msg_id}"), Content::Text("OK"));
    Draft { msg_id, parent_msg_id, operation, content, ..Draft::default() }.encode().unwrap()
}

/// What the edge hub sends every heartbeat.
pub(in super::super) fn keepalive() -> Message {
    Draft { msg_id: "k", operation: "keepalive", resource: "node", ..Draft::default() }.encode().unwrap()
}

impl Script {
    pub(super) fn new() -> Script {
        Script::with(CloudConfig::default())
    }

    pub(super) fn with(config: CloudConfig) -> Script {
        Script { cloud: CloudHub::new(config, 7, Now::default()), mono_ms: 0, outputs: Vec::new() }
    }

    pub(super) fn at(&mut self, mono_ms: u64) -> &mut Script {
        self.mono_ms = mono_ms;
        self
    }

    pub(super) fn input(&mut self, input: CloudInput) -> &mut Script {
        self.cloud.handle(Now::new(self.mono_ms * 1000, 1_700_000_000_000), input);
        self.outputs.extend(core::iter::from_fn(|| self.cloud.poll_output()));
        let account = self.cloud.account();
        assert!(account.balanced(), "{account:#?}");
        self
    }

    pub(super) fn connect(&mut self, connection: u64, node: &str) -> &mut Script {
        let (connection, node) = (ConnectionId(connection), node.into());
        self.input(CloudInput::Connected { connection, node, project: "p".into() })
    }

    pub(super) fn close(&mut self, connection: u64) -> &mut Script {
        self.input(CloudInput::Closed { connection: ConnectionId(connection) })
    }

    pub(super) fn receive(&mut self, connection: u64, message: Message) -> &mut Script {
        self.input(CloudInput::Received { connection: ConnectionId(connection), message })
    }

    pub(super) fn malformed(&mut self, connection: u64, violation: Violation) -> &mut Script {
        self.input(CloudInput::Malformed { connection: ConnectionId(connection), violation })
    }

    pub(super) fn flush(&mut self, connection: u64, messages: usize) -> &mut Script {
        self.input(CloudInput::Flushed { connection: ConnectionId(connection), messages })
    }

    pub(super) fn send(&mut self, node: &str, message: Message) -> &mut Script {
        self.input(CloudInput::Send { node: node.into(), message, delivery: Delivery::Acknowledged })
    }

    pub(super) fn send_unacknowledged(&mut self, node: &str, message: Message) -> &mut Script {
        self.input(CloudInput::Send { node: node.into(), message, delivery: Delivery::Unacknowledged })
    }

    pub(super) fn tick(&mut self) -> &mut Script {
        let (before, now) = (self.cloud.next_deadline(), Instant(self.mono_ms * 1000));
        let due = before.is_some_and(|deadline| deadline.at <= now);
        let outputs = self.outputs.len();
        self.input(CloudInput::Tick);
        if due {
            assert!(self.cloud.next_deadline().is_none_or(|deadline| deadline.at > now), "no progress");
        } else {
            assert_eq!((self.outputs.len(), self.cloud.next_deadline()), (outputs, before), "an early tick");
        }
        self
    }

    /// Compares everything since the last time, without the notes.
    pub(super) fn expect(&mut self, expected: &[&str]) -> &mut Script {
        let seen: Vec<String> = self.outputs.drain(..).filter_map(|output| line(&output)).collect();
        assert_eq!(seen, expected, "at {} ms", self.mono_ms);
        self
    }

    /// Looks for one note since the last `expect`.
    pub(super) fn expect_note(&mut self, note: CloudNote) -> &mut Script {
        let note = CloudOutput::Note(note);
        assert!(self.outputs.contains(&note), "at {} ms: no {note:?} in {:#?}", self.mono_ms, self.outputs);
        self
    }

    pub(super) fn expect_dropped(&mut self, msg_id: &str, reason: CloudDropReason) -> &mut Script {
        let node = "a".into();
        self.expect_note(CloudNote::Dropped { node, msg_id: msg_id.into(), reason })
    }

    pub(super) fn expect_deadline(&mut self, expected: Option<(u64, CloudTimer)>) -> &mut Script {
        let seen = self.cloud.next_deadline().map(|deadline| (deadline.at.0 / 1000, deadline.timer));
        assert_eq!(seen, expected, "at {} ms", self.mono_ms);
        self
    }
}

fn line(output: &CloudOutput) -> Option<String> {
    Some(match output {
        CloudOutput::Write { connection: ConnectionId(to), message } => match message.parent_msg_id() {
            "" => format!("write {to} {}", message.msg_id()),
            parent => format!("write {to} answer to {parent}: {}", message.content()),
        },
        CloudOutput::Close { connection: ConnectionId(to), reason } => format!("close {to} {reason:?}"),
        CloudOutput::Upstream { node, message } => format!("upstream {node} {}", message.msg_id()),
        CloudOutput::Acknowledged { node, msg_id } => format!("acknowledged {node} {msg_id}"),
        CloudOutput::Note(_) => return None,
    })
}
