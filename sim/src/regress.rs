//! Scenarios that are worth keeping: one or more for each family of faults, and one for every bug that was found.

use crate::log::LogKind;
use crate::run::run;
use crate::scenario::Scenario;
use crate::{catalogue, traffic};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/regress");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
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
                let faults =
                    scenario.actions.iter().filter(|action| !traffic::is_traffic(action.verb)).count();
                assert_eq!(report.faults, faults as u64, "{}: not all of it happened", file.display());
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
