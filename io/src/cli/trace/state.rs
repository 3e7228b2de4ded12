//! `edgehub trace state`: what the hub held at one moment.

use super::{Failure, File, moment};
use clap::Args;
use edgehub::core::Instant;
use edgehub::core::trace::state::state_at;
use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

/// Messages of the outbox that are listed.
const LISTED: usize = 20;

#[derive(Debug, Args)]
pub(crate) struct State {
    /// The trace
    trace: PathBuf,
    /// The time on the hub's clock, as the listings show it, for example 12.5s
    #[arg(long, value_parser = moment, value_name = "TIME")]
    at: Instant,
    /// JSON instead of words
    #[arg(long)]
    json: bool,
}

impl State {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let file = File::read(&self.trace)?;
        let trace = file.open()?;
        let seconds = |at: Instant| at.0 as f64 / 1e6;
        let Some(view) = state_at(&trace, self.at)? else {
            let begin = seconds(trace.header().begin.mono);
            return Err(format!("nothing can be said of that time: the trace begins at {begin:.6} s").into());
        };
        let mut out = stdout().lock();
        if self.json {
            writeln!(out, "{}", serde_json::to_string(&view)?)?;
            return Ok(ExitCode::SUCCESS);
        }
        writeln!(out, "after the last input at {:.6} s", seconds(view.now.mono))?;
        writeln!(out, "link: {:?}, epoch {}", view.link, view.epoch.0)?;
        if let Some(since) = view.paused_since {
            writeln!(out, "  not read since {:.6} s: modules are slow", seconds(since))?;
        }
        writeln!(
            out,
            "outbox: {} messages, {} bytes; {} not flushed; modules {} send",
            view.outbox.len(),
            view.outbox_bytes,
            view.unflushed,
            if view.intake_open { "may" } else { "must wait to" }
        )?;
        let waiting = view.waiting_by_class.iter().filter(|(_, waiting)| *waiting > 0);
        for (class, waiting) in waiting {
            writeln!(out, "  class {class}: {waiting} wait to be written")?;
        }
        for (standing, msg_id, bytes) in view.outbox.iter().take(LISTED) {
            writeln!(out, "  {standing:<12?} {msg_id} {bytes} bytes")?;
        }
        if view.outbox.len() > LISTED {
            writeln!(out, "  … and {} more; --json has them all", view.outbox.len() - LISTED)?;
        }
        for module in &view.modules {
            writeln!(
                out,
                "module {} {} for {:?}: credit {}, {} bytes not taken, {} waiting{}",
                module.module.0,
                module.name,
                module.groups,
                module.credit,
                module.handed_bytes,
                module.waiting,
                if module.stalled { ", stalled" } else { "" }
            )?;
        }
        writeln!(out, "requests that wait: {}", view.requests.len())?;
        for request in &view.requests {
            writeln!(
                out,
                "  {} of module {} until {:.6} s",
                request.msg_id,
                request.module.0,
                seconds(request.deadline)
            )?;
        }
        for deadline in &view.deadlines {
            writeln!(out, "timer {:?} at {:.6} s", deadline.kind, seconds(deadline.at))?;
        }
        for (way, books) in [("to the cloud", view.account.up), ("to modules", view.account.down)] {
            writeln!(
                out,
                "{way}: {} accepted = {} confirmed + {} written + {} pending + {} dropped",
                books.accepted,
                books.confirmed,
                books.written,
                books.pending,
                books.dropped()
            )?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
