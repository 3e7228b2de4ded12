//! `edgehub dead-letters`: what was dropped, and sending it again.

use super::Failure;
use clap::{Args, Subcommand};
use edgehub::core::Message;
use edgehub::journal::{Entry, EntryNumber, list, owner, requeue};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use time::OffsetDateTime;

#[derive(Debug, Args)]
pub(crate) struct DeadLetters {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// One line for each: number, time, reason, id, operation and resource, separated by tabs
    List(Directory),
    /// Print one message as it was
    Show {
        #[command(flatten)]
        directory: Directory,
        /// Its number, as `list` shows it
        number: u64,
    },
    /// Move messages into the node's journal, from where its hub sends them after its next start
    Requeue {
        #[command(flatten)]
        directory: Directory,
        /// The directory of the node's journal; its hub must not run
        #[arg(long, value_name = "DIR")]
        journal: PathBuf,
        /// Their numbers, as `list` shows them
        #[arg(required = true)]
        numbers: Vec<u64>,
    },
}

#[derive(Debug, Args)]
struct Directory {
    /// The directory of the dead letters
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

impl DeadLetters {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        match self.command {
            Command::List(Directory { dir }) => {
                let mut out = std::io::stdout().lock();
                for entry in list(&dir)? {
                    writeln!(out, "{}", line(&entry))?;
                }
            }
            Command::Show { directory: Directory { dir }, number } => {
                let entry = list(&dir)?.into_iter().find(|entry| entry.number.0 == number);
                let entry = entry.ok_or_else(|| format!("{}: no dead letter {number}", dir.display()))?;
                writeln!(std::io::stdout(), "{}", entry.frame.trim_end())?;
            }
            Command::Requeue { directory: Directory { dir }, journal, numbers } => {
                let Some(owner) = owner(&dir)? else {
                    return Err(format!("{}: no dead letters", dir.display()).into());
                };
                let numbers: Vec<_> = numbers.into_iter().map(EntryNumber).collect();
                let missing = requeue(&dir, &journal, &owner, &numbers).await?;
                if !missing.is_empty() {
                    let missing: Vec<_> = missing.iter().map(EntryNumber::to_string).collect();
                    return Err(format!(
                        "{}: no dead letter {}; the others are in the journal now",
                        dir.display(),
                        missing.join(", ")
                    )
                    .into());
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn line(entry: &Entry) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(entry.at.0) * 1_000_000)
        .map_or_else(|_| entry.at.0.to_string(), |at| at.to_string());
    let message = Message::decode(entry.frame.clone());
    let [id, operation, resource] = match &message {
        Ok(message) => [message.msg_id(), message.operation(), message.resource()],
        Err(_) => ["", "", "not a message"],
    };
    let fields = [
        &entry.number.to_string(),
        &at,
        entry.reason.as_deref().unwrap_or_default(),
        id,
        operation,
        resource,
    ];
    fields.map(printable).join("\t")
}

/// A field as it can be shown: what a terminal would take for a command is not.
fn printable(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { '\u{fffd}' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgehub::core::UnixMillis;

    #[test]
    fn a_line_names_the_message_and_holds_no_control_characters() {
        let frame = r#"{"header":{"msg_id":"m-1","timestamp":1},"route":{"source":"a","group":"resource","operation":"update","resource":"x\u001by"},"content":1}"#;
        let mut entry = Entry {
            number: EntryNumber(7),
            class: 0,
            at: UnixMillis(1_700_000_000_000),
            reason: Some("outbox full".into()),
            frame: frame.into(),
        };
        let told = line(&entry);
        assert!(told.starts_with("7\t2023-11-14 22:13:20"), "{told}");
        assert!(told.ends_with("\toutbox full\tm-1\tupdate\tx\u{fffd}y"), "{told:?}");
        entry.frame = "{".into();
        assert!(line(&entry).ends_with("\tnot a message"));
    }
}
