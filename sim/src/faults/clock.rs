//! A node's wall clock jumps. Its monotonic clock does not.

use super::Fault;
use crate::checks::Outcome;
use crate::world::World;

const DAY_MS: i64 = 86_400_000;

pub(super) const WALL_JUMP: Fault = Fault { name: "wall clock jump", strike };

fn strike(world: &mut World) -> Outcome {
    let node = world.dice.index(world.edges.len());
    let jump_ms = world.dice.number(0, 2 * DAY_MS as u64) as i64 - DAY_MS;
    world.edges[node].wall_skew_ms = jump_ms;
    Ok(())
}
