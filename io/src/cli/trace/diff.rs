//! `edgehub trace diff`: where two traces part.

use super::{Failure, File};
use clap::Args;
use edgehub::core::trace::diff::{Parting, diff};
use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// One trace
    one: PathBuf,
    /// The other
    other: PathBuf,
}

impl Diff {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let (one, other) = (File::read(&self.one)?, File::read(&self.other)?);
        let difference = diff(&one.open()?, &other.open()?);
        let mut out = stdout().lock();
        for (name, one, other) in &difference.header {
            writeln!(out, "{name}: {one} ≠ {other}")?;
        }
        match &difference.record {
            Some(Parting { number, one, other }) => {
                writeln!(out, "{} records are equal; the first that differs is #{number}", difference.equal)?;
                let words = |record: &Option<Box<str>>| record.as_deref().unwrap_or("(ended)").to_owned();
                writeln!(out, "  {}: {}", self.one.display(), words(one))?;
                writeln!(out, "  {}: {}", self.other.display(), words(other))?;
            }
            None => writeln!(out, "all {} records are equal", difference.equal)?,
        }
        Ok(if difference.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
