//! Events of links that are long over, or were never there: late frames, late ends, results of old dials, duplicates.

use crate::catalogue::Family;
use crate::effects::Effect;
use crate::scenario::verb::{Call, count, word};
use crate::scenario::{Subject, Verb};
use crate::world::World;
use edgehub_core::{Draft, LinkEpoch, LinkEvent, Violation};

pub(crate) const FAMILY: Family = Family { name: "cross-epoch", verbs: &[STALE] };

/// What can be said about any link.
pub(super) const EVENTS: [&str; 8] =
    ["received", "opened", "open-failed", "malformed", "flushed", "pong", "closed", "progress"];

const STALE: Verb = Verb {
    name: "stale",
    subject: Subject::Node,
    parameters: &[word("what", &EVENTS), count("back", 1, 5), count("times", 1, 5)],
    act: stale,
};

pub(super) fn event(word: u64, pong: u64) -> Result<LinkEvent, String> {
    let stray = Draft { msg_id: "stray", group: "twin", operation: "update", ..Draft::default() };
    Ok(match EVENTS.get(word as usize).copied().unwrap_or_default() {
        "opened" => LinkEvent::Opened,
        "open-failed" => LinkEvent::OpenFailed,
        "malformed" => LinkEvent::Malformed(Violation::Framing),
        "flushed" => LinkEvent::Flushed { messages: 3, bytes: 3_000 },
        "pong" => LinkEvent::Pong(pong),
        "closed" => LinkEvent::Closed,
        "progress" => LinkEvent::Progress,
        _ => LinkEvent::Received(stray.encode().map_err(|violation| violation.to_string())?),
    })
}

fn stale(world: &mut World, call: &Call) -> Effect {
    let [what, back, times, ..] = call.values;
    for _ in 0..times {
        let current = world.edges[call.node].hub.epoch();
        // A link that was never there is as good an old one.
        let epoch = LinkEpoch(current.0.checked_sub(back).unwrap_or(current.0 + back));
        world.inject(call.node, epoch, event(what, 1)?)?;
    }
    Ok(world.edges[call.node].runs())
}
