//! What was dropped: listed, shown, and sent again.

use super::directory::segments;
use super::{
    Entry, EntryNumber, Event, Journal, JournalError, Opened, Operation, Options, Overflow, Purpose, Settings,
};
use edgehub_core::journal::{Header, Record, Recovery, Seed};
use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

impl Options {
    /// For dead letters: the oldest are given up when there is no room for the next.
    pub fn dead_letters() -> Options {
        Options {
            purpose: Purpose::DeadLetters,
            settings: Settings { overflow: Overflow::DropOldest, ..Settings::default() },
            ..Options::default()
        }
    }
}

/// What is written as the reason of a dead letter: its class by name, since numbers change, and why it was dropped.
pub fn letter_reason(class: &str, reason: &str) -> String {
    format!("{class}\t{reason}")
}

/// The class of a dead letter, if it names one, and why it was dropped.
pub fn cause_of(entry: &Entry) -> (Option<&str>, &str) {
    let reason = entry.reason.as_deref().unwrap_or_default();
    reason.split_once('\t').map_or((None, reason), |(class, reason)| (Some(class), reason))
}

/// Whose dead letters a directory holds, as the first sound header says; `None` without any.
pub fn owner(path: &Path) -> Result<Option<String>, JournalError> {
    let at = |path: &Path, error| JournalError::Io { path: path.to_owned(), error };
    for (_, file) in segments(path).map_err(|error| at(path, error))? {
        let bytes = fs::read(&file).map_err(|error| at(&file, error))?;
        if let Ok((header, _)) = Header::decode(&bytes) {
            return Ok(Some(header.identity));
        }
    }
    Ok(None)
}

/// The dead letters of a directory, in the order of their numbers. Only reads, also while a hub writes there: what it
/// adds or deletes meanwhile may be in the list or not.
pub fn list(path: &Path) -> Result<Vec<Entry>, JournalError> {
    let at = |path: &Path, error| JournalError::Io { path: path.to_owned(), error };
    let mut recovery: Option<(Recovery, Seed)> = None;
    let mut entries = BTreeMap::new();
    for (segment, file) in segments(path).map_err(|error| at(path, error))? {
        let bytes = match fs::read(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            bytes => bytes.map_err(|error| at(&file, error))?,
        };
        // Whose they are is what the first header says; the others must agree.
        if recovery.is_none()
            && let Ok((header, _)) = Header::decode(&bytes)
        {
            let identity = &header.identity;
            recovery = Some((
                Recovery::new(Purpose::DeadLetters, identity),
                Seed::new(Purpose::DeadLetters, identity),
            ));
        }
        let (recovery, seed) = recovery.get_or_insert_with(|| {
            (Recovery::new(Purpose::DeadLetters, ""), Seed::new(Purpose::DeadLetters, ""))
        });
        recovery
            .segment(segment, &bytes)
            .map_err(|refusal| JournalError::Refused { path: file.clone(), refusal })?;
        for (number, place) in recovery.live().filter(|(_, place)| place.segment == segment) {
            let record = bytes.get(place.offset as usize..).and_then(|bytes| Record::decode(bytes, *seed));
            entries.extend(record.and_then(|(record, _)| record.to_entry()).map(|entry| (number, entry)));
        }
    }
    let Some((recovery, _)) = recovery else { return Ok(Vec::new()) };
    Ok(recovery.live().filter_map(|(number, _)| entries.remove(&number)).collect())
}

/// Moves dead letters into a node's journal, from where the hub takes them up at its next start. Both directories must
/// be free; `bytes` is how large the node's journal may become, as in its configuration. Returns the numbers that were not there. When this is interrupted, a letter may be in both.
pub async fn requeue(
    dead_letters: &Path,
    journal: &Path,
    bytes: Option<u64>,
    identity: &str,
    numbers: &[EntryNumber],
) -> Result<Vec<EntryNumber>, JournalError> {
    let letters = Opened::open(dead_letters, identity, Options::dead_letters())?;
    let mut options = Options::default();
    options.settings.total_bytes = bytes.unwrap_or(options.settings.total_bytes);
    let target = Opened::open(journal, identity, options)?;
    let chosen: Vec<_> = letters.entries().filter(|entry| numbers.contains(&entry.number)).collect();
    let missing =
        numbers.iter().filter(|number| !chosen.iter().any(|entry| entry.number == **number)).copied();
    let missing: Vec<_> = missing.collect();
    let started = |opened: Opened, path: &Path| {
        opened.start().map_err(|error| JournalError::Io { path: path.to_owned(), error })
    };
    let first = target.recovered.unused;
    let (letters, target) = (started(letters, dead_letters)?, started(target, journal)?);
    let mut forgets = Vec::new();
    for (offset, entry) in (0..).zip(chosen) {
        forgets.push(Operation::Forget { first: entry.number, last: entry.number });
        let number = EntryNumber(first.0 + offset);
        // One at a time: each is durable in its new place before it leaves the old one.
        put(&target, journal, Entry { number, reason: None, ..entry }).await?;
    }
    // Forgetting always has room.
    let _ = letters.append(forgets);
    finish(&letters, dead_letters).await?;
    finish(&target, journal).await?;
    Ok(missing)
}

/// Stores one entry and waits for it.
async fn put(journal: &Journal, path: &Path, entry: Entry) -> Result<(), JournalError> {
    let failed = |why: String| JournalError::Io { path: path.to_owned(), error: io::Error::other(why) };
    let number = entry.number;
    journal.append(vec![Operation::Store(entry)]).map_err(|_| failed("it takes nothing".into()))?;
    loop {
        match journal.events.recv().await {
            Ok(Event::Stored { up_to }) if up_to >= number => return Ok(()),
            Ok(Event::Refused { reason, .. }) => {
                return Err(failed(format!("an entry was refused: {reason:?}")));
            }
            Ok(Event::Health(health)) if health != super::Health::Good => {
                return Err(failed(format!("no room or a failing disk: {health:?}")));
            }
            Ok(_) => {}
            Err(_) => return Err(failed("the journal ended".into())),
        }
    }
}

/// Closes, and waits until everything is written.
async fn finish(journal: &Journal, path: &Path) -> Result<(), JournalError> {
    journal.close();
    while let Ok(event) = journal.events.recv().await {
        match event {
            Event::Closed { unwritten } if unwritten > 0 => break,
            Event::Closed { .. } => return Ok(()),
            _ => {}
        }
    }
    Err(JournalError::Io {
        path: path.to_owned(),
        error: io::Error::other("not everything could be written"),
    })
}
