//! The `edgehub` command.

mod cli;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    cli::logging::start(&arguments.logging, arguments.command.default_log());
    match arguments.command.run() {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::from(2)
        }
    }
}
