//! Scenarios that are worth keeping: one or more for each family of faults, and one for every bug that was found.

use crate::catalogue;
use crate::generate::generate;
use crate::log::LogKind;
use crate::run::run;
use crate::scenario::Scenario;
use crate::shrink::shrink;
use proptest::prelude::any;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/regress")
}

fn files() -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn read(file: &Path) -> Scenario {
    let text = std::fs::read_to_string(file).unwrap();
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[test]
fn committed_scenarios_hold() {
    for file in files() {
        let scenario = read(&file);
        match run(&scenario, LogKind::Nothing).0 {
            Ok(report) => {
                let idle: BTreeSet<_> = scenario
                    .actions
                    .iter()
                    .filter(|action| report.effects.of(action.verb) == 0)
                    .map(|action| action.verb.name)
                    .collect();
                assert!(idle.is_empty(), "{}: {idle:?} did nothing", file.display());
            }
            Err(failure) => {
                panic!("{failure}\nreproduce: cargo run --release -p edgehub-sim -- run {}", file.display());
            }
        }
    }
}

/// A verb that no file uses could stop working without anybody noticing.
#[test]
fn committed_scenarios_use_every_verb() {
    let used: BTreeSet<_> =
        files().iter().flat_map(|file| read(file).actions).map(|action| action.verb.name).collect();
    let unused: Vec<_> =
        catalogue::verbs().map(|verb| verb.name).filter(|name| !used.contains(name)).collect();
    assert!(unused.is_empty(), "in no file of tests/data/regress: {unused:?}");
}

/// What proptest finds is kept in the form of a scenario, as small as it can be made: a file to be named after the bug
/// and committed, which the test above then plays for ever.
#[test]
fn any_part_of_any_scenario_holds() {
    let config = Config { cases: 24, failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
    // Which of its actions are left out, a bit for each in turn.
    let strategy = (any::<u64>(), 30u64..180, any::<u64>());
    let outcome = TestRunner::new(config).run(&strategy, |(seed, seconds, left_out)| {
        let mut scenario = generate(seed, Duration::from_secs(seconds));
        let mut number = 0;
        scenario.actions.retain(|_| {
            number += 1;
            left_out >> (number % 64) & 1 == 0
        });
        let Err(failure) = run(&scenario, LogKind::Nothing).0 else { return Ok(()) };
        let small = shrink(&scenario, 2_000).map_or(scenario, |shrunk| shrunk.scenario);
        let file = folder().join(format!("found-{seed:x}.scn"));
        std::fs::write(&file, format!("# {failure}\n{small}")).map_err(|error| error.to_string()).unwrap();
        Err(TestCaseError::fail(format!(
            "{failure}\nreproduce: cargo run --release -p edgehub-sim -- run {}",
            file.display()
        )))
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}
