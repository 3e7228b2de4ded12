//! `edgehub replay`: the hub again, on what was recorded.

mod settings;
mod what_if;

use super::Failure;
use super::trace::{File, warn_of};
use clap::Args;
use edgehub::core::trace::{ReplayError, describe, replay};
use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// Inputs and outputs of a difference that are printed, the last ones.
const SHOWN: usize = 20;

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The trace
    trace: PathBuf,
    /// The same environment with other settings, for example heartbeat=5s,backoff.max=10s: what would have been different
    #[arg(long, value_name = "KEY=VALUE,…")]
    what_if: Option<settings::Settings>,
}

impl Replay {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let file = File::read(&self.trace)?;
        let trace = file.open()?;
        if let Some(settings) = &self.what_if {
            return what_if::run(&trace, settings);
        }
        let begun = Instant::now();
        let mut out = stdout().lock();
        match replay(&trace) {
            Ok(replayed) => {
                let seconds = begun.elapsed().as_secs_f64();
                warn_of(&replayed.damage);
                writeln!(
                    out,
                    "equal: {} inputs led to the recorded outputs ({} outputs, {} digests compared) in {seconds:.3} s",
                    replayed.inputs, replayed.outputs, replayed.compared
                )?;
                if replayed.skipped > 0 {
                    writeln!(
                        out,
                        "{} records could not be replayed: see the damage above",
                        replayed.skipped
                    )?;
                }
                Ok(ExitCode::SUCCESS)
            }
            Err(ReplayError::Divergence(found)) => {
                writeln!(out, "DIFFERENT: {found}")?;
                for input in found.inputs.iter().rev().take(SHOWN).rev() {
                    writeln!(out, "  input  {}", describe::input(input))?;
                }
                for output in found.outputs.iter().rev().take(SHOWN).rev() {
                    writeln!(out, "  replayed output  {}", describe::output(output))?;
                }
                Ok(ExitCode::FAILURE)
            }
            Err(error) => Err(format!("{}: {error}", self.trace.display()).into()),
        }
    }
}
