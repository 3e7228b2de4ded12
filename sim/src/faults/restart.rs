//! CloudHub dies and is there again after a while, without anything that it held.

use super::Fault;
use crate::checks::Outcome;
use crate::world::World;

pub(super) const RESTART: Fault = Fault { name: "cloud restart", strike };

fn strike(world: &mut World) -> Outcome {
    world.cloud_fails();
    Ok(())
}
