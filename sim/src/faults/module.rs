//! A module takes nothing for a while, or leaves and comes back.

use super::Fault;
use crate::checks::Outcome;
use crate::world::World;

pub(super) const SLOW: Fault = Fault { name: "slow module", strike: slow };
pub(super) const LEAVES: Fault = Fault { name: "module leaves", strike: leaves };

fn slow(world: &mut World) -> Outcome {
    let (node, module) = some_module(world);
    let length = world.dice.millis(1_000, 90_000);
    world.slow_down(node, module, length);
    Ok(())
}

fn leaves(world: &mut World) -> Outcome {
    let (node, module) = some_module(world);
    world.leave(node, module)
}

fn some_module(world: &mut World) -> (usize, usize) {
    let node = world.dice.index(world.edges.len());
    (node, world.dice.index(world.edges[node].modules.len()))
}
