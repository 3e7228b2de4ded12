//! `swarm`: many seeds.

use super::progress::bar;
use super::shrink::shrink;
use super::{CommandOutcome, command, command_for, stuck};
use edgehub_sim::{Failed, PATIENCE, Swarm, generate, swarm};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// Runs many seeds; the lowest that fails is shrunk and saved
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
    /// Threads; as many as there are cores, if not given
    #[arg(long)]
    jobs: Option<usize>,
    /// Where a failing scenario is saved
    #[arg(long, default_value = stuck::FOLDER)]
    save: PathBuf,
    /// The most runs that shrinking may take
    #[arg(long, default_value_t = 3_000)]
    shrink_runs: u64,
}

pub(super) fn run(arguments: Arguments) -> CommandOutcome {
    let Arguments { seeds, minutes, first_seed, jobs, save, shrink_runs } = arguments;
    let jobs = jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    let end = first_seed.saturating_add(seeds);
    let plan = Swarm {
        seeds: first_seed..end,
        duration: Duration::from_secs(60 * minutes),
        jobs,
        patience: PATIENCE,
    };
    let started = Instant::now();
    let bar = bar(seeds);
    let outcome = swarm(&plan, &|| bar.inc(1), &stuck::give_up(&save));
    bar.finish_and_clear();
    let wall = started.elapsed().as_secs_f64();
    match outcome {
        Ok(report) => {
            let speed = report.hub_time.as_secs_f64() / wall;
            println!("{report}; {wall:.1} s on {jobs} threads, {speed:.0} hub-seconds per second");
            if let missing @ [_, ..] = report.effects.missing().as_slice() {
                println!("without any effect in these seeds: {}", missing.join(", "));
            }
            Ok(())
        }
        Err(failed) => Err(explain(&failed, plan.duration, &save, shrink_runs)),
    }
}

/// Saves the failing scenario and the smallest one like it.
fn explain(failed: &Failed, duration: Duration, folder: &Path, runs: u64) -> String {
    let Failed { seed, failure } = failed;
    let scenario = generate(*seed, duration);
    let minutes = duration.as_secs() / 60;
    let by_seed = command(&format!("run --seed {seed} --minutes {minutes}"));
    let text = format!("# {failure}\n{scenario}");
    let whole = match super::shrink::save(folder, &format!("seed-{seed}.scn"), &text) {
        Ok(file) => command_for(&file),
        Err(error) => format!("{by_seed} (not saved: {error})"),
    };
    println!("seed {seed} failed: {failure}\nreproduce: {whole}\nshrinking …");
    let Some(shrunk) = shrink(&scenario, runs, folder) else {
        return format!("seed {seed}: {failure}\nreproduce: {by_seed}");
    };
    let text = format!("# {}\n{}", shrunk.failure, shrunk.scenario);
    match super::shrink::save(folder, &format!("seed-{seed}.small.scn"), &text) {
        Ok(file) => format!("seed {seed}: {}\nreproduce: {}", shrunk.failure, command_for(&file)),
        Err(error) => format!("seed {seed}: {failure}\nreproduce: {by_seed} (not saved: {error})"),
    }
}
