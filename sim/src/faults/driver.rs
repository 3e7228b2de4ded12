//! The driver is not as good as it should be: ticks that nobody asked for, too early, too late, twice; outputs that wait.

use crate::catalogue::Family;
use crate::effects::Effect;
use crate::scenario::verb::{Call, count, time, word};
use crate::scenario::{Subject, Verb};
use crate::world::{Event, TickFault, World};

pub(crate) const FAMILY: Family = Family { name: "driver", verbs: &[SPURIOUS, TICKS, DRAINS] };

const SPURIOUS: Verb = Verb {
    name: "spurious",
    subject: Subject::Node,
    parameters: &[count("times", 1, 50), time("gap", 0, 1_000)],
    act: spurious,
};

const TICKS: Verb = Verb {
    name: "ticks",
    subject: Subject::Node,
    parameters: &[word("are", &["early", "late", "twice"]), time("for", 1_000, 60_000), time("by", 1, 3_000)],
    act: ticks,
};

const DRAINS: Verb = Verb {
    name: "drains",
    subject: Subject::Node,
    parameters: &[time("for", 1_000, 60_000), time("late", 0, 3_000)],
    act: drains,
};

fn spurious(world: &mut World, call: &Call) -> Effect {
    let [times, ..] = call.values;
    for number in 0..times as u32 {
        let at = world.now + call.time(1) * number;
        world.queue.plan(at, Event::Tick { node: call.node, sure: true });
    }
    Ok(world.edges[call.node].runs())
}

fn ticks(world: &mut World, call: &Call) -> Effect {
    let fault = [TickFault::Early, TickFault::Late, TickFault::Twice][call.values[0] as usize % 3];
    let until = world.now + call.time(1);
    world.edges[call.node].driver.ticks = Some((fault, call.time(2), until));
    Ok(world.edges[call.node].runs())
}

/// What the hub says is done later.
fn drains(world: &mut World, call: &Call) -> Effect {
    let until = world.now + call.time(0);
    world.edges[call.node].driver.drains_late = Some((call.time(1), until));
    Ok(world.edges[call.node].runs())
}
