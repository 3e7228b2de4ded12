//! Nothing arrives for a while, in one direction; then everything does.

use super::Fault;
use crate::checks::Outcome;
use crate::world::World;

pub(super) const CLOG: Fault = Fault { name: "clog", strike };

fn strike(world: &mut World) -> Outcome {
    let live = world.network.live();
    if live.is_empty() {
        return Ok(());
    }
    let link = live[world.dice.index(live.len())];
    let end = world.now + world.dice.millis(100, 25_000);
    let up = world.dice.chance(500);
    let link = world.network.link_mut(link);
    let stream = if up { &mut link.up } else { &mut link.down };
    stream.not_before = stream.not_before.max(end);
    Ok(())
}
