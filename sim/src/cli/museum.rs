//! `edgehub-sim museum`: the known defects of the original, each played with it and with ours.

use edgehub_sim::museum::{exhibits, table};
use std::path::PathBuf;

/// Plays every scene of the museum and prints the table.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Writes the table to this file instead
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// Returns whether every scene fails the original and passes ours, or why the file could not be written.
pub(crate) fn run(arguments: &Arguments) -> Result<bool, String> {
    let exhibits = exhibits();
    let page = table(&exhibits);
    match &arguments.write {
        Some(path) => {
            std::fs::write(path, &page).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        None => print!("{page}"),
    }
    Ok(exhibits.iter().all(|exhibit| !exhibit.original.holds && exhibit.ours.holds))
}
