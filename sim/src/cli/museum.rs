//! `edgehub-sim museum`: the known defects of the original, each played with it and with ours.

use super::CommandOutcome;
use edgehub_sim::museum::{exhibits, table};
use std::path::PathBuf;

/// Plays the known defects of the original hub, with a model of it and with ours
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Writes the table to this file instead
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

pub(super) fn run(Arguments { write }: Arguments) -> CommandOutcome {
    let exhibits = exhibits();
    let page = table(&exhibits);
    match write {
        Some(path) => std::fs::write(&path, &page).map_err(|error| format!("{}: {error}", path.display()))?,
        None => print!("{page}"),
    }
    match exhibits.iter().find(|exhibit| exhibit.original.holds || !exhibit.ours.holds) {
        Some(_) => Err("a scene does not show its defect, or ours has it".into()),
        None => Ok(()),
    }
}
