//! The node gets another certificate, in any phase of its link: the link is left for it, or a dial begins anew. Modules send on, and
//! the cloud may answer no ping for a while.

use crate::catalogue::Family;
use crate::effects::Effect;
use crate::scenario::verb::{Call, count};
use crate::scenario::{Subject, Verb};
use crate::world::{Speech, World};
use edgehub_core::Input;

pub(crate) const FAMILY: Family = Family { name: "renewal", verbs: &[RENEW] };

/// With messages before and behind it, and so many pings from then on without an answer.
const RENEW: Verb = Verb {
    name: "renew",
    subject: Subject::Node,
    parameters: &[
        super::MODULE,
        count("before", 0, 20),
        count("behind", 0, 300),
        count("pongs-missing", 0, 40),
    ],
    act: renew,
};

fn renew(world: &mut World, call: &Call) -> Effect {
    let [module, before, behind, missing, ..] = call.values;
    let speech = Speech { bytes: 200, elsewhere: false, entity: call.entity, ask: None };
    let runs = world.edges[call.node].runs();
    world.speaks(call.node, module as usize, speech, before)?;
    if let Some(link) = world.edges[call.node].link {
        world.network.link_mut(link).pongs_left_out += missing;
    }
    world.edge_handle(call.node, Input::Renewed)?;
    world.speaks(call.node, module as usize, speech, behind)?;
    Ok(runs)
}
