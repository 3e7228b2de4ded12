//! A link goes silent: what is written is never received, and nobody is told. Half-open links are of this kind
//! (defect D4).

use super::Fault;
use crate::checks::Outcome;
use crate::world::World;

pub(super) const BOTH_WAYS: Fault = Fault { name: "silence both ways", strike: |world| strike(world, true) };
pub(super) const ONE_WAY: Fault = Fault { name: "silence one way", strike: |world| strike(world, false) };

fn strike(world: &mut World, both: bool) -> Outcome {
    let live = world.network.live();
    if live.is_empty() {
        return Ok(());
    }
    let link = live[world.dice.index(live.len())];
    let up = world.dice.chance(500);
    let link = world.network.link_mut(link);
    link.up.silent |= both || up;
    link.down.silent |= both || !up;
    Ok(())
}
