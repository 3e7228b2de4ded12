//! `edgehub trace export`: a trace for other tools.

use super::{Failure, File};
use clap::Args;
use edgehub::core::trace::export::{chrome_trace, json_lines};
use serde_json::Value;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The trace
    trace: PathBuf,
    /// JSON lines: links, messages with all their times, queue depth, round trips
    #[arg(long, required_unless_present = "perfetto")]
    json: bool,
    /// … and every input with its outputs
    #[arg(long, requires = "json")]
    inputs: bool,
    /// The Chrome trace format, for ui.perfetto.dev or chrome://tracing
    #[arg(long, conflicts_with = "json")]
    perfetto: bool,
    /// The file to write; standard output if there is none
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Export {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let file = File::read(&self.trace)?;
        let trace = file.open()?;
        let mut out: Box<dyn Write> = match &self.output {
            Some(path) => {
                let file =
                    std::fs::File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
                Box::new(BufWriter::new(file))
            }
            None => Box::new(BufWriter::new(io::stdout())),
        };
        let mut written: io::Result<()> = Ok(());
        if self.perfetto {
            let mut comma = "[";
            chrome_trace(&trace, |event: &Value| {
                if written.is_ok() {
                    written = writeln!(out, "{comma}{event}");
                    comma = ",";
                }
            })?;
            written.and_then(|()| writeln!(out, "]"))?;
        } else {
            json_lines(&trace, self.inputs, |line: &Value| {
                if written.is_ok() {
                    written = writeln!(out, "{line}");
                }
            })?;
            written?;
        }
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}
