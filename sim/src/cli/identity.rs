//! `identity`: years of a node's certificate.

use super::{CommandOutcome, again, progress::bar};
use edgehub_sim::{IdentityReport, identity_picture, years};
use std::panic;
use std::path::PathBuf;
use std::time::Instant;

/// Lets nodes keep their certificates for years, hour by hour, through everything that can go wrong
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// How many nodes, one a seed
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    first_seed: u64,
    /// Years of each
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
    let begun = Instant::now();
    let bar = bar(seeds);
    let mut total = IdentityReport::default();
    for seed in first_seed..first_seed.saturating_add(seeds) {
        total.add(&tried(seed, long, years)?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    println!("{seeds} nodes: {total}, in {:.1} s", begun.elapsed().as_secs_f64());
    Ok(())
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
