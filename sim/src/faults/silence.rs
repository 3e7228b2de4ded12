//! Nothing is heard any more, and nobody is told: half-open links (defect D4), forgotten translations, links that come
//! and go.

use super::WAYS;
use crate::catalogue::Family;
use crate::effects::Effect;
use crate::scenario::verb::{Call, count, time};
use crate::scenario::{Subject, Verb};
use crate::world::{Event, Way, World};

pub(crate) const FAMILY: Family = Family { name: "silence", verbs: &[SILENCE, NAT, FLAP] };

const SILENCE: Verb = Verb { name: "silence", subject: Subject::Node, parameters: &[WAYS], act: silence };

pub(crate) const NAT: Verb =
    Verb { name: "nat", subject: Subject::Node, parameters: &[time("idle", 100, 60_000)], act: nat };

pub(crate) const FLAP: Verb = Verb {
    name: "flap",
    subject: Subject::Node,
    parameters: &[count("times", 1, 20), time("silent", 100, 30_000), time("heard", 1, 30_000)],
    act: flap,
};

fn silence(world: &mut World, call: &Call) -> Effect {
    let Some(link) = world.edges[call.node].link else { return Ok(false) };
    for &way in Way::of(call.values[0]) {
        world.network.link_mut(link).stream(way).silent = true;
    }
    Ok(world.network.link(link).lives())
}

/// A translator on the way forgets the node's link when nothing crosses it for so long.
fn nat(world: &mut World, call: &Call) -> Effect {
    let Some(link) = world.edges[call.node].link else { return Ok(false) };
    world.network.link_mut(link).nat_idle = Some(call.time(0));
    world.nat_looks(link);
    // It strikes when it forgets.
    Ok(false)
}

/// Nothing crosses, then everything does, again and again.
fn flap(world: &mut World, call: &Call) -> Effect {
    let [times, silent_us, heard_us, ..] = call.values;
    let event = Event::Flaps { node: call.node, times, silent_us, heard_us };
    world.queue.plan(world.now, event);
    // It strikes when there is a link.
    Ok(false)
}
