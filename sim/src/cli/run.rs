//! `run`: one seed, with its log.

use super::CommandOutcome;
use edgehub_sim::LogKind;

/// Runs one seed and prints a line for every transition
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Which seed
    #[arg(long)]
    seed: u64,
    /// Virtual minutes of trouble
    #[arg(long, default_value_t = 5)]
    minutes: u64,
}

pub(super) fn run(Arguments { seed, minutes }: Arguments) -> CommandOutcome {
    let (outcome, log) = edgehub_sim::run(seed, minutes, LogKind::Transitions);
    print!("{}", log.text());
    outcome.map(|report| println!("seed {seed} holds: {report:?}")).map_err(|failure| failure.to_string())
}
