//! The node's disk is slow, full or failing; the power is cut, and bits may rot meanwhile. All of it strikes when the disk is next used.

use crate::catalogue::Family;
use crate::effects::Effect;
use crate::scenario::verb::{Call, count, time};
use crate::scenario::{Subject, Verb};
use crate::world::{Crash, World};

pub(crate) const FAMILY: Family = Family { name: "disk", verbs: &[SLOW, FULL, FAILS, POWER] };

pub(crate) const SLOW: Verb = Verb {
    name: "disk-slow",
    subject: Subject::Node,
    parameters: &[time("for", 1, 60_000), time("by", 1, 5_000)],
    act: slow,
};

pub(crate) const FULL: Verb =
    Verb { name: "disk-full", subject: Subject::Node, parameters: &[time("for", 1, 60_000)], act: full };

pub(crate) const FAILS: Verb = Verb {
    name: "disk-fails",
    subject: Subject::Node,
    parameters: &[time("for", 1, 60_000), count("often", 1, 1_000)],
    act: fails,
};

pub(crate) const POWER: Verb = Verb {
    name: "power-cut",
    subject: Subject::Node,
    parameters: &[
        count("after", 0, 500),
        time("down", 0, 60_000),
        count("times", 1, 20),
        count("flips", 0, 3),
    ],
    act: power,
};

fn slow(world: &mut World, call: &Call) -> Effect {
    let until = world.now + call.time(0);
    for store in world.edges[call.node].disks() {
        store.slow = Some((call.time(1), until));
    }
    Ok(false)
}

fn full(world: &mut World, call: &Call) -> Effect {
    let until = world.now + call.time(0);
    for store in world.edges[call.node].disks() {
        store.full_until = until;
    }
    Ok(false)
}

fn fails(world: &mut World, call: &Call) -> Effect {
    let until = world.now + call.time(0);
    for store in world.edges[call.node].disks() {
        store.broken = Some((call.values[1], until));
    }
    Ok(false)
}

fn power(world: &mut World, call: &Call) -> Effect {
    let [left, _, times, flips, ..] = call.values;
    let crash = Crash { left, after: left, down: call.time(1), times, power: Some(flips) };
    world.edges[call.node].crash = Some(crash);
    Ok(false)
}
