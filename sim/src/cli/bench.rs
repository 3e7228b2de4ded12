//! `bench`: how fast the world turns, with all checks on.

use super::{CommandOutcome, again, stuck};
use edgehub_sim::{Failed, PATIENCE, Swarm, swarm};
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
    let report = report.map_err(|failed| told(&failed, minutes))?;
    let figures = serde_json::json!({
        "hub_seconds_per_wall_second": (report.hub_time.as_secs_f64() / wall).round(),
        "events_per_s": (report.events as f64 / wall).round(),
        "scenarios_per_minute": (report.scenarios as f64 * 60.0 / wall).round(),
    });
    println!("{figures}");
    Ok(())
}

fn told(Failed { seed, failure }: &Failed, minutes: u64) -> String {
    again(&format!("seed {seed}: {failure}"), &format!("run --seed {seed} --minutes {minutes}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgehub_core::Instant;
    use edgehub_sim::Failure;

    #[test]
    fn a_failure_is_told_with_its_command() {
        let failure =
            Failure { check: "a".into(), rule: "b".into(), what: "c".into(), at: Instant(1_000_000) };
        assert_eq!(
            told(&Failed { seed: 7, failure }, 10),
            "seed 7: a/b, after 1.000000 s: c\n\
             reproduce: cargo run --release -p edgehub-sim -- run --seed 7 --minutes 10"
        );
    }
}
