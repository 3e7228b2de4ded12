//! What a recording says, sorted into what a hub is fed and what the original did with it.

use crate::recordings::{self, Event, Seen, Way};
use edgehub_core::{Content, Draft, Message};
use serde_json::value::RawValue;
use std::collections::BTreeSet;

/// What is in no recording because the original lost it: recording, time, resource, content.
const LOST_BY_THE_ORIGINAL: [(&str, u64, &str, &str); 1] =
    [("02-keepalive-timeout", 4_455_000, "default/podstatus/p8", "8")];

/// What one recording says, sorted into what is fed and what is compared.
pub(crate) struct Conversation {
    pub(crate) inputs: Vec<(u64, Fed)>,
    pub(crate) keepalives: Vec<u64>,
    /// Messages of modules and link control answers, as the original sent them.
    pub(crate) sent: Vec<Message>,
    /// When its link came up and when it ended.
    pub(crate) links: Vec<(u64, bool)>,
}

#[derive(Debug, Clone)]
pub(crate) enum Fed {
    Opened,
    Down(Message),
    Up(Message),
    Closed,
    Shutdown,
}

pub(crate) const LINK_CONTROL: [&str; 3] = ["ping", "pong", "config"];

/// Reads a recording.
pub(crate) fn conversation(name: &str) -> Conversation {
    let seen = recordings::read(name);
    let decoded = |event: &Event, wanted: Way| match event {
        Event::Message(way, text) if *way == wanted => Some(Message::decode(text.as_str()).unwrap()),
        _ => None,
    };
    let down: Vec<Message> = seen.iter().filter_map(|seen| decoded(&seen.event, Way::Down)).collect();
    let answered: BTreeSet<&str> = down.iter().map(Message::parent_msg_id).collect();
    let control: BTreeSet<&str> = down
        .iter()
        .filter(|message| LINK_CONTROL.contains(&message.operation()))
        .map(Message::msg_id)
        .collect();
    let mut conversation = Conversation { inputs: vec![], keepalives: vec![], sent: vec![], links: vec![] };
    let mut wall_at_zero = None;
    let mut ended: BTreeSet<u64> = BTreeSet::new();
    for Seen { at, connection, event } in &seen {
        match event {
            Event::Opened => {
                conversation.inputs.push((*at, Fed::Opened));
                conversation.links.push((*at, true));
            }
            Event::Eof(_) if ended.insert(*connection) => {
                conversation.inputs.push((*at, Fed::Closed));
                conversation.links.push((*at, false));
            }
            Event::Mark(text) if text.starts_with("SIGTERM") => {
                conversation.inputs.push((*at, Fed::Shutdown));
            }
            _ => {}
        }
        if let Some(message) = decoded(event, Way::Down) {
            conversation.inputs.push((*at, Fed::Down(message)));
        }
        let Some(message) = decoded(event, Way::Up) else { continue };
        if message.operation() == "keepalive" {
            let zero = message.timestamp().0 * 1000 - *at as i64;
            wall_at_zero.get_or_insert(zero);
            conversation.keepalives.push(*at);
            continue;
        }
        if !control.contains(message.parent_msg_id()) && !message.msg_id().is_empty() {
            // A message that waited for a link was made when its stamp says, not when it left.
            let made = (message.timestamp().0 * 1000 - wall_at_zero.unwrap_or_default()) as u64;
            let at = if at.abs_diff(made) > 1_000_000 { made } else { *at };
            let is_request = answered.contains(message.msg_id());
            conversation.inputs.push((at, Fed::Up(as_its_module_sent_it(&message, is_request))));
        }
        conversation.sent.push(message);
    }
    for (_, at, resource, content) in LOST_BY_THE_ORIGINAL.into_iter().filter(|lost| lost.0 == name) {
        let content = serde_json::from_str(content).unwrap();
        let draft = Draft {
            msg_id: "lost",
            source: "edged",
            group: "resource",
            operation: "update",
            resource,
            ..Draft::default()
        };
        let message = Draft { content: Content::Json(content), ..draft }.encode().unwrap();
        conversation.inputs.push((at, Fed::Up(message)));
    }
    conversation.inputs.sort_by_key(|(at, _)| *at);
    conversation
}

/// A module's message with the local fields that the original had removed before it wrote it.
fn as_its_module_sent_it(message: &Message, is_request: bool) -> Message {
    let content = serde_json::from_str(message.content()).unwrap();
    let local = Draft {
        sync: is_request,
        message_type: "channel",
        destination: "websocket",
        ..draft(message, content)
    };
    local.encode().unwrap()
}

/// A draft of this message with another content.
pub(crate) fn draft<'a>(message: &'a Message, content: &'a RawValue) -> Draft<'a> {
    Draft { content: Content::Json(content), ..Draft::from(message) }
}
