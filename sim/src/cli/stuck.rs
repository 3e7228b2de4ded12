//! What to do about a run that never ends: its thread cannot be stopped, so the process ends, after it has saved the
//! scenario, made it smaller in processes of their own, and said how to run it.

use super::command_for;
use super::shrink::save;
use edgehub_sim::{Failure, Scenario, Stuck, shrink_by};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Where scenarios that fail are saved, if nothing else is said.
pub(super) const FOLDER: &str = "target/scenarios";

/// What the process ends with, unlike what a rule that does not hold makes it end with.
const EXIT_CODE: i32 = 3;

/// Seconds that one event may take while a smaller scenario is looked for.
const SHRINKING_PATIENCE: &str = "2";

/// The most scenarios that are tried. Each that fails alike takes as long as the patience with it.
const SHRINKING_RUNS: u64 = 300;

/// Says what is wrong and ends the process.
pub(super) fn end(what: &str) {
    println!("FAILED {what}");
    std::process::exit(EXIT_CODE);
}

/// Saves the scenario and a smaller one in this folder, and ends the process.
pub(super) fn give_up(folder: &Path) -> impl Fn(Stuck) + Sync {
    let alone = Mutex::new(());
    move |stuck| {
        // Two threads may be stuck at once; the process ends with the first.
        let _alone = alone.lock().unwrap_or_else(PoisonError::into_inner);
        end(&told(&stuck, folder));
    }
}

fn told(stuck: &Stuck, folder: &Path) -> String {
    let name: String =
        stuck.scenario.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let text = format!("# {stuck}\n{}", stuck.scenario);
    let file = match save(folder, &format!("{name}.stuck.scn"), &text) {
        Ok(file) => file,
        Err(error) => return format!("{stuck} (not saved: {error})\n{text}"),
    };
    println!("{stuck}\nreproduce: {}\nshrinking …", command_for(&file));
    let proposal = folder.join(format!("{name}.proposal.scn"));
    let shrunk = shrink_by(&stuck.scenario, SHRINKING_RUNS, &|scenario| {
        stops(scenario, &proposal).then(|| failure(stuck))
    });
    // It may never have been written.
    let _ = std::fs::remove_file(&proposal);
    let small = shrunk.and_then(|shrunk| {
        save(folder, &format!("{name}.stuck.small.scn"), &format!("# {stuck}\n{}", shrunk.scenario)).ok()
    });
    format!("{stuck}\nreproduce: {}", command_for(&small.unwrap_or(file)))
}

fn failure(stuck: &Stuck) -> Failure {
    Failure { check: "stuck".into(), rule: "event".into(), what: stuck.to_string(), at: stuck.at }
}

/// Whether a scenario gets stuck, in a process that can be ended.
fn stops(scenario: &Scenario, file: &Path) -> bool {
    let status = std::fs::write(file, scenario.to_string()).and_then(|()| std::env::current_exe()).and_then(
        |program| {
            let mut command = Command::new(program);
            command.args(["run", "--patience", SHRINKING_PATIENCE]).arg(file);
            command.stdout(Stdio::null()).stderr(Stdio::null()).status()
        },
    );
    // A process that cannot be started finds nothing smaller.
    status.is_ok_and(|status| status.code() == Some(EXIT_CODE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgehub_core::Instant;
    use edgehub_sim::PATIENCE;
    use std::time::Duration;

    /// Smaller ones are looked for with this test's own program, which knows nothing of scenarios: none is found.
    #[test]
    fn a_run_without_end_is_saved_and_its_command_told() {
        let folder = std::env::temp_dir().join(format!("edgehub-sim-stuck-{}", std::process::id()));
        let scenario = Scenario::quiet("no end (seed 7)", Duration::from_secs(60));
        let stuck = Stuck { scenario: scenario.clone(), at: Instant(30_000_000), patience: PATIENCE };
        let told = told(&stuck, &folder);
        let file = folder.join("no-end--seed-7-.stuck.scn");
        let saved: Scenario = std::fs::read_to_string(&file).unwrap().parse().unwrap();
        assert_eq!(saved, scenario);
        assert!(told.contains("after 30.000000 s") && told.ends_with(&command_for(&file)), "{told}");
        let left: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(left, [file], "nothing else is left behind");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
