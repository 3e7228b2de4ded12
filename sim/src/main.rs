//! The simulator's command line.

#[path = "cli/museum.rs"]
mod museum;

use clap::{Parser, Subcommand};
use edgehub_sim::{Failure, LogKind, Report, run, twice};
use std::process::ExitCode;
use std::time::Instant;

#[derive(Debug, Parser)]
#[command(name = "edgehub-sim", about = "Runs the edge hub in a simulated world, from one seed", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs many seeds and stops at the first that fails
    Swarm {
        /// How many seeds
        #[arg(long, default_value_t = 100)]
        seeds: u64,
        /// Virtual minutes of trouble for each
        #[arg(long, default_value_t = 5)]
        minutes: u64,
        /// The first of them
        #[arg(long, default_value_t = 0)]
        first_seed: u64,
    },
    /// Runs one seed and prints a line for every transition
    Run {
        /// Which seed
        #[arg(long)]
        seed: u64,
        /// Virtual minutes of trouble
        #[arg(long, default_value_t = 5)]
        minutes: u64,
    },
    /// Plays the known defects of the original hub, with a model of it and with ours
    Museum(museum::Arguments),
    /// Runs one seed twice and compares the two runs byte for byte
    Meta {
        /// Which seed
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// Virtual minutes of trouble
        #[arg(long, default_value_t = 5)]
        minutes: u64,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Museum(arguments) => return museum(&arguments),
        Command::Swarm { seeds, minutes, first_seed } => swarm(first_seed, seeds, minutes),
        Command::Run { seed, minutes } => {
            let (outcome, log) = run(seed, minutes, LogKind::Transitions);
            print!("{}", log.text());
            outcome.map(|report| println!("seed {seed} holds: {report:?}"))
        }
        Command::Meta { seed, minutes } => twice(seed, minutes)
            .map(|report| println!("seed {seed}: two runs of {} events are the same", report.events)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            println!("FAILED {failure}");
            ExitCode::FAILURE
        }
    }
}

fn museum(arguments: &museum::Arguments) -> ExitCode {
    match museum::run(arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            println!("FAILED a scene does not show its defect, or ours has it");
            ExitCode::FAILURE
        }
        Err(what) => {
            println!("FAILED {what}");
            ExitCode::FAILURE
        }
    }
}

fn swarm(first_seed: u64, seeds: u64, minutes: u64) -> Result<(), Failure> {
    let started = Instant::now();
    let mut sum = Report::default();
    for seed in first_seed..first_seed.saturating_add(seeds) {
        sum.add(&run(seed, minutes, LogKind::Nothing).0?);
    }
    let wall = started.elapsed().as_secs_f64();
    let hub = sum.hub_time.as_secs_f64();
    println!(
        "{seeds} seeds from {first_seed}, {minutes} min each: {hub:.0} hub-seconds in {wall:.1} s = {:.0} per second; \
         {} events, {} faults, {} links, {} confirmed, {} delivered, {} requests",
        hub / wall,
        sum.events,
        sum.faults,
        sum.links,
        sum.confirmed,
        sum.delivered,
        sum.requests,
    );
    Ok(())
}
