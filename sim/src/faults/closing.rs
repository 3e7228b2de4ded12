//! A link ends: in order, half, by reset, twice, or in the middle of a frame.

use crate::catalogue::Family;
use crate::checks::Outcome;
use crate::scenario::verb::{Call, count, time, word};
use crate::scenario::{Subject, Verb};
use crate::world::{End, Event, Side, Way, World};
use std::time::Duration;

pub(crate) const FAMILY: Family = Family { name: "closing", verbs: &[CLOSE, CUT] };

const CLOSE: Verb = Verb {
    name: "close",
    subject: Subject::Node,
    parameters: &[word("how", &["fin", "half", "reset", "twice"]), time("after", 0, 5_000)],
    act: close,
};

const CUT: Verb = Verb {
    name: "cut",
    subject: Subject::Node,
    parameters: &[
        super::WAY,
        count("after", 0, 20_000),
        time("edge-told", 0, 30_000),
        time("cloud-told", 0, 30_000),
    ],
    act: cut,
};

/// The node's link ends. Half: the edge is told, and the cloud goes on reading for a while. Twice: the edge is told
/// again.
fn close(world: &mut World, call: &Call) -> Outcome {
    let Some(link) = world.edges[call.node].link else { return Ok(()) };
    let (now, after) = (world.now, call.time(1));
    match call.values[0] {
        0 => return world.evict(link),
        1 => {
            if world.network.link(link).edge == Side::Open {
                world.queue.plan(now, Event::Severed { link, end: End::Edge });
                world.queue.plan(now + after, Event::Severed { link, end: End::Cloud });
            }
        }
        2 => world.cut(link),
        _ => {
            world.network.link_mut(link).told = Some((Duration::ZERO, after));
            world.cut(link);
            world.queue.plan(now + after, Event::Severed { link, end: End::Edge });
        }
    }
    Ok(())
}

/// So many bytes still pass; the frame in which the last of them lies does not arrive, nor does anything after it.
fn cut(world: &mut World, call: &Call) -> Outcome {
    let [way, after, ..] = call.values;
    let Some(link) = world.edges[call.node].link else { return Ok(()) };
    let link = world.network.link_mut(link);
    link.told = Some((call.time(2), call.time(3)));
    let way = if way == 0 { Way::Up } else { Way::Down };
    link.stream(way).dies_after = Some(after);
    Ok(())
}
