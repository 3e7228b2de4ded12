//! Frames come in pieces, or many at once, or are no messages.

use super::WAY;
use super::delay::conduct;
use crate::catalogue::Family;
use crate::effects::Effect;
use crate::scenario::verb::{Call, count, time, word};
use crate::scenario::{Subject, Verb};
use crate::world::{DAMAGES, Damage, Way, World};

pub(crate) const FAMILY: Family = Family { name: "framing", verbs: &[DAMAGE, SPLIT, COALESCE] };

pub(crate) const DAMAGE: Verb = Verb {
    name: "damage",
    subject: Subject::Node,
    parameters: &[WAY, word("what", &DAMAGES), count("skip", 0, 20), count("at", 0, 2_000)],
    act: damage,
};

const SPLIT: Verb = Verb {
    name: "split",
    subject: Subject::Node,
    parameters: &[time("for", 1_000, 60_000), count("pieces", 2, 500), time("gap", 0, 5)],
    act: split,
};

const COALESCE: Verb = Verb {
    name: "coalesce",
    subject: Subject::Node,
    parameters: &[time("for", 1_000, 60_000), time("every", 10, 5_000)],
    act: coalesce,
};

/// Something happens to one of the next messages.
fn damage(world: &mut World, call: &Call) -> Effect {
    let [way, what, skip, at, ..] = call.values;
    let Some(link) = world.edges[call.node].link else { return Ok(false) };
    let way = if way == 0 { Way::Up } else { Way::Down };
    world.network.link_mut(link).stream(way).damage.push_back(Damage { skip, what, at });
    // It strikes when that one leaves.
    Ok(false)
}

/// A frame is there when the last of its pieces is, and no piece of the next one comes before that.
fn split(world: &mut World, call: &Call) -> Effect {
    let (pieces, gap) = (call.values[1], call.time(2));
    conduct(world, call, |conduct| (conduct.pieces, conduct.gap) = (pieces, gap))
}

/// What is sent over a while arrives at once.
fn coalesce(world: &mut World, call: &Call) -> Effect {
    let every = call.time(1);
    conduct(world, call, |conduct| conduct.every = Some(every))
}
