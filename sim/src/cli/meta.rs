//! `meta`: one seed twice.

use super::CommandOutcome;

/// Runs one seed twice and compares the two runs byte for byte
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Which seed
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Virtual minutes of trouble
    #[arg(long, default_value_t = 5)]
    minutes: u64,
}

pub(super) fn run(Arguments { seed, minutes }: Arguments) -> CommandOutcome {
    edgehub_sim::twice(seed, minutes)
        .map(|report| println!("seed {seed}: two runs of {} events are the same", report.events))
        .map_err(|failure| failure.to_string())
}
