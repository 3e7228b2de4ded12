//! Bugs on purpose in the core: the simulator must find each of them. Run it with
//! `cargo nextest run -p edgehub-sim --features canaries --test canaries`.

use edgehub_core::canary::{Canary, JournalCanary};
use edgehub_sim::{LogKind, canary, generate, journal, run};
use std::panic;
use std::time::Duration;

/// Each bug must be found by one of so many seeds, from 0 on …
const SEEDS: u64 = 3000;
/// … and without one so many seeds must hold …
const SOUND_SEEDS: u64 = 500;
/// … of so many minutes each.
const MINUTES: u64 = 2;

/// What is wrong with a seed's scenario.
fn wrong(seed: u64) -> Option<String> {
    let scenario = generate(seed, Duration::from_secs(60 * MINUTES));
    run(&scenario, LogKind::Nothing).0.err().map(|failure| failure.to_string())
}

/// What is wrong in a run with this bug; a panic of the core is a failure like any other.
fn found(bug: Canary, seed: u64) -> Option<String> {
    canary::with(bug, || wrong(seed))
}

#[test]
fn canaries_are_found() {
    let mut missed = Vec::new();
    for bug in Canary::ALL {
        match (0..SEEDS).find_map(|seed| Some((seed, found(bug, seed)?))) {
            Some((seed, what)) => {
                let what = what.lines().next().unwrap_or_default();
                println!("{bug:?}: seed {seed} of {SEEDS}: {what}");
            }
            None => {
                println!("{bug:?}: not found");
                missed.push(bug);
            }
        }
    }
    assert!(missed.is_empty(), "{SEEDS} seeds of {MINUTES} minutes do not find {missed:?}");
}

#[test]
fn canaries_of_the_journal_are_found() {
    let mut missed = Vec::new();
    for bug in JournalCanary::ALL {
        let is_found =
            |seed| panic::catch_unwind(|| canary::with_journal(bug, || journal(seed, 4000, false))).is_err();
        match (0..SEEDS).find(|seed| is_found(*seed)) {
            Some(seed) => println!("{bug:?}: seed {seed} of {SEEDS}"),
            None => missed.push(bug),
        }
    }
    assert!(missed.is_empty(), "{SEEDS} seeds do not find {missed:?}");
}

/// The feature alone changes nothing: without a bug the same seeds hold.
#[test]
fn nothing_is_found_where_nothing_is_planted() {
    for seed in 0..SOUND_SEEDS {
        assert_eq!(wrong(seed), None, "seed {seed}");
    }
}
