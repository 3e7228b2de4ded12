//! Modules are slow, say nothing, leave, or flood; or they are flooded (defects D3, D9, D11).

use super::MODULE;
use crate::catalogue::Family;
use crate::effects::Effect;
use crate::scenario::verb::{Call, count, time};
use crate::scenario::{Subject, Verb};
use crate::traffic;
use crate::world::{Speech, World};
use edgehub_core::limits::INBOX_MESSAGES_MAX;

pub(crate) const FAMILY: Family = Family { name: "modules", verbs: &[SLOW, SILENT, GONE, FLOODS, FLOODED] };

const SLOW: Verb = Verb {
    name: "slow-module",
    subject: Subject::Node,
    parameters: &[MODULE, time("for", 100, 120_000)],
    act: slow,
};

const SILENT: Verb = Verb {
    name: "silent-module",
    subject: Subject::Node,
    parameters: &[MODULE, time("for", 100, 120_000)],
    act: silent,
};

const GONE: Verb = Verb {
    name: "gone-module",
    subject: Subject::Node,
    parameters: &[MODULE, time("for", 0, 60_000)],
    act: |world, call| world.leave(call.node, call.values[0] as usize, call.time(1)),
};

const FLOODS: Verb = Verb {
    name: "flood-up",
    subject: Subject::Node,
    parameters: &[MODULE, count("count", 1, 2_000), count("bytes", 0, 2_000)],
    act: floods,
};

const FLOODED: Verb = Verb {
    name: "flood-down",
    subject: Subject::Node,
    // Fewer would not fill an inbox to where the link is read no more, nor for long enough.
    parameters: &[
        MODULE,
        count("count", 100, 2 * INBOX_MESSAGES_MAX as u64),
        time("slow", 5_000, 60_000),
        count("bytes", 100, 20_000),
    ],
    act: flooded,
};

fn slow(world: &mut World, call: &Call) -> Effect {
    let until = world.now + call.time(1);
    world.edges[call.node].modules[call.values[0] as usize].slow_until = until;
    Ok(world.is_there(call.node, call.values[0] as usize))
}

fn silent(world: &mut World, call: &Call) -> Effect {
    let until = world.now + call.time(1);
    world.edges[call.node].modules[call.values[0] as usize].silent_until = until;
    Ok(world.is_there(call.node, call.values[0] as usize))
}

/// A module sends more than the link carries.
fn floods(world: &mut World, call: &Call) -> Effect {
    let [module, count, bytes, ..] = call.values;
    let speech = Speech { bytes, elsewhere: false, entity: call.entity, ask: None };
    world.speaks(call.node, module as usize, speech, count)
}

/// The cloud sends one module more than its inbox holds, while it takes nothing.
fn flooded(world: &mut World, call: &Call) -> Effect {
    let [module, count, _, bytes, ..] = call.values;
    let until = world.now + call.time(2);
    world.edges[call.node].modules[module as usize].slow_until = until;
    traffic::commands(world, call, module, count, false, bytes)
}
