//! One of several ways to the cloud is closed for a while, and says so or not.

use crate::catalogue::Family;
use crate::effects::Effect;
use crate::scenario::verb::{Call, count, time, word};
use crate::scenario::{Subject, Verb};
use crate::world::{ENDPOINTS_MAX, World};

pub(crate) const FAMILY: Family = Family { name: "endpoints", verbs: &[ENDPOINT] };

const ENDPOINT: Verb = Verb {
    name: "endpoint",
    subject: Subject::Node,
    parameters: &[
        count("which", 0, ENDPOINTS_MAX as u64 - 1),
        time("for", 1_000, 120_000),
        word("ends", &["refused", "hang"]),
    ],
    act: endpoint,
};

/// A node does not reach an endpoint for a while; the link by way of it is gone.
fn endpoint(world: &mut World, call: &Call) -> Effect {
    let [which, _, ends, ..] = call.values;
    let until = world.now + call.time(1);
    let edge = &mut world.edges[call.node];
    if let Some(door) = edge.doors.get_mut(which as usize) {
        *door = (until, ends == 1);
    }
    if let Some(link) = edge.link.filter(|_| edge.door == which as usize) {
        world.cut(link);
    }
    let edge = &world.edges[call.node];
    Ok(edge.runs() && (which as usize) < edge.config.endpoints.weights.len())
}
