//! `edgehub-sim museum`: the known defects of the original, each played with it and with ours.

use super::{CommandOutcome, again};
use edgehub_sim::museum::{Exhibit, exhibits, table};
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
    exhibits.iter().try_for_each(shows)
}

/// Whether a scene shows its defect, and ours does not have it.
fn shows(Exhibit { defect, original, ours, .. }: &Exhibit) -> CommandOutcome {
    let why = match (original.holds, ours.holds) {
        (false, true) => return Ok(()),
        (true, _) => format!("the scene of {defect} does not show it: {}", original.observed),
        (false, false) => format!("ours has {defect}: {}", ours.observed),
    };
    Err(again(&why, "museum"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgehub_sim::museum::Verdict;

    fn check(original: bool, ours: bool) -> CommandOutcome {
        let [original, ours] = [(original, "one"), (ours, "other")]
            .map(|(holds, observed)| Verdict { holds, observed: observed.into() });
        shows(&Exhibit { defect: "D0", wrong: "", scene: "", original, ours })
    }

    #[test]
    fn a_scene_that_goes_wrong_is_named_with_its_command() {
        const COMMAND: &str = "\nreproduce: cargo run --release -p edgehub-sim -- museum";
        assert_eq!(check(false, true), Ok(()));
        assert_eq!(check(true, true), Err(format!("the scene of D0 does not show it: one{COMMAND}")));
        assert_eq!(check(false, false), Err(format!("ours has D0: other{COMMAND}")));
    }
}
