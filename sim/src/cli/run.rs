//! `run`: one scenario, with its log.

use super::{CommandOutcome, command, command_for, stuck};
use edgehub_sim::{LogKind, PATIENCE, Scenario, Stuck, generate, watched};
use std::path::PathBuf;
use std::time::Duration;

/// Runs one scenario and prints a line for every transition
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The scenario's file
    #[arg(required_unless_present = "seed", conflicts_with = "seed")]
    file: Option<PathBuf>,
    /// The scenario of this seed instead
    #[arg(long)]
    seed: Option<u64>,
    /// Virtual minutes of trouble, with --seed
    #[arg(long, default_value_t = 5, requires = "seed")]
    minutes: u64,
    /// Print every input and output
    #[arg(long)]
    everything: bool,
    /// Record every hub into this folder: traces, as those of a real hub
    #[arg(long, value_name = "FOLDER", conflicts_with = "everything")]
    record: Option<PathBuf>,
    /// Print the scenario, and do not run it
    #[arg(long)]
    print: bool,
    /// Seconds that one event may take before the run is given up, with an exit code of its own
    #[arg(long, default_value_t = PATIENCE.as_secs())]
    patience: u64,
}

/// Reads a scenario's file.
pub(super) fn read(file: &PathBuf) -> Result<Scenario, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    text.parse().map_err(|error| format!("{}: {error}", file.display()))
}

pub(super) fn run(arguments: Arguments) -> CommandOutcome {
    let Arguments { file, seed, minutes, everything, record, print, patience } = arguments;
    let (scenario, again) = match (file, seed) {
        (Some(file), _) => (read(&file)?, command_for(&file)),
        (None, seed) => {
            let seed = seed.unwrap_or_default();
            let again = command(&format!("run --seed {seed} --minutes {minutes}"));
            (generate(seed, Duration::from_secs(60 * minutes)), again)
        }
    };
    if print {
        print!("{scenario}");
        return Ok(());
    }
    let stuck = |stuck: Stuck| stuck::end(&format!("{stuck}\nreproduce: {again}"));
    watched(Duration::from_secs(patience), &stuck, || play(&scenario, everything, record))
}

fn play(scenario: &Scenario, everything: bool, record: Option<PathBuf>) -> CommandOutcome {
    if let Some(folder) = record {
        let (outcome, traces) = edgehub_sim::record(scenario);
        for (number, (node, trace)) in traces.into_iter().enumerate() {
            let file = folder.join(format!("edge-{node}-{number}.trace"));
            let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&file, trace));
            written.map_err(|error| format!("{}: {error}", file.display()))?;
            println!("{}", file.display());
        }
        return outcome.map(|report| println!("holds: {report}")).map_err(|failure| failure.to_string());
    }
    let kind = if everything { LogKind::Everything } else { LogKind::Transitions };
    let (outcome, log) = edgehub_sim::run(scenario, kind);
    print!("{}", log.text());
    let report = outcome.map_err(|failure| failure.to_string())?;
    println!("holds: {report}");
    Ok(())
}
