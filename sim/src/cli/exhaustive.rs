//! `exhaustive`: every short history of a hub.

use super::{CommandOutcome, command, progress};
use edgehub_sim::exhaustive::{Exploration, explore};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Plays every sequence of so many events, with all checks on
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// How many events
    #[arg(long, default_value_t = 4)]
    depth: u32,
    /// As many events as so many seconds allow, instead
    #[arg(long, conflicts_with = "depth")]
    seconds: Option<u64>,
    /// Where to draw the life of the link, as an SVG picture
    #[arg(long)]
    svg: Option<PathBuf>,
    /// A picture that must be the same as the one that would be drawn
    #[arg(long, conflicts_with = "svg")]
    same_as: Option<PathBuf>,
}

pub(super) fn run(Arguments { depth, seconds, svg, same_as }: Arguments) -> CommandOutcome {
    let started = Instant::now();
    let counter = progress::counter("steps");
    counter.enable_steady_tick(Duration::from_millis(100));
    let told = |seen: &Exploration| {
        counter.set_position(seen.steps);
        let line = format!(
            "{} events: {} interleavings hold; {} states, {} steps, {:.1} s",
            seen.depth,
            seen.interleavings,
            seen.states,
            seen.steps,
            started.elapsed().as_secs_f64(),
        );
        counter.suspend(|| println!("{line}"));
    };
    let (depth, limit) = match seconds {
        Some(seconds) => (u32::MAX, seconds),
        None => (depth, u64::MAX),
    };
    let goes_on = || started.elapsed().as_secs() < limit;
    let seen = explore(depth, goes_on, told).map_err(|counterexample| counterexample.to_string())?;
    counter.finish_and_clear();
    let depth = seen.depth;
    println!("every history of up to {depth} events holds");
    match seen.lifecycle.unseen().as_slice() {
        [] => println!("every line of the link's table was reached, and every refusal of what has none"),
        unseen => println!("not reached: {}", unseen.join(", ")),
    }
    if let Some(file) = same_as {
        let committed =
            std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let renew = command(&format!("exhaustive --depth {depth} --svg {}", file.display()));
        return if committed == seen.lifecycle.svg()? {
            Ok(())
        } else {
            Err(format!("{} is old\nrenew it: {renew}", file.display()))
        };
    }
    let Some(file) = svg else { return Ok(()) };
    let drawn = std::fs::write(&file, seen.lifecycle.svg()?);
    drawn.map_err(|error| format!("{} cannot be written: {error}", file.display()))
}
