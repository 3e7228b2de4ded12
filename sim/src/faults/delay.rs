//! Frames take their time: jitter, satellites, clogs that end in a burst, little bandwidth, small buffers.

use super::WAYS;
use crate::catalogue::Family;
use crate::effects::Effect;
use crate::scenario::verb::{Call, count, time};
use crate::scenario::{Subject, Verb};
use crate::world::{Conduct, Way, World};

pub(crate) const FAMILY: Family = Family { name: "delay", verbs: &[JITTER, BANDWIDTH, CLOG] };

const JITTER: Verb = Verb {
    name: "jitter",
    subject: Subject::Node,
    parameters: &[time("for", 1_000, 120_000), time("least", 0, 1_000), time("most", 0, 5_000)],
    act: jitter,
};

const BANDWIDTH: Verb = Verb {
    name: "bandwidth",
    subject: Subject::Node,
    parameters: &[
        time("for", 1_000, 120_000),
        count("bytes-per-second", 300, 1_000_000),
        count("room", 1_000, 65_536),
    ],
    act: bandwidth,
};

const CLOG: Verb =
    Verb { name: "clog", subject: Subject::Node, parameters: &[WAYS, time("for", 100, 60_000)], act: clog };

/// Puts the node's way to the cloud into another condition for a while.
pub(super) fn conduct(world: &mut World, call: &Call, change: impl FnOnce(&mut Conduct)) -> Effect {
    let until = world.now + call.time(0);
    let edge = &mut world.edges[call.node];
    edge.conduct = edge.usual;
    edge.conduct_until = until;
    change(&mut edge.conduct);
    Ok(edge.runs())
}

fn jitter(world: &mut World, call: &Call) -> Effect {
    let (least, most) = (call.time(1), call.time(2));
    conduct(world, call, |conduct| conduct.latency = (least, most.max(least)))
}

fn bandwidth(world: &mut World, call: &Call) -> Effect {
    let [_, rate, room, ..] = call.values;
    conduct(world, call, |conduct| (conduct.rate, conduct.room) = (Some(rate), room as usize))
}

fn clog(world: &mut World, call: &Call) -> Effect {
    let until = world.now + call.time(1);
    Ok(world.clog(call.node, Way::of(call.values[0]), until))
}
