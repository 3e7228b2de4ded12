//! `shrink`: the smallest scenario that fails alike.

use super::{CommandOutcome, command_for, progress, stuck};
use edgehub_sim::{LogKind, PATIENCE, Scenario, Shrunk, shrink_by, watched};
use std::path::{Path, PathBuf};

/// Makes a failing scenario as small as it gets and saves it beside the file
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The scenario's file
    file: PathBuf,
    /// The most runs that this may take
    #[arg(long, default_value_t = 10_000)]
    runs: u64,
}

pub(super) fn run(Arguments { file, runs }: Arguments) -> CommandOutcome {
    let scenario = super::run::read(&file)?;
    let folder = file.parent().unwrap_or(Path::new("."));
    let Some(shrunk) = shrink(&scenario, runs, folder) else {
        return Err(format!("{} holds: there is nothing to shrink", file.display()));
    };
    let text = format!("# {}\n{}", shrunk.failure, shrunk.scenario);
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let saved = save(folder, &format!("{stem}.small.scn"), &text)?;
    let (before, after) = (scenario.actions.len(), shrunk.scenario.actions.len());
    println!("{before} actions became {after} in {} runs\n\n{text}", shrunk.runs);
    println!("reproduce: {}", command_for(&saved));
    Ok(())
}

/// Makes a scenario smaller, and shows how far it is; one that never ends is saved in this folder.
pub(super) fn shrink(scenario: &Scenario, runs: u64, folder: &Path) -> Option<Shrunk> {
    let counter = progress::counter("runs");
    let outcome = |scenario: &Scenario| {
        counter.inc(1);
        edgehub_sim::run(scenario, LogKind::Nothing).0.err()
    };
    let shrunk = watched(PATIENCE, &stuck::give_up(folder), || shrink_by(scenario, runs, &outcome));
    counter.finish_and_clear();
    shrunk
}

/// Writes a file into a folder that may not be there yet.
pub(super) fn save(folder: &Path, name: &str, text: &str) -> Result<PathBuf, String> {
    let file = folder.join(name);
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&file, text));
    written.map(|()| file).map_err(|error| format!("{}: {error}", folder.display()))
}
