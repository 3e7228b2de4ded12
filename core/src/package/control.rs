//! What is said on the control lane.

use crate::message::{Content, Draft, Message, operation};
use crate::time::UnixMillis;
use crate::violation::Violation;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

/// Resource and operation of the first message.
const HEADER: &str = "header";
/// The positive answer.
const ACK: &str = "ack";
/// The negative one.
const NACK: &str = "nack";

/// Who a node says that it is: the first message on the control lane.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hello {
    /// The node's name.
    pub node: String,
    /// The project's id; empty when none is named.
    pub project: String,
}

impl Hello {
    /// The message that says so. Fails when a name is too long.
    pub fn to_message(&self) -> Result<Message, Violation> {
        let headers = BTreeMap::from([("Node_id", [&self.node]), ("Project_id", [&self.project])]);
        let json = serde_json::value::to_raw_value(&headers).map_err(|_| Violation::ControlLane)?;
        Draft {
            msg_id: HEADER,
            operation: HEADER,
            resource: HEADER,
            content: Content::Json(&json),
            ..Draft::default()
        }
        .encode()
    }
}

/// A message on the control lane, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// Who the node is.
    Hello(Hello),
    /// A question whose answer confirms what was written before it.
    Ping(Ping),
    /// The answer to a message, by its id: accepted, or not.
    Answer {
        /// The id of what is answered.
        to: String,
        /// Whether the answer is `ack`.
        accepted: bool,
    },
    /// Link control of another kind, which is answered with `ack` and means nothing to us.
    Other,
}

impl Control {
    /// What a message on the control lane says. Fails for one that does not belong there.
    pub fn of(message: &Message) -> Result<Control, Violation> {
        if message.is_response() {
            let accepted = match message.content().trim_matches('"') {
                ACK => true,
                NACK => false,
                _ => return Err(Violation::ControlLane),
            };
            return Ok(Control::Answer { to: message.parent_msg_id().into(), accepted });
        }
        match (message.operation(), message.resource()) {
            (HEADER, HEADER) => hello(message.content()).map(Control::Hello).ok_or(Violation::ControlLane),
            ("ping", Ping::RESOURCE) => Ping::of(message).map(Control::Ping).ok_or(Violation::ControlLane),
            _ => Ok(Control::Other),
        }
    }
}

/// The answer to a message on the control lane.
pub fn answer(request: &Message, accepted: bool) -> Result<Message, Violation> {
    let content = Content::Text(if accepted { ACK } else { NACK });
    Draft { content, ..Draft::response_to(request, request.msg_id(), UnixMillis(0)) }.encode()
}

/// The answer to the ping of this number.
pub fn pong(number: u64) -> Result<Message, Violation> {
    answer(&Ping { number, written: Vec::new() }.to_message()?, true)
}

/// Header names are written in any case: Go's own canonical form is `Node_id`.
fn hello(content: &str) -> Option<Hello> {
    let headers: BTreeMap<String, Vec<String>> = serde_json::from_str(content).ok()?;
    let find = |name: &str| {
        let (_, values) = headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        values.first().cloned()
    };
    Some(Hello { node: find("node_id")?, project: find("project_id").unwrap_or_default() })
}

/// A ping, with the number of messages that were written on each message stream before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// Its number.
    pub number: u64,
    /// Messages written before it, by stream.
    pub written: Vec<u64>,
}

impl Ping {
    const RESOURCE: &'static str = "streams";

    /// The message that asks.
    pub fn to_message(&self) -> Result<Message, Violation> {
        let mut id = String::new();
        // Writing to a String cannot fail.
        let _ = write!(id, "{}", self.number);
        let counts = serde_json::value::to_raw_value(&self.written).map_err(|_| Violation::ControlLane)?;
        Draft {
            msg_id: &id,
            operation: operation::LINK_CONTROL[0],
            resource: Ping::RESOURCE,
            content: Content::Json(&counts),
            ..Draft::default()
        }
        .encode()
    }

    fn of(message: &Message) -> Option<Ping> {
        let number = message.msg_id().parse().ok()?;
        let written = serde_json::from_str(message.content()).ok()?;
        Some(Ping { number, written })
    }
}
