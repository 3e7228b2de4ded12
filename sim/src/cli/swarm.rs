//! `swarm`: many seeds.

use super::CommandOutcome;
use edgehub_sim::{LogKind, Report};
use std::time::Instant;

/// Runs many seeds and stops at the first that fails
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// How many seeds
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// Virtual minutes of trouble for each
    #[arg(long, default_value_t = 5)]
    minutes: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    first_seed: u64,
}

pub(super) fn run(Arguments { seeds, minutes, first_seed }: Arguments) -> CommandOutcome {
    let started = Instant::now();
    let mut sum = Report::default();
    for seed in first_seed..first_seed.saturating_add(seeds) {
        sum.add(
            &edgehub_sim::run(
                &edgehub_sim::generate(seed, std::time::Duration::from_secs(60 * minutes)),
                LogKind::Nothing,
            )
            .0
            .map_err(|failure| failure.to_string())?,
        );
    }
    let wall = started.elapsed().as_secs_f64();
    println!("{seeds} seeds: {:.0} hub-seconds per second; {sum:?}", sum.hub_time.as_secs_f64() / wall);
    Ok(())
}
