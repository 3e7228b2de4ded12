//! A cloud that breaks the rules, in whatever phase the link is.

use super::epochs::event;
use crate::catalogue::Family;
use crate::checks::Outcome;
use crate::scenario::verb::{Call, count, word};
use crate::scenario::{Subject, Verb};
use crate::world::World;
use edgehub_core::message::operation;
use edgehub_core::{Content, Draft, LinkEvent};

pub(crate) const FAMILY: Family = Family { name: "misbehaving cloud", verbs: &[HOSTILE, PONGLESS] };

const WHATS: [&str; 12] = [
    "stray",
    "malformed",
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

fn received(draft: Draft<'_>) -> Result<LinkEvent, String> {
    draft.encode().map(LinkEvent::Received).map_err(|violation| violation.to_string())
}

/// The cloud says something that it should not, to the current link, whatever its state.
fn hostile(world: &mut World, call: &Call) -> Outcome {
    let [what, times, ..] = call.values;
    for again in 0..times {
        let edge = &world.edges[call.node];
        let link = edge.link.map(|link| world.network.link(link));
        let last_pong = link.map_or(0, |link| link.last_pong);
        let id = format!("hostile/{}/{again}", call.entity);
        let plain = Draft { msg_id: &id, group: "twin", operation: "update", ..Draft::default() };
        let said = match WHATS.get(what as usize).copied().unwrap_or_default() {
            "stray" => event(0, 0)?,
            "malformed" => LinkEvent::Malformed(edgehub_core::Violation::Empty),
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
            _ => return Ok(()),
        };
        let epoch = world.edges[call.node].hub.epoch();
        world.inject(call.node, epoch, said)?;
    }
    Ok(())
}

/// A writer that is busy leaves pongs out.
fn pongless(world: &mut World, call: &Call) -> Outcome {
    if let Some(link) = world.edges[call.node].link {
        world.network.link_mut(link).pongs_left_out = call.values[0];
    }
    Ok(())
}
