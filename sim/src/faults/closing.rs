//! A link ends: in order, half, by reset, twice, or in the middle of a frame.

use crate::catalogue::Family;
use crate::effects::Effect;
use crate::scenario::verb::{Call, count, time, word};
use crate::scenario::{Parameter, Subject, Verb};
use crate::world::{End, Event, Side, Way, World};
use std::time::Duration;

pub(crate) const FAMILY: Family = Family { name: "closing", verbs: &[CLOSE, CUT] };

/// How a link ends; the last word is drawn by itself.
const HOW: Parameter = word("how", &["fin", "half", "reset", "twice", "half-for-cloud"]);

const AFTER: Parameter = time("after", 0, 5_000);

pub(crate) const CLOSE: Verb = Verb {
    name: "close",
    subject: Subject::Node,
    parameters: &[Parameter { high: HOW.high - 1, ..HOW }, AFTER],
    act: close,
};

/// The parameters of a close of which the cloud hears first.
pub(crate) const HALF_FOR_CLOUD: [Parameter; 2] = [Parameter { low: HOW.high, ..HOW }, AFTER];

pub(crate) const CUT: Verb = Verb {
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

/// The node's link ends. Half: the edge is told, and the cloud goes on reading for a while; or the cloud is, and the edge goes
/// on writing. Twice: the edge is told again.
fn close(world: &mut World, call: &Call) -> Effect {
    let Some(link) = world.edges[call.node].link else { return Ok(false) };
    let (now, after) = (world.now, call.time(1));
    match call.values[0] {
        0 => world.evict(link),
        1 => {
            let open = world.network.link(link).edge == Side::Open;
            if open {
                world.queue.plan(now, Event::Severed { link, end: End::Edge });
                world.queue.plan(now + after, Event::Severed { link, end: End::Cloud });
            }
            Ok(open)
        }
        2 => Ok(world.cut(link)),
        4 => {
            let open = world.network.link(link).cloud == Side::Open;
            if open {
                world.queue.plan(now, Event::Severed { link, end: End::Cloud });
                world.queue.plan(now + after, Event::Severed { link, end: End::Edge });
            }
            Ok(open)
        }
        _ => {
            world.network.link_mut(link).told = Some((Duration::ZERO, after));
            let cut = world.cut(link);
            world.queue.plan(now + after, Event::Severed { link, end: End::Edge });
            Ok(cut)
        }
    }
}

/// So many bytes still pass; the frame in which the last of them lies does not arrive, nor does anything after it.
fn cut(world: &mut World, call: &Call) -> Effect {
    let [way, after, ..] = call.values;
    let Some(link) = world.edges[call.node].link else { return Ok(false) };
    let link = world.network.link_mut(link);
    link.told = Some((call.time(2), call.time(3)));
    let way = if way == 0 { Way::Up } else { Way::Down };
    link.stream(way).dies_after = Some(after);
    // It strikes when they have passed.
    Ok(false)
}
