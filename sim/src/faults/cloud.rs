//! The cloud fails: it crashes, comes back without sessions or with those of an hour ago, is slow, throws nodes out, or
//! keeps a link that it does not serve.

use crate::catalogue::Family;
use crate::effects::Effect;
use crate::scenario::verb::{Call, time};
use crate::scenario::{Subject, Verb};
use crate::world::World;

pub(crate) const FAMILY: Family =
    Family { name: "cloud", verbs: &[CRASH, FAIL_OVER_VERB, SLOW, EVICT_ALL, EVICT, ZOMBIE] };

/// Its second value is how far behind the replica is.
pub(crate) const FAIL_OVER: &str = "fail-over";

const CRASH: Verb = Verb {
    name: "crash",
    subject: Subject::Cloud,
    parameters: &[time("down", 1, 60_000)],
    act: |world, call| Ok(world.cloud_fails(call.node, call.time(0), false)),
};

const FAIL_OVER_VERB: Verb = Verb {
    name: FAIL_OVER,
    subject: Subject::Cloud,
    parameters: &[time("down", 1, 30_000), time("behind", 0, 300_000)],
    act: |world, call| Ok(world.cloud_fails(call.node, call.time(0), true)),
};

const SLOW: Verb = Verb {
    name: "slow",
    subject: Subject::Cloud,
    parameters: &[time("for", 1_000, 60_000), time("by", 1, 10_000)],
    act: slow,
};

const EVICT_ALL: Verb = Verb {
    name: "evict-all",
    subject: Subject::Cloud,
    parameters: &[],
    act: |world, call| evict_all(world, call.node),
};

const EVICT: Verb = Verb {
    name: "evict",
    subject: Subject::Node,
    parameters: &[],
    act: |world, call| world.edges[call.node].link.map_or(Ok(false), |link| world.evict(link)),
};

const ZOMBIE: Verb = Verb { name: "zombie", subject: Subject::Node, parameters: &[], act: zombie };

/// What is drawn after everything else.
pub(crate) const LATER: Family = Family { name: "old cloud", verbs: &[TOO_OLD] };

/// CloudHub does not answer for its own authority, as one does not that is too old to be asked.
const TOO_OLD: Verb = Verb {
    name: "too-old",
    subject: Subject::Cloud,
    parameters: &[time("for", 1_000, 600_000)],
    act: |world, call| {
        world.clouds[call.node].too_old_until = world.now + call.time(0);
        Ok(true)
    },
};

fn slow(world: &mut World, call: &Call) -> Effect {
    let cloud = &mut world.clouds[call.node];
    cloud.slow_until = world.now + call.time(0);
    cloud.slow_by = call.time(1);
    Ok(true)
}

fn evict_all(world: &mut World, cloud: usize) -> Effect {
    world.network.live_to(cloud).into_iter().try_fold(false, |any, link| Ok(world.evict(link)? || any))
}

/// The cloud forgets the session, and goes on answering pings.
fn zombie(world: &mut World, call: &Call) -> Effect {
    let Some(id) = world.edges[call.node].link else { return Ok(false) };
    let link = world.network.link_mut(id);
    let Some(connection) = link.connection.take() else { return Ok(false) };
    link.zombie = true;
    let cloud = link.leads_to;
    if link.cloud != crate::world::Side::Open {
        return Ok(false);
    }
    world.cloud_handle(cloud, edgehub_core::cloud::CloudInput::Closed { connection })?;
    Ok(true)
}
