//! The cloud sends one module more than its inbox holds, while it takes nothing: the link must not be read, and must be
//! read again (defects D3, D9, D11).

use super::Fault;
use crate::checks::Outcome;
use crate::world::World;
use edgehub_core::limits::{INBOX_MESSAGES_MAX, INBOX_PAUSE_AT};

pub(super) const FLOOD: Fault = Fault { name: "flood", strike };

fn strike(world: &mut World) -> Outcome {
    let node = world.dice.index(world.edges.len());
    let length = world.dice.millis(500, 10_000);
    for module in 0..world.edges[node].modules.len() {
        world.slow_down(node, module, length);
    }
    let count = world.dice.number(INBOX_PAUSE_AT as u64 / 2, 2 * INBOX_MESSAGES_MAX as u64);
    (0..count).try_for_each(|_| world.twin_command(node))
}
