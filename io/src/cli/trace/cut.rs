//! `edgehub trace cut`: a part of a trace.

use super::{Failure, File, length, moment};
use clap::Args;
use edgehub::core::Instant;
use edgehub::core::trace::Trace;
use edgehub::core::trace::cut::cut;
use edgehub::core::trace::explain::explain;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct Cut {
    /// The trace
    trace: PathBuf,
    /// From this time of the hub's clock on, for example 12.5s
    #[arg(long, value_parser = moment, value_name = "TIME", conflicts_with = "msg_id")]
    from: Option<Instant>,
    /// Up to this time
    #[arg(long, value_parser = moment, value_name = "TIME", conflicts_with = "msg_id")]
    to: Option<Instant>,
    /// Around everything that happened to this message
    #[arg(long, value_name = "ID")]
    msg_id: Option<String>,
    /// So much more on both sides
    #[arg(long, value_parser = length, value_name = "LENGTH", default_value = "5s")]
    margin: Duration,
    /// The file for the part
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
}

/// The part of a trace between two times.
pub(super) fn part(
    trace: &Trace<'_>,
    from: Option<Instant>,
    to: Option<Instant>,
) -> Result<Vec<u8>, Failure> {
    let (from, to) = (from.unwrap_or(Instant(0)), to.unwrap_or(Instant(u64::MAX)));
    if from > to {
        return Err("--from is later than --to".into());
    }
    let part = cut(trace, from..=to, fastrand::u64(..))?;
    if part.is_empty() {
        return Err("there is nothing in this span of time".into());
    }
    Ok(part)
}

impl Cut {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let file = File::read(&self.trace)?;
        let trace = file.open()?;
        let (from, to) = match &self.msg_id {
            Some(id) => {
                let stories = explain(&trace, id)?;
                let mut times = stories.iter().flat_map(|story| &story.events).map(|event| event.now.mono);
                let first = times.next().ok_or("no such message in this trace")?;
                let (first, last) = times.fold((first, first), |(from, to), at| (from.min(at), to.max(at)));
                (first - self.margin, last + self.margin)
            }
            None => (self.from.unwrap_or(Instant(0)), self.to.unwrap_or(Instant(u64::MAX))),
        };
        let part = part(&trace, Some(from), Some(to))?;
        std::fs::write(&self.output, part).map_err(|error| format!("{}: {error}", self.output.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}
