//! A node's machine is suspended, and wakes with everything that it missed waiting for it.

use super::Fault;
use crate::checks::Outcome;
use crate::world::World;

pub(super) const SLEEP: Fault = Fault { name: "sleep", strike };

fn strike(world: &mut World) -> Outcome {
    let node = world.dice.index(world.edges.len());
    let length = world.dice.millis(100, 90_000);
    world.put_to_sleep(node, length);
    Ok(())
}
