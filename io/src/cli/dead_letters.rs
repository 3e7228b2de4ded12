//! `edgehub dead-letters`: what was dropped, and sending it again.

use super::{Failure, run, say};
use clap::{Args, Subcommand};
use edgehub::config::NodeConfig;
use edgehub::core::Message;
use edgehub::journal::{
    Entry, EntryNumber, FullReason, Health, JournalError, Requeued, cause_of, list, requeue,
};
use std::collections::BTreeSet;
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
    List(Place),
    /// Print one message as it was
    Show {
        #[command(flatten)]
        place: Place,
        /// Its number, as `list` shows it
        number: u64,
    },
    /// Move messages into the node's journal, from where its hub sends them after its next start, behind what is there;
    /// the hub must not run
    Requeue {
        #[command(flatten)]
        place: Place,
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
struct Place {
    /// The node's configuration
    #[arg(long, value_name = "FILE", default_value = "/etc/kubeedge/config/edgecore.yaml")]
    config: PathBuf,
    /// The directory of the dead letters, if it is not that of the configuration
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Place {
    /// The directory to look into. A configuration is read only if it is needed.
    fn dir(&self) -> Result<PathBuf, Failure> {
        match &self.dir {
            Some(dir) => Ok(dir.clone()),
            None => self.dir_of(&run::node(&self.config)?),
        }
    }

    fn dir_of(&self, node: &NodeConfig) -> Result<PathBuf, Failure> {
        let configured = || node.hub.letters.as_ref().map(|letters| letters.dir.clone());
        self.dir.clone().or_else(configured).ok_or_else(|| {
            let file = self.config.display();
            format!("{file}: no class has `deadLetters: true`; name the directory of older ones with --dir")
                .into()
        })
    }

    async fn requeue(&self, all: bool, reason: Option<&str>, numbers: Vec<u64>) -> Result<ExitCode, Failure> {
        let node = run::node(&self.config)?;
        let dir = self.dir_of(&node)?;
        let Some(journal) = &node.hub.journal else {
            let file = self.config.display();
            return Err(format!(
                "{file}: this node has no journal (`edgehub.journal.dir`), and that is where they go"
            )
            .into());
        };
        let numbers = if all || reason.is_some() {
            chosen(&dir, reason)?
        } else {
            // Also of a directory that is not there.
            list(&dir)?;
            numbers.into_iter().map(EntryNumber).collect()
        };
        // Files that cannot be used are for the hub to set aside, if it is to.
        let options = edgehub::journal::Options { set_aside: false, ..journal.options() };
        let requeued =
            requeue(&dir, (&journal.dir, options), &node.identity(), &numbers).await.map_err(not_moved)?;
        let moved = format!(
            "{} in {} now; the hub sends them after its next start",
            requeued.moved,
            journal.dir.display()
        );
        match shortfall(&requeued) {
            None => say(moved).map(|()| ExitCode::SUCCESS).map_err(Failure::from),
            Some(shortfall) => Err(format!("{}: {shortfall}; {moved}", dir.display()).into()),
        }
    }
}

/// Why nothing was moved. The files of a hub that runs are its own.
fn not_moved(error: JournalError) -> Failure {
    match error {
        JournalError::InUse { path, process } => format!(
            "{}: in use by process {process}, and nothing was moved; stop the node's hub, requeue, and start it again",
            path.display()
        )
        .into(),
        error => error.into(),
    }
}

/// What was asked for and not moved.
fn shortfall(requeued: &Requeued) -> Option<String> {
    let numbers = |numbers: &mut dyn Iterator<Item = &EntryNumber>| {
        numbers.map(EntryNumber::to_string).collect::<Vec<_>>().join(", ")
    };
    let Requeued { missing, too_large, left, health, .. } = requeued;
    let parts = [
        (!missing.is_empty()).then(|| format!("no dead letter {}", numbers(&mut missing.iter()))),
        (!too_large.is_empty())
            .then(|| format!("too large for the journal (`journal.bytes`): {}", numbers(&mut too_large.iter()))),
        (!left.is_empty()).then(|| {
            let remedy = match health {
                Health::Full(FullReason::Limit) => {
                    "the journal is full (`journal.bytes`): let the hub send what it has, and requeue these then"
                }
                Health::Full(FullReason::Disk) => "the disk is full",
                _ => "the disk fails",
            };
            format!("{remedy}: {}", numbers(&mut left.iter()))
        }),
    ];
    let told: Vec<String> = parts.into_iter().flatten().collect();
    (!told.is_empty()).then(|| told.join("; "))
}

impl DeadLetters {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        match self.command {
            Command::List(place) => {
                let letters = list(&place.dir()?)?;
                say(COLUMNS)?;
                letters.iter().try_for_each(|entry| say(line(entry)))?;
            }
            Command::Show { place, number } => {
                let dir = place.dir()?;
                let entry = list(&dir)?.into_iter().find(|entry| entry.number.0 == number);
                let entry = entry.ok_or_else(|| format!("{}: no dead letter {number}", dir.display()))?;
                say(entry.frame.trim_end())?;
            }
            Command::Requeue { place, all, reason, numbers } => {
                return place.requeue(all, reason.as_deref(), numbers).await;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The letters that were dropped for this reason, or all of them.
fn chosen(dir: &Path, reason: Option<&str>) -> Result<BTreeSet<EntryNumber>, Failure> {
    let letters = list(dir)?;
    let is_meant = |entry: &&Entry| reason.is_none_or(|reason| cause_of(entry).1 == reason);
    let numbers: BTreeSet<_> = letters.iter().filter(is_meant).map(|entry| entry.number).collect();
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
