//! `edgehub replay --what-if`: both outcomes side by side.

use super::super::Failure;
use super::settings::Settings;
use edgehub::core::trace::stats::Spread;
use edgehub::core::trace::what_if::{Outcome, WhatIf, what_if};
use edgehub::core::trace::{Trace, describe};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::{Write, stdout};
use std::process::ExitCode;
use std::time::Duration;

pub(super) fn run(trace: &Trace<'_>, settings: &Settings) -> Result<ExitCode, Failure> {
    // The recorded hub may have been given more than one configuration.
    let (changed, lacking) = (Cell::new(false), RefCell::new(None));
    let WhatIf { parting, recorded, other } = what_if(trace, |config| match settings.change(config) {
        Ok(()) => changed.set(true),
        Err(why) => *lacking.borrow_mut() = Some(why),
    })?;
    if let Some(why) = lacking.take().filter(|_| !changed.get()) {
        return Err(why.into());
    }
    let mut out = stdout().lock();
    let Some(parting) = parting else {
        writeln!(out, "no difference: with these settings the hub does the same, to the last output")?;
        return Ok(ExitCode::SUCCESS);
    };
    let at = parting.at.0 as f64 / 1e6;
    writeln!(
        out,
        "exact up to {at:.6} s, model-based from there on: the first difference is near record {}",
        parting.record
    )?;
    match (&parting.recorded, &parting.other) {
        (None, None) => writeln!(out, "  the recorded hub has nothing to do then; this one has a deadline")?,
        (recorded, other) => {
            let told = |output: &Option<_>| output.as_ref().map_or("nothing".into(), describe::output);
            writeln!(out, "  recorded: {}\n  now:      {}", told(recorded), told(other))?;
        }
    }
    writeln!(out, "\n{:<34} {:>14} {:>14}", "", "recorded", "what if")?;
    compare(&mut out, &recorded, &other)?;
    Ok(ExitCode::SUCCESS)
}

fn compare(out: &mut impl Write, recorded: &Outcome, other: &Outcome) -> std::io::Result<()> {
    let mut row = |name: &str, one: &dyn Display, two: &dyn Display| {
        let (one, two) = (one.to_string(), two.to_string());
        let mark = if one == two { "" } else { "  *" };
        writeln!(out, "{name:<34} {one:>14} {two:>14}{mark}")
    };
    row("links", &recorded.links, &other.links)?;
    row("attempts that failed", &recorded.failed_attempts, &other.failed_attempts)?;
    row("time with a link", &length(recorded.uptime), &length(other.uptime))?;
    row("confirmed by the cloud", &recorded.confirmed, &other.confirmed)?;
    latency(&mut row, &recorded.confirmed_after, &other.confirmed_after)?;
    row("stored in the journal", &recorded.stored, &other.stored)?;
    row("delivered to modules", &recorded.delivered, &other.delivered)?;
    latency(&mut row, &recorded.delivered_after, &other.delivered_after)?;
    row("pending at the end", &recorded.pending, &other.pending)?;
    let reasons: BTreeSet<&String> = recorded.drops.keys().chain(other.drops.keys()).collect();
    for reason in reasons {
        let of = |outcome: &Outcome| outcome.drops.get(reason).copied().unwrap_or_default();
        row(&format!("dropped {reason}"), &of(recorded), &of(other))?;
    }
    row("most in the outbox", &recorded.outbox_most, &other.outbox_most)?;
    row("messages written", &recorded.written, &other.written)?;
    row("  bytes", &recorded.written_bytes, &other.written_bytes)?;
    row("pings", &recorded.pings, &other.pings)
}

fn latency(
    row: &mut impl FnMut(&str, &dyn Display, &dyn Display) -> std::io::Result<()>,
    recorded: &Spread,
    other: &Spread,
) -> std::io::Result<()> {
    row("  half within", &length(recorded.p50), &length(other.p50))?;
    row("  99 of 100 within", &length(recorded.p99), &length(other.p99))?;
    row("  all within", &length(recorded.max), &length(other.max))
}

fn length(length: Duration) -> String {
    format!("{length:.3?}")
}
