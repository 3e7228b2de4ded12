//! `import`: a trace of a real hub as a scenario.

use super::CommandOutcome;
use edgehub_core::trace::{ReadAt, Trace};
use edgehub_sim::import::import;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Makes a scenario of a trace: it can be read, edited, run and shrunk
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The trace
    trace: PathBuf,
    /// The scenario's file; standard output if there is none
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(Arguments { trace, output }: Arguments) -> CommandOutcome {
    let text = scenario_of(&trace)?;
    match output {
        Some(output) => {
            std::fs::write(&output, text).map_err(|why| format!("{}: {why}", output.display()))?;
        }
        None => print!("{text}"),
    }
    Ok(())
}

/// The text of the scenario that is made of this file.
fn scenario_of(path: &Path) -> Result<String, String> {
    let told = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let file = Blocks::of(path).map_err(|why| told(&why))?;
    let trace = Trace::open(&file as &dyn ReadAt).map_err(|why| told(&why))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let imported = import(&trace, &name).map_err(|why| told(&why))?;
    // What is not as it was stands where whoever reads the scenario sees it.
    let damage = trace.damage().iter().map(|damage| format!("# {damage}\n"));
    let changed = imported.changed.iter().map(|changed| format!("# not as in the trace: {changed}\n"));
    Ok(damage.chain(changed).chain([imported.scenario.to_string()]).collect())
}

/// A file that is read block by block: it may be larger than the memory.
#[derive(Debug)]
struct Blocks {
    file: File,
    length: usize,
}

impl Blocks {
    fn of(path: &Path) -> std::io::Result<Blocks> {
        let file = File::open(path)?;
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        Ok(Blocks { file, length })
    }
}

impl ReadAt for Blocks {
    fn length(&self) -> usize {
        self.length
    }

    fn read_at(&self, offset: usize, into: &mut [u8]) -> bool {
        self.file.read_exact_at(into, offset as u64).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgehub_sim::Scenario;

    /// It can be read back as the scenario that the library makes; what is no trace is named with its path.
    #[test]
    fn a_traces_file_becomes_a_scenarios_text() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data");
        let path = folder.join("traces/01-session.trace");
        let text = scenario_of(&path).unwrap();
        let file = std::fs::read(path).unwrap();
        let imported = import(&Trace::open(&file).unwrap(), "01-session").unwrap();
        assert_eq!(text.parse::<Scenario>().as_ref(), Ok(&imported.scenario));
        let is_told = |changed: &String| text.contains(&format!("# not as in the trace: {changed}"));
        assert!(imported.changed.iter().all(is_told));
        let other = folder.join("recordings/README.md");
        let refused = scenario_of(&other).unwrap_err();
        assert!(
            refused.starts_with(&other.display().to_string()) && refused.contains("not a trace"),
            "{refused}"
        );
    }
}
