//! `import`: a trace of a real hub as a scenario.

use super::CommandOutcome;
use edgehub_core::trace::Trace;
use edgehub_sim::import::import;
use std::path::PathBuf;

/// Makes a scenario of a trace: it can be read, edited, run and shrunk
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The trace
    trace: PathBuf,
    /// The scenario's file; standard output if there is none
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(Arguments { trace: path, output }: Arguments) -> CommandOutcome {
    let told = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let file = std::fs::read(&path).map_err(|why| told(&why))?;
    let trace = Trace::open(&file).map_err(|why| told(&why))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let imported = import(&trace, &name).map_err(|why| told(&why))?;
    // What is not as it was stands where whoever reads the scenario sees it.
    let damage = trace.damage().iter().map(|damage| format!("# {damage}\n"));
    let changed = imported.changed.iter().map(|changed| format!("# not as in the trace: {changed}\n"));
    let text: String = damage.chain(changed).chain([imported.scenario.to_string()]).collect();
    match output {
        Some(output) => {
            std::fs::write(&output, text).map_err(|why| format!("{}: {why}", output.display()))?;
        }
        None => print!("{text}"),
    }
    Ok(())
}
