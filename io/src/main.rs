//! The `edgehub` command.

// `println!` panics where nobody reads on: `cli::say` does not.
#![warn(clippy::print_stdout)]

mod cli;

use clap::Parser;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    cli::logging::start(&arguments.logging, arguments.command.default_log());
    match arguments.command.run() {
        Ok(code) => code,
        Err(error) if cli::is_unread(&error) => ExitCode::SUCCESS,
        Err(error) => {
            report(error.as_ref());
            ExitCode::from(2)
        }
    }
}

/// Logs what went wrong; whoever has the log turned off is told all the same, since a code alone says nothing.
fn report(error: &dyn std::fmt::Display) {
    if tracing::enabled!(tracing::Level::ERROR) {
        tracing::error!("{error}");
    } else {
        // Where standard error is closed, nobody can be told.
        let _ = writeln!(std::io::stderr(), "{error}");
    }
}
