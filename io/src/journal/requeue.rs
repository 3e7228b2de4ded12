//! Dead letters, sent again: out of their journal, into that of a hub that does not run.

use super::{
    Entry, EntryNumber, Event, Health, Journal, JournalError, Opened, Operation, Options, Overflow, Settings,
};
use std::collections::BTreeSet;
use std::io;
use std::path::Path;

/// Bytes of messages that are moved together, with one sync; one larger message goes alone.
const BATCH_BYTES: usize = 1024 * 1024;
/// … where so many count for what the smallest takes beside its text.
const ENTRY_BYTES: usize = 64;

/// What became of letters that were to be sent again.
#[derive(Debug, Default)]
pub struct Requeued {
    /// How many are in the node's journal now, and no dead letters any more.
    pub moved: usize,
    /// What is not among the dead letters, or cannot be read.
    pub missing: BTreeSet<EntryNumber>,
    /// What the journal takes no message of, for its size. These have stayed dead letters, …
    pub too_large: Vec<EntryNumber>,
    /// … and so have these, …
    pub left: Vec<EntryNumber>,
    /// … because the journal is like this.
    pub health: Health,
}

/// Moves dead letters into a node's journal, from where the hub takes them up at its next start. Both directories must
/// be free; `options` are those with which that hub opens its journal. A letter leaves the one only when it is durable in
/// the other: when this is interrupted, some may be in both.
pub async fn requeue(
    dead_letters: &Path,
    (journal, options): (&Path, Options),
    identity: &str,
    numbers: &BTreeSet<EntryNumber>,
) -> Result<Requeued, JournalError> {
    let letters = Opened::open(dead_letters, identity, to_take_out_of())?;
    let target = Opened::open(journal, identity, options)?;
    let frame_bytes_max = target.frame_bytes_max();
    let mut moving = Moving::start(target).map_err(|error| failed(journal, error))?;
    let mut missing = numbers.clone();
    let mut too_large = Vec::new();
    for letter in letters.entries().filter(|letter| numbers.contains(&letter.number)) {
        missing.remove(&letter.number);
        match letter.frame.len() > frame_bytes_max {
            true => too_large.push(letter.number),
            false => moving.take(letter).await,
        }
    }
    moving.store().await;
    moving.end().await;
    let Moving { moved, left, health, .. } = moving;
    forget(letters, &moved).await.map_err(|error| failed(dead_letters, error))?;
    Ok(Requeued { moved: moved.len(), missing, too_large, left, health })
}

/// How a journal is opened to take out of it: nothing is added, so nothing may be given up for want of room, however full it is.
fn to_take_out_of() -> Options {
    let options = Options::dead_letters();
    let settings = Settings { overflow: Overflow::Wait, total_bytes: u64::MAX, ..options.settings };
    Options { settings, ..options }
}

/// Letters on their way into a journal.
struct Moving {
    journal: Journal,
    next: EntryNumber,
    /// What is to be stored next: entries with their new numbers, and …
    batch: Vec<Entry>,
    bytes: usize,
    /// … their numbers as letters.
    letters: Vec<EntryNumber>,
    moved: Vec<EntryNumber>,
    left: Vec<EntryNumber>,
    health: Health,
}

impl Moving {
    fn start(target: Opened) -> io::Result<Moving> {
        let next = target.recovered.unused;
        Ok(Moving {
            journal: target.start()?,
            next,
            batch: Vec::new(),
            bytes: 0,
            letters: Vec::new(),
            moved: Vec::new(),
            left: Vec::new(),
            health: Health::Good,
        })
    }

    async fn take(&mut self, letter: Entry) {
        let bytes = letter.frame.len() + ENTRY_BYTES;
        if self.bytes + bytes > BATCH_BYTES {
            self.store().await;
        }
        self.bytes += bytes;
        self.letters.push(letter.number);
        self.batch.push(Entry { number: self.next, reason: None, ..letter });
        self.next.0 += 1;
    }

    /// Stores the batch, as far as there is room, and waits for that.
    async fn store(&mut self) {
        self.bytes = 0;
        let (batch, letters) = (std::mem::take(&mut self.batch), std::mem::take(&mut self.letters));
        let Some(last) = batch.last().map(|entry| entry.number) else { return };
        let stored = match self.health {
            Health::Good => self.stored_up_to(batch, last).await,
            // It takes nothing any more.
            _ => None,
        };
        let behind = stored.map_or(0, |up_to| last.0.saturating_sub(up_to.0));
        let durable = if stored.is_some() { letters.len().saturating_sub(behind as usize) } else { 0 };
        self.moved.extend_from_slice(&letters[..durable]);
        self.left.extend_from_slice(&letters[durable..]);
    }

    /// Closes the journal, and waits until its next owner may open it. All that was stored is durable already.
    async fn end(&self) {
        self.journal.close();
        while self.journal.events.recv().await.is_ok() {}
    }

    /// Stores these, and returns the last one that is durable.
    async fn stored_up_to(&mut self, batch: Vec<Entry>, last: EntryNumber) -> Option<EntryNumber> {
        let mut stored = None;
        if self.journal.append(batch.into_iter().map(Operation::Store).collect()).is_err() {
            self.health = Health::Failing;
            return None;
        }
        loop {
            match self.journal.events.recv().await {
                Ok(Event::Stored { up_to }) => {
                    stored = Some(up_to);
                    if up_to >= last {
                        return stored;
                    }
                }
                Ok(Event::Health(health)) if health != Health::Good && self.health == Health::Good => {
                    self.health = health;
                    // What fits is stored, and the rest does not wait for room.
                    self.journal.close();
                }
                Ok(Event::Closed { .. }) | Err(_) => return stored,
                Ok(_) => {}
            }
        }
    }
}

/// Takes letters out of their journal, for good.
async fn forget(letters: Opened, numbers: &[EntryNumber]) -> io::Result<()> {
    let journal = letters.start()?;
    let forget = |number: &EntryNumber| Operation::Forget { first: *number, last: *number };
    let mut health = Health::Good;
    let appended = journal.append(numbers.iter().map(forget).collect());
    journal.close();
    while let Ok(event) = journal.events.recv().await {
        match event {
            Event::Health(ill) => health = ill,
            Event::Closed { unwritten: 0 } if health == Health::Good && appended.is_ok() => return Ok(()),
            _ => {}
        }
    }
    Err(io::Error::other(format!(
        "{} letters are in the node's journal now, and could not be taken out of here ({health:?}): requeue none of them again",
        numbers.len()
    )))
}

fn failed(path: &Path, error: io::Error) -> JournalError {
    JournalError::Io { path: path.to_owned(), error }
}
