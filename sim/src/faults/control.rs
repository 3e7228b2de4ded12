//! What an operator does in the middle of everything: another configuration, a shutdown.

use crate::catalogue::Family;
use crate::checks::Outcome;
use crate::scenario::settings::{EDGE, EDGE_NAMES};
use crate::scenario::verb::{Call, count, word};
use crate::scenario::{Subject, Verb};
use crate::world::World;
use edgehub_core::Input;

pub(crate) const FAMILY: Family = Family { name: "control", verbs: &[RECONFIGURE, SHUTDOWN] };

const RECONFIGURE: Verb = Verb {
    name: "reconfigure",
    subject: Subject::Node,
    parameters: &[word("setting", &EDGE_NAMES), count("to", 0, 60_000_000)],
    act: reconfigure,
};

const SHUTDOWN: Verb = Verb {
    name: "shutdown",
    subject: Subject::Node,
    parameters: &[],
    act: |world, call| world.edge_handle(call.node, Input::Shutdown),
};

/// Changes one setting, to the nearest value that it can have. Times are in microseconds.
fn reconfigure(world: &mut World, call: &Call) -> Outcome {
    let [setting, to, ..] = call.values;
    let Some(setting) = EDGE.get(setting as usize) else { return Ok(()) };
    let edge = &mut world.edges[call.node];
    if edge.down {
        return Ok(());
    }
    (setting.change)(&mut edge.config, to.clamp(setting.parameter.low, setting.parameter.high));
    let config = Box::new(edge.config.clone());
    world.edge_handle(call.node, Input::Reconfigure(config))
}
