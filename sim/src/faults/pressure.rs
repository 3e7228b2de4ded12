//! The sender's operating system takes little or nothing for a while; then it goes on, or the link turns out to be
//! dead.

use super::WAYS;
use crate::catalogue::Family;
use crate::effects::Effect;
use crate::scenario::verb::{Call, count, time, word};
use crate::scenario::{Subject, Verb};
use crate::world::{End, Event, Way, World};

pub(crate) const FAMILY: Family = Family { name: "back-pressure", verbs: &[STUCK] };

const STUCK: Verb = Verb {
    name: "stuck",
    subject: Subject::Node,
    parameters: &[WAYS, time("for", 100, 90_000), word("then", &["writes", "fails"]), count("takes", 0, 300)],
    act: stuck,
};

fn stuck(world: &mut World, call: &Call) -> Effect {
    let [way, _, fails, takes, ..] = call.values;
    let until = world.now + call.time(1);
    let Some(link) = world.edges[call.node].link else { return Ok(false) };
    for &way in Way::of(way) {
        let stream = world.network.link_mut(link).stream(way);
        (stream.stuck_until, stream.takes) = (until, takes);
        // Looking for an arrival is also when a sender goes on.
        world.queue.plan(until, Event::Arrives { link, way });
    }
    if fails == 1 {
        world.queue.plan(until, Event::Severed { link, end: End::Edge });
        world.queue.plan(until, Event::Severed { link, end: End::Cloud });
    }
    Ok(world.network.link(link).lives())
}
