//! A cloud that breaks the rules, in whatever phase the link is.

use super::epochs::event;
use crate::catalogue::Family;
use crate::effects::Effect;
use crate::scenario::verb::{Call, count, word};
use crate::scenario::{Subject, Verb};
use crate::world::{DAMAGES, World, harmed};
use edgehub_core::message::operation;
use edgehub_core::{Content, Draft, LinkEvent};

pub(crate) const FAMILY: Family =
    Family { name: "misbehaving cloud", verbs: &[HOSTILE, PONGLESS, MALFORMED] };

const WHATS: [&str; 11] = [
    "stray",
    "flushed-too-much",
    "pong-of-the-future",
    "pong-again",
    "opened-again",
    "answer-to-nothing",
    "error-to-nothing",
    "fake-connect",
    "link-control",
    "same-message",
    "without-id",
];

const HOSTILE: Verb = Verb {
    name: "hostile",
    subject: Subject::Node,
    parameters: &[word("what", &WHATS), count("times", 1, 50)],
    act: hostile,
};

const PONGLESS: Verb =
    Verb { name: "pongless", subject: Subject::Node, parameters: &[count("pongs", 1, 20)], act: pongless };

/// A frame that nobody can read: every violation there is.
const MALFORMED: Verb = Verb {
    name: "malformed",
    subject: Subject::Node,
    parameters: &[word("what", &DAMAGES), count("at", 0, 2_000), count("times", 1, 20)],
    act: malformed,
};

fn received(draft: Draft<'_>) -> Result<LinkEvent, String> {
    draft.encode().map(LinkEvent::Received).map_err(|violation| violation.to_string())
}

/// The cloud says something that it should not, to the current link, whatever its state.
fn hostile(world: &mut World, call: &Call) -> Effect {
    let [what, times, ..] = call.values;
    for again in 0..times {
        let edge = &world.edges[call.node];
        let link = edge.link.map(|link| world.network.link(link));
        let last_pong = link.map_or(0, |link| link.last_pong);
        let id = format!("hostile/{}/{again}", call.entity);
        let plain = Draft { msg_id: &id, group: "twin", operation: "update", ..Draft::default() };
        let said = match WHATS.get(what as usize).copied().unwrap_or_default() {
            "stray" => event(0, 0)?,
            "flushed-too-much" => LinkEvent::Flushed { messages: 1 << 40, bytes: 1 << 40 },
            "pong-of-the-future" => LinkEvent::Pong(u64::MAX - again),
            "pong-again" => LinkEvent::Pong(last_pong),
            "opened-again" if link.is_some_and(|link| link.edge == crate::world::Side::Open) => {
                LinkEvent::Opened
            }
            "answer-to-nothing" => {
                received(Draft { operation: operation::RESPONSE, parent_msg_id: "nothing", ..plain })?
            }
            "error-to-nothing" => received(Draft {
                operation: operation::ERROR,
                group: "resource",
                parent_msg_id: "nothing",
                ..plain
            })?,
            "fake-connect" => received(Draft {
                operation: operation::CONNECT,
                source: "cloud",
                content: Content::Text("cloud_connected"),
                ..plain
            })?,
            "link-control" => received(Draft { operation: "ping", ..plain })?,
            "same-message" => received(Draft { msg_id: "hostile/same", ..plain })?,
            "without-id" => received(Draft { msg_id: "", ..plain })?,
            _ => return Ok(false),
        };
        let epoch = world.edges[call.node].hub.epoch();
        world.inject(call.node, epoch, said)?;
    }
    Ok(world.edges[call.node].runs())
}

/// The cloud sends what is no message, to the current link, whatever its state.
fn malformed(world: &mut World, call: &Call) -> Effect {
    let [what, at, times, ..] = call.values;
    for again in 0..times {
        let event = frame(what, at, &format!("malformed/{}/{again}", call.entity))?;
        let epoch = world.edges[call.node].hub.epoch();
        world.inject(call.node, epoch, event)?;
    }
    Ok(world.edges[call.node].runs())
}

/// What a driver reads from a frame that was damaged in this way.
fn frame(what: u64, at: u64, id: &str) -> Result<LinkEvent, String> {
    let whole = Draft { msg_id: id, group: "twin", operation: "update", ..Draft::default() };
    let message = whole.encode().map_err(|violation| violation.to_string())?;
    Ok(match harmed(message, what, at) {
        Ok(message) => LinkEvent::Received(message),
        Err(violation) => LinkEvent::Malformed(violation),
    })
}

/// A writer that is busy leaves pongs out.
fn pongless(world: &mut World, call: &Call) -> Effect {
    let Some(link) = world.edges[call.node].link else { return Ok(false) };
    let link = world.network.link_mut(link);
    link.pongs_left_out = call.values[0];
    Ok(link.lives())
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgehub_core::Violation;
    use std::collections::BTreeSet;

    /// The name of every violation, and by which frame it is reached. A new one does not compile without a line here.
    fn frame_for(violation: &Violation) -> &'static str {
        match violation {
            Violation::FrameTooLarge { .. } => "oversize",
            Violation::Empty => "empty",
            Violation::NotUtf8 => "not-utf8",
            Violation::Truncated => "truncated",
            Violation::NotJson { .. } => "not-json",
            Violation::NotAnObject => "not-object",
            Violation::NestingTooDeep { .. } => "deep",
            Violation::WrongType { .. } => "wrong-type",
            Violation::FieldTooLong { .. } => "long-field",
            Violation::Framing => "unknown-type",
            // Of the QUIC lane's own framing: no frame of a WebSocket breaks these rules. The fuzz target `package` does.
            Violation::PackageVersion { .. }
            | Violation::PackageType { .. }
            | Violation::PackageFlags { .. }
            | Violation::PackageTooLarge { .. }
            | Violation::PackageTruncated
            | Violation::NotProtobuf
            | Violation::NotDeflate
            | Violation::TooManyStreams
            | Violation::StreamUse
            | Violation::ControlLane
            | Violation::ControlLaneClosed
            | Violation::StreamStopped => "none",
        }
    }

    const VIOLATIONS: usize = 10;

    #[test]
    fn every_violation_is_reached_by_a_frame() {
        let mut reached = BTreeSet::new();
        for (what, word) in DAMAGES.iter().enumerate() {
            match frame(what as u64, 40, "id").unwrap() {
                LinkEvent::Malformed(violation) if frame_for(&violation) == *word => {
                    reached.insert(violation.name());
                }
                LinkEvent::Malformed(violation) => assert_eq!(*word, "flipped", "{violation}"),
                // A bit in an id, or what comes after the document, leaves a message.
                event => assert!(["flipped", "two-documents"].contains(word), "{word}: {event:?}"),
            }
        }
        assert_eq!(reached.len(), VIOLATIONS, "{reached:?}");
    }
}
