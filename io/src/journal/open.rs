//! Opening: what is on the disk is read back and made durable before anything is added to it.

use super::directory::{Directory, read_segment, segments};
use super::{Journal, JournalError, Options, writer_thread};
use edgehub_core::journal::{
    Entry, EntryNumber, Input, Place, Record, Recovery, Refusal, Seed, Skipped, Torn, Writer,
};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What was found on the disk.
#[derive(Debug, Clone, Default)]
pub struct Recovered {
    /// What lives, in the order of its numbers.
    pub live: Vec<(EntryNumber, Place)>,
    /// The first number that was never used.
    pub unused: EntryNumber,
    /// Damaged stretches that were passed over; the first of them.
    pub skipped: Vec<Skipped>,
    /// The bytes of all damaged stretches.
    pub skipped_bytes: u64,
    /// Unfinished ends that were cut off.
    pub torn: Vec<Torn>,
    /// Segments that could not be used, why, and the name they have now.
    pub set_aside: Vec<(PathBuf, Refusal)>,
}

/// A journal that has been read back and is not written to yet.
#[derive(Debug)]
pub struct Opened {
    /// What was found.
    pub recovered: Recovered,
    directory: Directory,
    writer: Writer,
    options: Options,
    seed: Seed,
}

impl Opened {
    /// Reads a directory back, makes what was found durable, and cuts torn ends off. Blocks.
    pub fn open(path: &Path, identity: &str, options: Options) -> Result<Opened, JournalError> {
        let directory = Directory::open(path)?;
        let mut recovery = Recovery::new(options.purpose, identity);
        let set_aside = read_segments(&directory, path, &mut recovery, options.set_aside)?;
        let recovered = Recovered {
            live: recovery.live().collect(),
            unused: recovery.unused(),
            skipped: recovery.skipped().to_vec(),
            skipped_bytes: recovery.skipped_bytes(),
            torn: recovery.torn().to_vec(),
            set_aside,
        };
        let seed = recovery.seed();
        let writer = Writer::new(options.settings.clone(), recovery);
        let mut opened = Opened { recovered, directory, writer, options, seed };
        opened.make_durable().map_err(|error| JournalError::Io { path: path.to_owned(), error })?;
        Ok(opened)
    }

    fn make_durable(&mut self) -> io::Result<()> {
        while !self.writer.is_started() {
            let Some(command) = self.writer.next_command() else { break };
            match self.directory.execute(&command) {
                Ok(completion) => self.writer.handle(Input::Completed(completion)),
                Err((_, error)) => return Err(error),
            }
        }
        Ok(())
    }

    /// The longest frame that it takes, in bytes.
    pub fn frame_bytes_max(&self) -> usize {
        self.writer.frame_bytes_max()
    }

    /// Reads what lives, one after the other, in the order of its numbers. Blocks. What cannot be read is left out, and
    /// reported as lost when it is fetched.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        let mut file: Option<(PathBuf, File)> = None;
        self.recovered.live.iter().filter_map(move |(_, place)| {
            let path = self.directory.file(place.segment);
            if file.as_ref().is_none_or(|(open, _)| *open != path) {
                file = Some((path.clone(), File::open(&path).ok()?));
            }
            let mut bytes = vec![0; place.bytes as usize];
            file.as_ref()?.1.read_exact_at(&mut bytes, u64::from(place.offset)).ok()?;
            Record::decode(&bytes, self.seed)?.0.to_entry()
        })
    }

    /// Starts the thread that writes.
    pub fn start(self) -> io::Result<Journal> {
        writer_thread::start(self.directory, self.writer, &self.options)
    }
}

fn read_segments(
    directory: &Directory,
    path: &Path,
    recovery: &mut Recovery,
    set_aside: bool,
) -> Result<Vec<(PathBuf, Refusal)>, JournalError> {
    let mut refused = Vec::new();
    let found = segments(path).map_err(|error| JournalError::Io { path: path.to_owned(), error })?;
    // Before anything is renamed, everything has been read: a refusal without permission changes nothing.
    for (segment, file) in found {
        let bytes = read_segment(&file).map_err(|error| JournalError::Io { path: file.clone(), error })?;
        match recovery.segment(segment, &bytes) {
            Ok(()) => {}
            Err(refusal) if set_aside => refused.push((segment, refusal)),
            Err(refusal) => return Err(JournalError::Refused { path: file, refusal }),
        }
    }
    refused.into_iter().map(|(segment, refusal)| Ok((directory.set_aside(segment)?, refusal))).collect()
}
