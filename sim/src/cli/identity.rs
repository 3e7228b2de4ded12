//! `identity`: years of a node's certificate.

use super::{CommandOutcome, again, progress::bar};
use edgehub_sim::{IdentityReport, identity, identity_picture, years};
use std::panic;
use std::path::PathBuf;
use std::time::Instant;

/// Lets nodes keep their certificates: through five lives of one in which everything happens that can, and then for years, hour
/// by hour, with nobody there
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// How many nodes of both kinds, one a seed
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    first_seed: u64,
    /// Years of each that nobody visits; 0 for none
    #[arg(long, default_value_t = 20)]
    years: u32,
    /// Where to draw the life of an identity, as an SVG picture; nothing is played then
    #[arg(long)]
    svg: Option<PathBuf>,
}

pub(super) fn run(arguments: Arguments) -> CommandOutcome {
    let Arguments { seeds, first_seed, years: long, svg } = arguments;
    if let Some(file) = svg {
        let drawn = std::fs::write(&file, identity_picture()?);
        return drawn.map_err(|error| format!("{} cannot be written: {error}", file.display()));
    }
    let seeds = first_seed..first_seed.saturating_add(seeds);
    let visited = total(seeds.clone(), long, |seed, _| identity(seed));
    let alone = if long > 0 { total(seeds, long, years) } else { Ok(()) };
    visited.and(alone)
}

/// Plays each of the seeds, also after one that breaks a promise.
fn total(
    seeds: std::ops::Range<u64>,
    long: u32,
    play: impl Fn(u64, u32) -> IdentityReport + Copy + panic::RefUnwindSafe,
) -> CommandOutcome {
    let begun = Instant::now();
    let nodes = seeds.end - seeds.start;
    let bar = bar(nodes);
    let mut total = IdentityReport::default();
    let mut broken = Vec::new();
    for seed in seeds {
        match tried(seed, long, play) {
            Ok(report) => total.add(&report),
            Err(told) => broken.push(told),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    println!("{nodes} nodes: {total}, in {:.1} s", begun.elapsed().as_secs_f64());
    if broken.is_empty() { Ok(()) } else { Err(broken.join("\n")) }
}

/// A promise that is broken is a panic, which has said what is wrong by then.
fn tried(
    seed: u64,
    long: u32,
    play: impl Fn(u64, u32) -> IdentityReport + panic::RefUnwindSafe,
) -> Result<IdentityReport, String> {
    panic::catch_unwind(|| play(seed, long)).map_err(|_| {
        let what = format!("identity --first-seed {seed} --seeds 1 --years {long}");
        again(&format!("seed {seed} breaks a promise"), &what)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_promise_is_told_with_its_command() {
        assert_eq!(
            tried(7, 20, |_, _| panic!("a promise")).unwrap_err(),
            "seed 7 breaks a promise\n\
             reproduce: cargo run --release -p edgehub-sim -- identity --first-seed 7 --seeds 1 --years 20"
        );
    }
}
