//! The node's process crashes, at any event, once or in a loop; its machine sleeps, for seconds or for days; it moves
//! to another network.

use crate::catalogue::Family;
use crate::effects::Effect;
use crate::scenario::verb::{Call, count, time};
use crate::scenario::{Subject, Verb};
use crate::world::{Crash, World};

pub(crate) const FAMILY: Family = Family { name: "edge", verbs: &[CRASH, PAUSE, ROAM, LONG_PAUSE] };

pub(crate) const CRASH: Verb = Verb {
    name: "crash",
    subject: Subject::Node,
    parameters: &[count("after", 0, 500), time("down", 0, 60_000), count("times", 1, 20)],
    act: crash,
};

const PAUSE: Verb =
    Verb { name: "pause", subject: Subject::Node, parameters: &[time("for", 1, 120_000)], act: pause };

const LONG_PAUSE: Verb = Verb {
    name: "long-pause",
    subject: Subject::Node,
    parameters: &[time("for", 60_000, 3 * 86_400_000)],
    act: pause,
};

const ROAM: Verb =
    Verb { name: "roam", subject: Subject::Node, parameters: &[time("dead", 1, 120_000)], act: roam };

fn crash(world: &mut World, call: &Call) -> Effect {
    let [left, _, times, ..] = call.values;
    let crash = Crash { left, after: left, down: call.time(1), times, power: None };
    world.edges[call.node].crash = Some(crash);
    // It strikes after so many inputs.
    Ok(false)
}

fn pause(world: &mut World, call: &Call) -> Effect {
    Ok(world.put_to_sleep(call.node, call.time(0)))
}

/// The old address is gone without a word, and the new one is not there yet.
fn roam(world: &mut World, call: &Call) -> Effect {
    let until = world.now + call.time(0);
    world.edges[call.node].unreachable_until = until;
    if let Some(link) = world.edges[call.node].link {
        let link = world.network.link_mut(link);
        (link.up.silent, link.down.silent) = (true, true);
    }
    Ok(world.edges[call.node].runs())
}
