//! `edgehub trace`: one file per question.

mod cut;
mod diff;
mod dump;
mod export;
mod report;
mod show;
mod state;
mod stats;

use super::Failure;
use clap::Subcommand;
use edgehub::core::Instant;
use edgehub::core::trace::{self, Damage, ReadAt};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub(crate) enum Trace {
    /// List what happened
    Show(show::Show),
    /// Summarise: links, round trips, drops, slowest requests
    Stats(stats::Stats),
    /// Show what the hub held at one moment: queues, timers, waiting requests, link
    State(state::State),
    /// Make a part of a trace a trace of its own
    Cut(cut::Cut),
    /// Say where two traces part
    Diff(diff::Diff),
    /// Have a running hub write what its flight recorder holds; prints the file's path
    Dump(dump::Dump),
    /// Convert to JSON lines, or to the Chrome trace format that Perfetto reads
    Export(export::Export),
    /// Write a page that shows all of it on a timeline, for a browser
    Report(report::Report),
}

impl Trace {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Trace::Show(show) => show.run(),
            Trace::Stats(stats) => stats.run(),
            Trace::State(state) => state.run(),
            Trace::Cut(cut) => cut.run(),
            Trace::Diff(diff) => diff.run(),
            Trace::Dump(dump) => dump.run(),
            Trace::Export(export) => export.run(),
            Trace::Report(report) => report.run(),
        }
    }
}

/// A trace's file. What can be read again and again stays where it is: it may be larger than the memory.
pub(super) struct File {
    path: PathBuf,
    bytes: Bytes,
}

enum Bytes {
    Here(Vec<u8>),
    There(TraceFile),
}

/// A file on a disk.
#[derive(Debug)]
struct TraceFile {
    file: std::fs::File,
    length: usize,
}

impl ReadAt for TraceFile {
    fn length(&self) -> usize {
        self.length
    }

    fn read_at(&self, offset: usize, into: &mut [u8]) -> bool {
        self.file.read_exact_at(into, offset as u64).is_ok()
    }
}

impl File {
    pub(super) fn read(path: &Path) -> Result<File, Failure> {
        let bytes = Bytes::of(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(File { path: path.into(), bytes })
    }

    /// Checks it, and tells of another version and of every part that cannot be read.
    pub(super) fn open(&self) -> Result<trace::Trace<'_>, Failure> {
        let trace = match &self.bytes {
            Bytes::Here(bytes) => trace::Trace::open(bytes),
            Bytes::There(file) => trace::Trace::open(file as &dyn ReadAt),
        };
        let trace = trace.map_err(|refusal| format!("{}: {refusal}", self.path.display()))?;
        if let Some(versions) = trace.header().other_version() {
            tracing::warn!("{}: {versions}", self.path.display());
        }
        for change in &trace.header().changed {
            tracing::warn!("{change}");
        }
        warn_of(trace.damage());
        Ok(trace)
    }
}

impl Bytes {
    fn of(path: &Path) -> std::io::Result<Bytes> {
        let mut file = std::fs::File::open(path)?;
        let found = file.metadata()?;
        if let Ok(length) = usize::try_from(found.len())
            && found.is_file()
        {
            // What is written to it later is not looked at.
            return Ok(Bytes::There(TraceFile { file, length }));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Bytes::Here(bytes))
    }
}

pub(super) fn warn_of(damage: &[Damage]) {
    damage.iter().for_each(|damage| tracing::warn!("{damage}"));
}

/// A length of time: `500ms`, `12.5s`, `3m`, `2h`, or seconds without a unit.
pub(super) fn length(text: &str) -> Result<Duration, String> {
    let units = [("ms", 0.001), ("us", 0.000_001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    let unit = units.into_iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)));
    let (number, seconds) = unit.unwrap_or((text, 1.0));
    number
        .parse::<f64>()
        .ok()
        .and_then(|number| Duration::try_from_secs_f64(number * seconds).ok())
        .ok_or_else(|| format!("expected a length such as 500ms, 12.5s, 3m or 2h, found {text:?}"))
}

/// A moment on the hub's clock, which is what every listing shows.
pub(super) fn moment(text: &str) -> Result<Instant, String> {
    length(text).map(|since_start| Instant(0) + since_start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_units() {
        assert_eq!(length("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(length("2h"), Ok(Duration::from_secs(7200)));
        assert_eq!(length("12.5"), Ok(Duration::from_millis(12_500)));
        assert_eq!(length("40us"), Ok(Duration::from_micros(40)));
        for wrong in ["", "s", "-1s", "1d", "1e99h", "NaN"] {
            assert!(length(wrong).is_err(), "{wrong}");
        }
    }
}
