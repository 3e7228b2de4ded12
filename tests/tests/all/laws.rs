//! The laws of the core, each a property over generated runs.
//!
//! A [`Plan`] becomes a run, the list of `(now, input)` with the outputs of each (`world`). A law changes that list in
//! one way, runs it again, and says what may differ.

#[path = "laws/bounds.rs"]
mod bounds;
#[path = "laws/epochs.rs"]
mod epochs;
#[path = "laws/purity.rs"]
mod purity;
#[path = "laws/redaction.rs"]
mod redaction;
#[path = "laws/requests.rs"]
mod requests;
#[path = "laws/time.rs"]
mod time;

use crate::world::{Plan, Run, World};
use edgehub_core::{Hub, Instant, Output};

const STEPS: usize = 80;

fn run(plan: &Plan) -> Run {
    World::run(plan, |_, _| {})
}

fn json(outputs: &[Output]) -> String {
    serde_json::to_string(outputs).unwrap()
}

fn without_notes(outputs: &[Output]) -> Vec<Output> {
    outputs.iter().filter(|output| !matches!(output, Output::Note(_))).cloned().collect()
}

/// Everything the hub knows, its clocks left out: a hub that was only shown the time has not changed.
fn state(hub: &Hub) -> String {
    let shown = format!("{hub:?}");
    let (before, after) = shown.split_once("now: Now {").unwrap();
    let (_, after) = after.split_once("outputs:").unwrap();
    format!("{before}{after}")
}

/// The hub's monotonic clock, from what it shows of itself.
fn hub_clock(hub: &Hub) -> Instant {
    let shown = format!("{hub:?}");
    let (_, after) = shown.split_once("now: Now { mono: Instant(").unwrap();
    Instant(after.split_once(')').unwrap().0.parse().unwrap())
}
