//! `edgehub trace stats`: a summary.

use super::{Failure, File};
use clap::Args;
use edgehub::core::Instant;
use edgehub::core::trace::stats::{Spread, stats};
use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(crate) struct Stats {
    /// The trace
    trace: PathBuf,
    /// JSON instead of words
    #[arg(long)]
    json: bool,
}

impl Stats {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let file = File::read(&self.trace)?;
        let trace = file.open()?;
        let (stats, _) = stats(&trace)?;
        let mut out = stdout().lock();
        if self.json {
            writeln!(out, "{}", serde_json::to_string(&stats)?)?;
            return Ok(ExitCode::SUCCESS);
        }
        let header = trace.header();
        writeln!(
            out,
            "node {}, core {}, format {}, seed {}, contents {:?}",
            header.node, header.core, header.format, header.seed, header.contents
        )?;
        if !header.why.is_empty() {
            writeln!(out, "written because: {}", header.why)?;
        }
        let per_message = trace.bytes() as u64 / (stats.messages[0] + stats.messages[1]).max(1);
        writeln!(
            out,
            "{} records in {} blocks, {} bytes: {per_message} for each message",
            trace.records(),
            trace.blocks().len(),
            trace.bytes()
        )?;
        let seconds = |at: Instant| at.0 as f64 / 1e6;
        let (begin, end) = stats.span;
        let length = end.since(begin);
        writeln!(
            out,
            "from {:.3} s to {:.3} s of the hub's clock: {length:.3?}",
            seconds(begin),
            seconds(end)
        )?;
        writeln!(out, "{} inputs, {} outputs", stats.inputs, stats.outputs)?;
        writeln!(out, "messages: {} to the cloud, {} from the cloud", stats.messages[0], stats.messages[1])?;
        let share = 100.0 * stats.uptime.as_secs_f64() / length.as_secs_f64().max(1e-9);
        writeln!(
            out,
            "links: {} up for {:.3?} together ({share:.2} %), {} failed attempts",
            stats.links.len(),
            stats.uptime,
            stats.failed_attempts
        )?;
        for link in &stats.links {
            match link.down {
                Some((down, end)) => writeln!(
                    out,
                    "  epoch {:<6} {:.3} s to {:.3} s: {end}",
                    link.epoch.0,
                    seconds(link.up),
                    seconds(down)
                )?,
                None => writeln!(out, "  epoch {:<6} {:.3} s to the end", link.epoch.0, seconds(link.up))?,
            }
        }
        spread(&mut out, "round trip", &stats.round_trips)?;
        spread(&mut out, "confirmed after", &stats.confirmed_after)?;
        spread(&mut out, "delivered after", &stats.delivered_after)?;
        let (most, at) = stats.outbox_most;
        writeln!(out, "outbox: {most} messages at most, at {:.3} s", seconds(at))?;
        writeln!(out, "dropped: {}", stats.drops.values().sum::<u64>())?;
        for (reason, count) in &stats.drops {
            writeln!(out, "  {count:>8} {reason}")?;
        }
        writeln!(out, "slowest requests:")?;
        for (waited, id) in &stats.slowest_requests {
            writeln!(out, "  {waited:>12.3?} {id}")?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn spread(out: &mut impl Write, what: &str, spread: &Spread) -> std::io::Result<()> {
    let Spread { count, min, p50, p90, p99, max } = spread;
    writeln!(
        out,
        "{what}: {count} times; least {min:.1?}, half {p50:.1?}, 90 % {p90:.1?}, 99 % {p99:.1?}, most {max:.1?}"
    )
}
