//! `edgehub dead-letters`: what was dropped, and sending it again.

use super::Failure;
use clap::{Args, Subcommand};
use edgehub::core::Message;
use edgehub::journal::{Entry, EntryNumber, cause_of, list, owner, requeue};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use time::OffsetDateTime;

#[derive(Debug, Args)]
pub(crate) struct DeadLetters {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// One line for each, after a line that names the columns: number, time, reason, class, source/group, operation,
    /// resource, bytes and id, separated by tabs
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
        /// How large the node's journal may become, if its configuration says so (`journal.bytes`)
        #[arg(long, value_name = "BYTES")]
        journal_bytes: Option<u64>,
        /// All of them
        #[arg(long, conflicts_with_all = ["numbers", "reason"])]
        all: bool,
        /// All that were dropped for this reason, as `list` shows it
        #[arg(long, value_name = "REASON", conflicts_with = "numbers")]
        reason: Option<String>,
        /// Their numbers, as `list` shows them
        #[arg(required_unless_present_any = ["all", "reason"])]
        numbers: Vec<u64>,
    },
}

#[derive(Debug, Args)]
struct Directory {
    /// The directory of the dead letters; in that of the journal it is called dead-letters
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

impl DeadLetters {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        match self.command {
            Command::List(Directory { dir }) => {
                let mut out = std::io::stdout().lock();
                writeln!(out, "{COLUMNS}")?;
                for entry in list(&dir)? {
                    writeln!(out, "{}", line(&entry))?;
                }
            }
            Command::Show { directory: Directory { dir }, number } => {
                let entry = list(&dir)?.into_iter().find(|entry| entry.number.0 == number);
                let entry = entry.ok_or_else(|| format!("{}: no dead letter {number}", dir.display()))?;
                writeln!(std::io::stdout(), "{}", entry.frame.trim_end())?;
            }
            Command::Requeue {
                directory: Directory { dir },
                journal,
                journal_bytes,
                all,
                reason,
                numbers,
            } => {
                let Some(owner) = owner(&dir)? else {
                    return Err(format!("{}: no dead letters", dir.display()).into());
                };
                let numbers = match (all, reason) {
                    (false, None) => numbers.into_iter().map(EntryNumber).collect(),
                    (_, reason) => chosen(&dir, reason.as_deref())?,
                };
                let missing = requeue(&dir, &journal, journal_bytes, &owner, &numbers).await?;
                if !missing.is_empty() {
                    let missing: Vec<_> = missing.iter().map(EntryNumber::to_string).collect();
                    return Err(format!(
                        "{}: no dead letter {}; the others are in the journal now",
                        dir.display(),
                        missing.join(", ")
                    )
                    .into());
                }
                writeln!(
                    std::io::stdout(),
                    "{} in {} now; the hub sends them after its next start",
                    numbers.len(),
                    journal.display()
                )?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The letters that were dropped for this reason, or all of them.
fn chosen(dir: &Path, reason: Option<&str>) -> Result<Vec<EntryNumber>, Failure> {
    let letters = list(dir)?;
    let is_meant = |entry: &&Entry| reason.is_none_or(|reason| cause_of(entry).1 == reason);
    let numbers: Vec<_> = letters.iter().filter(is_meant).map(|entry| entry.number).collect();
    match (numbers.is_empty(), reason) {
        (false, _) => Ok(numbers),
        (true, None) => Err(format!("{}: no dead letters", dir.display()).into()),
        (true, Some(reason)) => {
            let reasons: BTreeSet<&str> = letters.iter().map(|entry| cause_of(entry).1).collect();
            let reasons: Vec<String> = reasons.into_iter().map(|reason| format!("{reason:?}")).collect();
            let there = if reasons.is_empty() { "nothing".into() } else { reasons.join(", ") };
            Err(format!("{}: nothing was dropped for {reason:?}; there is {there}", dir.display()).into())
        }
    }
}

const COLUMNS: &str = "number\ttime\treason\tclass\troute\toperation\tresource\tbytes\tid";

fn line(entry: &Entry) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(entry.at.0) * 1_000_000)
        .map_or_else(|_| entry.at.0.to_string(), |at| at.to_string());
    let message = Message::decode(entry.frame.clone());
    let [id, source, group, operation, resource] = match &message {
        Ok(message) => {
            [message.msg_id(), message.source(), message.group(), message.operation(), message.resource()]
        }
        Err(_) => ["", "", "", "", "not a message"],
    };
    let (class, reason) = cause_of(entry);
    let class = class.map_or_else(|| entry.class.to_string(), str::to_owned);
    let fields = [
        &entry.number.to_string(),
        &at,
        reason,
        &class,
        &format!("{source}/{group}"),
        operation,
        resource,
        &entry.frame.len().to_string(),
        id,
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
            reason: Some("state\toutbox full".into()),
            frame: frame.into(),
        };
        let told = line(&entry);
        assert!(told.starts_with("7\t2023-11-14 22:13:20"), "{told}");
        let rest = format!("\toutbox full\tstate\ta/resource\tupdate\tx\u{fffd}y\t{}\tm-1", frame.len());
        assert!(told.ends_with(&rest), "{told:?}");
        assert_eq!(told.split('\t').count(), COLUMNS.split('\t').count());
        entry.frame = "{".into();
        assert!(line(&entry).contains("\tnot a message\t"));
        entry.reason = Some("outbox full".into());
        assert!(line(&entry).contains("\toutbox full\t0\t"), "without a name the class is a number");
    }
}
