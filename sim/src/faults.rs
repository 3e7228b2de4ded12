//! What can go wrong at a moment of its own, one file each. What can go wrong with something that happens anyway (a
//! dial, a frame, a tick) is a chance in the plan.

mod clock;
mod clog;
mod cut;
mod flood;
mod module;
mod restart;
mod silence;
mod sleep;

use crate::checks::Outcome;
use crate::world::World;

/// One fault.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) strike: fn(&mut World) -> Outcome,
}

/// Every fault. A new one goes to the end: the order is part of what a seed means.
pub(crate) const ALL: [Fault; 10] = [
    cut::CUT,
    silence::BOTH_WAYS,
    silence::ONE_WAY,
    clog::CLOG,
    restart::RESTART,
    sleep::SLEEP,
    clock::WALL_JUMP,
    module::SLOW,
    module::LEAVES,
    flood::FLOOD,
];
