//! A link is cut. What was under way is lost, and each side learns of it at a time of its own.

use super::Fault;
use crate::checks::Outcome;
use crate::world::World;

pub(super) const CUT: Fault = Fault { name: "cut", strike };

fn strike(world: &mut World) -> Outcome {
    let live = world.network.live();
    if !live.is_empty() {
        let link = live[world.dice.index(live.len())];
        world.cut(link);
    }
    Ok(())
}
