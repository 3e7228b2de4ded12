//! `edgehub trace cut`: a part of a trace.

use super::{Failure, length, moment};
use clap::Args;
use edgehub::core::Instant;
use edgehub::core::trace::cut::cut_into;
use edgehub::core::trace::explain::explain;
use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::{ControlFlow, RangeInclusive};
use std::path::{Path, PathBuf};
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

/// The span between two times.
pub(super) fn span(from: Option<Instant>, to: Option<Instant>) -> Result<RangeInclusive<Instant>, Failure> {
    let (from, to) = (from.unwrap_or(Instant(0)), to.unwrap_or(Instant(u64::MAX)));
    if from > to {
        return Err("--from is later than --to".into());
    }
    Ok(from..=to)
}

impl Cut {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let file = super::File::read(&self.trace)?;
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
        let mut part = Part::new(&self.output);
        cut_into(&trace, span(Some(from), Some(to))?, fastrand::u64(..), |bytes| part.put(bytes))?;
        part.finish().map_err(|error| format!("{}: {error}", self.output.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The file that a part goes to. It takes its place when it is whole: until then, what is there may be what is read.
struct Part<'a> {
    path: &'a Path,
    unfinished: PathBuf,
    written: io::Result<Option<File>>,
}

impl Part<'_> {
    fn new(path: &Path) -> Part<'_> {
        // What is there and no file, such as a pipe, is written to as it is.
        let is_other = path.metadata().is_ok_and(|found| !found.is_file());
        let mut unfinished = path.as_os_str().to_owned();
        if !is_other {
            unfinished.push(".unfinished");
        }
        Part { path, unfinished: unfinished.into(), written: Ok(None) }
    }

    fn put(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        match self.append(bytes) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.written = Err(error);
                ControlFlow::Break(())
            }
        }
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Ok(written) = &mut self.written else { return Ok(()) };
        let file = match written {
            Some(file) => file,
            None => written.insert(File::create(&self.unfinished)?),
        };
        file.write_all(bytes)
    }

    fn finish(self) -> Result<(), Failure> {
        match self.written {
            Ok(Some(_)) if self.unfinished == self.path => Ok(()),
            Ok(Some(_)) => Ok(fs::rename(&self.unfinished, self.path)?),
            Ok(None) => Err("there is nothing in this span of time".into()),
            Err(error) => {
                if self.unfinished != self.path {
                    // It is no use to anybody, and the disk may be full.
                    let _ = fs::remove_file(&self.unfinished);
                }
                Err(error.into())
            }
        }
    }
}
