//! What an operator does in the middle of everything: another configuration, a shutdown.

use crate::catalogue::Family;
use crate::classes;
use crate::effects::Effect;
use crate::scenario::settings::{EDGE, EDGE_NAMES};
use crate::scenario::verb::{Call, count, word};
use crate::scenario::{Kind, Parameter, Subject, Verb};
use crate::world::{Speech, World};
use edgehub_core::{Config, Input};

pub(crate) const FAMILY: Family = Family { name: "control", verbs: &[RECONFIGURE, SHUTDOWN, CLASSES] };

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
    act: |world, call| {
        let runs = world.edges[call.node].runs();
        world.edge_handle(call.node, Input::Shutdown)?;
        Ok(runs)
    },
};

/// Another set of classes, while messages wait.
const CLASSES: Verb = Verb {
    name: "other-classes",
    subject: Subject::Node,
    parameters: &[super::MODULE, count("behind", 0, 300), word("to", &classes::WORDS)],
    act: other_classes,
};

fn other_classes(world: &mut World, call: &Call) -> Effect {
    let [module, behind, to, ..] = call.values;
    let speech = Speech { bytes: 200, elsewhere: false, entity: call.entity, ask: None };
    world.speaks(call.node, module as usize, speech, behind)?;
    change(world, call.node, |config| config.classes = classes::set(to))
}

/// Changes one setting, to the nearest value that it can have. Times are in microseconds.
fn reconfigure(world: &mut World, call: &Call) -> Effect {
    let [setting, to, ..] = call.values;
    let Some(setting) = EDGE.get(setting as usize) else { return Ok(false) };
    let Parameter { kind, low, high, .. } = setting.parameter;
    // Any of the words, as likely as the others.
    let to = if matches!(kind, Kind::Word(_)) { low + to % (high - low + 1) } else { to.clamp(low, high) };
    change(world, call.node, |config| (setting.change)(config, to))
}

fn change(world: &mut World, node: usize, change: impl FnOnce(&mut Config)) -> Effect {
    let edge = &mut world.edges[node];
    if edge.down {
        return Ok(false);
    }
    let before = edge.config.clone();
    change(&mut edge.config);
    let (other, runs) = (edge.config != before, edge.runs());
    let config = Box::new(edge.config.clone());
    world.edge_handle(node, Input::Reconfigure(config))?;
    Ok(other && runs)
}
