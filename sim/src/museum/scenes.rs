//! The scenes, one for each defect.

mod downstream;
mod link;
mod upstream;

use super::original::Schedule;
use super::stage::{Seen, Subject, Verdict};

/// A script for one node, or for many alike, and the judge of what was seen.
#[derive(Clone, Copy)]
pub(super) struct Scene {
    pub(super) defect: &'static str,
    /// What was wrong in the original.
    pub(super) wrong: &'static str,
    /// What happens.
    pub(super) scene: &'static str,
    /// How the original's threads take turns.
    pub(super) schedule: Schedule,
    pub(super) nodes: u64,
    pub(super) play: fn(&mut dyn Subject),
    pub(super) verdict: fn(&[Seen]) -> Verdict,
}

/// Every scene, in the order of the defects.
pub(super) const ALL: [Scene; 10] = [
    upstream::D1,
    upstream::D2,
    downstream::D3,
    link::D4,
    link::D5,
    link::D6,
    downstream::D7,
    upstream::D8,
    downstream::D9,
    downstream::D11,
];

/// A time in seconds, to the millisecond.
fn seconds(us: u64) -> String {
    format!("{}.{:03} s", us / 1_000_000, us / 1000 % 1000)
}
