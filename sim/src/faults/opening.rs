//! Opening a link fails: refused, name not found, TLS failure, nothing, success after the hub has given up, the end in
//! the middle of it, the end right after it, or a session that is none.

use crate::catalogue::Family;
use crate::checks::Outcome;
use crate::scenario::verb::{Call, count, time, word};
use crate::scenario::{Subject, Verb};
use crate::world::{DialPlan, ENDPOINTS_MAX, World};

pub(crate) const FAMILY: Family = Family { name: "opening", verbs: &[DIAL, ENDPOINT] };

const DIAL: Verb = Verb {
    name: "dial",
    subject: Subject::Node,
    parameters: &[word("ends", &DialPlan::OUTCOMES), count("times", 1, 10), time("after", 0, 10_000)],
    act: dial,
};

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
fn endpoint(world: &mut World, call: &Call) -> Outcome {
    let [which, _, ends, ..] = call.values;
    let until = world.now + call.time(1);
    let edge = &mut world.edges[call.node];
    if let Some(door) = edge.doors.get_mut(which as usize) {
        *door = (until, ends == 1);
    }
    match edge.link.filter(|_| edge.door == which as usize) {
        Some(link) => world.cut(link),
        None => {}
    }
    Ok(())
}

/// The next dials end like this.
fn dial(world: &mut World, call: &Call) -> Outcome {
    let [outcome, times, ..] = call.values;
    let plan = DialPlan { outcome, after: call.time(2) };
    world.edges[call.node].dials.extend((0..times).map(|_| plan));
    Ok(())
}
