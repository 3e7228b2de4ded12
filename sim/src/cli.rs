//! The command line: one file per subcommand, each with its arguments and a `run`.
//!
//! A new subcommand is a file in `cli`, a `mod` line and a line in the list below.

mod bench;
mod exhaustive;
mod import;
mod meta;
mod museum;
mod run;
mod shrink;
mod storm;
mod swarm;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "edgehub-sim", about = "Runs the edge hub in a simulated world", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// Nothing to say beyond what was printed, or what went wrong.
pub(crate) type CommandOutcome = Result<(), String>;

macro_rules! commands {
    ($($name:ident = $module:ident,)*) => {
        #[derive(Debug, Subcommand)]
        enum Command {
            $($name($module::Arguments),)*
        }

        impl Command {
            fn run(self) -> CommandOutcome {
                match self {
                    $(Command::$name(arguments) => $module::run(arguments),)*
                }
            }
        }
    };
}

commands! {
    Swarm = swarm,
    Run = run,
    Shrink = shrink,
    Import = import,
    Meta = meta,
    Exhaustive = exhaustive,
    Storm = storm,
    Museum = museum,
    Bench = bench,
}

/// Reads the command line and does what it says.
pub(crate) fn main() -> CommandOutcome {
    Arguments::parse().command.run()
}
