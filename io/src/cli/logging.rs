//! Logs on standard error: for people on a terminal, as JSON with a flag.

use clap::Args;
use std::io::{IsTerminal, stderr};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{fmt, registry};

#[derive(Debug, Args)]
pub(crate) struct Logging {
    /// Log as JSON lines, for a log collector
    #[arg(long, global = true)]
    log_json: bool,
    /// What to log: a level, or `target=level,…` [default: info; warn for demo and bench]
    #[arg(long, global = true, env = "EDGEHUB_LOG", value_name = "FILTER")]
    log: Option<String>,
}

/// Starts logging; a filter that does not parse falls back to `default`, and says so.
pub(crate) fn start(logging: &Logging, default: &str) {
    let wanted = logging.log.as_deref().unwrap_or(default);
    let (filter, problem) = match wanted.parse::<Targets>() {
        Ok(filter) => (filter, None),
        Err(problem) => (default.parse().unwrap_or_default(), Some(problem)),
    };
    let lines = fmt::layer().with_writer(stderr).with_ansi(stderr().is_terminal()).with_target(false);
    if logging.log_json {
        registry().with(lines.json()).with(filter).init();
    } else {
        registry().with(lines.compact()).with(filter).init();
    }
    if let Some(problem) = problem {
        tracing::warn!("log filter {wanted:?} is not understood ({problem}); using {default:?}");
    }
}
