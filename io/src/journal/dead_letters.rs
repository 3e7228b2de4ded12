//! What was dropped, read while a hub may write on.

use super::directory::{read_segment, segments};
use super::{Entry, JournalError, Options, Overflow, Purpose, Settings};
use edgehub_core::journal::{Header, Record, Recovery, Seed};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

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

/// The dead letters of a directory, in the order of their numbers. Only reads, also while a hub writes there: what it
/// adds or deletes meanwhile may be in the list or not.
pub fn list(path: &Path) -> Result<Vec<Entry>, JournalError> {
    let at = |path: &Path, error| JournalError::Io { path: path.to_owned(), error };
    let mut recovery: Option<(Recovery, Seed)> = None;
    let mut entries = BTreeMap::new();
    for (segment, file) in segments(path).map_err(|error| at(path, error))? {
        let bytes = match read_segment(&file) {
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
