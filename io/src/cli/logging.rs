//! Logs on standard error: for people on a terminal, as JSON with a flag.

use clap::Args;
use std::io::{IsTerminal, stderr};
use tracing_subscriber::EnvFilter;

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
    let filter = EnvFilter::try_new(wanted);
    let problem = filter.as_ref().err().map(ToString::to_string);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|_| EnvFilter::new(default)))
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .with_target(false);
    if logging.log_json {
        builder.json().init();
    } else {
        builder.compact().init();
    }
    if let Some(problem) = problem {
        tracing::warn!("log filter {wanted:?} is not understood ({problem}); using {default:?}");
    }
}
