//! A network on which UDP does not get through, for a while or for ever: QUIC is refused, hangs, or opens and then nothing more comes.

use crate::catalogue::Family;
use crate::effects::Effect;
use crate::scenario::verb::{Call, time, word};
use crate::scenario::{Subject, Verb};
use crate::world::{Udp, World};
use edgehub_core::config::{Lane, LaneChoice};

pub(crate) const FAMILY: Family = Family { name: "udp", verbs: &[UDP] };

/// With `stays yes` the network stays as it is, for a node that has another lane.
const UDP: Verb = Verb {
    name: "udp",
    subject: Subject::Node,
    parameters: &[
        word("ends", &["refused", "hang", "fades"]),
        time("for", 1_000, 120_000),
        word("stays", &["no", "yes"]),
    ],
    act: udp,
};

fn udp(world: &mut World, call: &Call) -> Effect {
    let [ends, _, stays, ..] = call.values;
    let until = world.now + call.time(1);
    let edge = &mut world.edges[call.node];
    let tried = edge.runs() && edge.config.lanes.choice != LaneChoice::WebSocket;
    edge.udp = Udp { until, stays: stays == 1, refused: ends == 0, fades: ends == 2 };
    let Some(link) = edge.link.filter(|_| edge.lane == Lane::Quic) else {
        return Ok(tried);
    };
    match ends {
        0 => drop(world.cut(link)),
        _ => world.network.link_mut(link).fall_silent(),
    }
    Ok(true)
}
