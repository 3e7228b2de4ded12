//! What modules and the cloud send: actions too, so that a scenario says everything.

use crate::catalogue::Family;
use crate::effects::Effect;
use crate::scenario::verb::{Call, count, time, word};
use crate::scenario::{Parameter, Subject, Verb};
use crate::world::{AskPlan, COMMAND_WORDS, CONTENT_MAX, MODULES, Speech, World};
use edgehub_core::Instant;
use std::time::Duration;

pub(crate) const FAMILY: Family = Family { name: "traffic", verbs: &[SEND, ASK, COMMAND] };

const MODULE: Parameter = word("module", &MODULES);

const BYTES: Parameter = count("bytes", 0, CONTENT_MAX as u64);

const SEND: Verb = Verb {
    name: "send",
    subject: Subject::Node,
    parameters: &[MODULE, BYTES, count("count", 1, 200), word("to", &["cloud", "elsewhere"])],
    act: send,
};

const ASK: Verb = Verb {
    name: "ask",
    subject: Subject::Node,
    parameters: &[
        MODULE,
        BYTES,
        word("answer", &AskPlan::ANSWERS),
        time("after", 0, 60_000),
        // Zero stands for the hub's own.
        time("timeout", 0, 60_000),
        word("id", &["fresh", "repeated"]),
    ],
    act: ask,
};

const COMMAND: Verb = Verb {
    name: "command",
    subject: Subject::Node,
    parameters: &[
        word("to", &COMMAND_WORDS),
        BYTES,
        count("count", 1, 200),
        word("delivery", &["once", "acknowledged"]),
    ],
    act: |world, call| {
        commands(world, call, call.values[0], call.values[2], call.values[3] == 1, call.values[1])
    },
};

/// Whether a verb belongs to what goes on anyway.
pub(crate) fn is_traffic(verb: &Verb) -> bool {
    FAMILY.verbs.iter().any(|known| known.name == verb.name && known.subject == verb.subject)
}

fn send(world: &mut World, call: &Call) -> Effect {
    let [module, bytes, count, elsewhere, ..] = call.values;
    let speech = Speech { bytes, elsewhere: elsewhere == 1, entity: call.entity, ask: None };
    world.speaks(call.node, module as usize, speech, count)
}

fn ask(world: &mut World, call: &Call) -> Effect {
    let [module, bytes, answer, .., timeout, id] = call.values;
    let plan = AskPlan { answer, after: call.time(3), deadline: Instant(0) };
    let timeout = (timeout > 0).then(|| Duration::from_micros(timeout));
    let ask = Some((plan, timeout, id == 1));
    let speech = Speech { bytes, elsewhere: false, entity: call.entity, ask };
    world.speak(call.node, module as usize, speech)
}

/// The cloud sends so many commands of one kind to the node.
pub(crate) fn commands(
    world: &mut World,
    call: &Call,
    to: u64,
    count: u64,
    acknowledged: bool,
    bytes: u64,
) -> Effect {
    (0..count).try_fold(false, |any, again| {
        let entity = call.entity * 10_000 + again;
        Ok(world.command(call.node, to, acknowledged, bytes, entity)? || any)
    })
}
