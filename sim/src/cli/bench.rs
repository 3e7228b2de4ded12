//! `bench`: how fast the world turns, with all checks on.

use super::{CommandOutcome, stuck};
use edgehub_sim::{PATIENCE, Swarm, swarm};
use std::path::Path;
use std::time::{Duration, Instant};

/// Measures the simulator's speed and prints one line of JSON
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// How many seeds
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// Virtual minutes of trouble for each
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Threads; the first figure is per hub, so one is what to compare
    #[arg(long, default_value_t = 1)]
    jobs: usize,
}

pub(super) fn run(Arguments { seeds, minutes, jobs }: Arguments) -> CommandOutcome {
    let plan =
        Swarm { seeds: 0..seeds, duration: Duration::from_secs(60 * minutes), jobs, patience: PATIENCE };
    let bar = super::progress::bar(seeds);
    let started = Instant::now();
    let report = swarm(&plan, &|| bar.inc(1), &stuck::give_up(Path::new(stuck::FOLDER)));
    let wall = started.elapsed().as_secs_f64().max(1e-9);
    bar.finish_and_clear();
    let report = report.map_err(|failed| format!("seed {}: {}", failed.seed, failed.failure))?;
    let figures = serde_json::json!({
        "hub_seconds_per_wall_second": (report.hub_time.as_secs_f64() / wall).round(),
        "events_per_s": (report.events as f64 / wall).round(),
        "scenarios_per_minute": (report.scenarios as f64 * 60.0 / wall).round(),
    });
    println!("{figures}");
    Ok(())
}
