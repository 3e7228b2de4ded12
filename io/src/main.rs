//! The `edgehub` command.

// `println!` panics where nobody reads on: `cli::say` does not.
#![warn(clippy::print_stdout)]

mod cli;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    cli::logging::start(&arguments.logging, arguments.command.default_log());
    match arguments.command.run() {
        Ok(code) => code,
        Err(error) if cli::is_unread(&error) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::from(2)
        }
    }
}
