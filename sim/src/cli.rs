//! The command line: one file per subcommand, each with its arguments and a `run`.
//!
//! A new subcommand is a file in `cli`, a `mod` line and a line in the list below.

mod bench;
mod exhaustive;
mod identity;
mod import;
mod meta;
mod museum;
mod progress;
mod run;
mod shrink;
mod storm;
mod stuck;
mod swarm;

use clap::{Parser, Subcommand};
use std::path::Path;

#[derive(Debug, Parser)]
#[command(name = "edgehub-sim", about = "Runs the edge hub in a simulated world", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// Nothing to say beyond what was printed, or what went wrong.
pub(crate) type CommandOutcome = Result<(), String>;

/// The whole command that does this once more, to be pasted into a shell in the project's folder.
pub(crate) fn command(what: &str) -> String {
    format!("cargo run --release -p edgehub-sim -- {what}")
}

/// What went wrong, and the command that shows it again.
pub(crate) fn again(why: &str, what: &str) -> String {
    format!("{why}\nreproduce: {}", command(what))
}

/// The whole command that runs a scenario's file.
pub(crate) fn command_for(file: &Path) -> String {
    let name = file.display().to_string();
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    command(&if plain { format!("run {name}") } else { format!("run '{}'", name.replace('\'', r"'\''")) })
}

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
    Identity = identity,
    Bench = bench,
}

/// Reads the command line and does what it says.
pub(crate) fn main() -> CommandOutcome {
    Arguments::parse().command.run()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is printed is pasted: it must be a command, whatever the file is called.
    #[test]
    fn a_printed_command_is_whole() {
        let run = |file: &str| command_for(Path::new(file));
        assert_eq!(run("target/a-1.scn"), "cargo run --release -p edgehub-sim -- run target/a-1.scn");
        assert_eq!(run("it's one"), r"cargo run --release -p edgehub-sim -- run 'it'\''s one'");
    }
}
