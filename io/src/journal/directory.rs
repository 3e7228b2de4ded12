//! The directory of a journal: its lock, its segments, and the commands of the core carried out on them.

use super::JournalError;
use edgehub_core::journal::{Command, Completion, Fault, SegmentNumber};
use edgehub_core::limits::JOURNAL_SEGMENT_BYTES_MAX;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const LOCK: &str = "journal.lock";
const SUFFIX: &str = ".journal";
/// Messages are nobody else's business.
const MODE: u32 = 0o600;

/// An opened directory. No other process opens it while this lives.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Holds the lock.
    lock: File,
    /// The segment that was written to last, and the one that was read from last.
    written: Option<(SegmentNumber, File)>,
    read: Option<(SegmentNumber, File)>,
}

impl Directory {
    /// Lets the next owner in. Nothing may be written afterwards.
    pub(super) fn unlock(&self) {
        // The lock ends with the file in any case.
        let _ = self.lock.unlock();
    }

    /// Makes the directory if there is none, and locks it.
    pub(super) fn open(path: &Path) -> Result<Directory, JournalError> {
        let at = |path: &Path, error| JournalError::Io { path: path.to_owned(), error };
        fs::create_dir_all(path).map_err(|error| at(path, error))?;
        let lock_path = path.join(LOCK);
        let mut lock = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .mode(MODE)
            .open(&lock_path)
            .map_err(|error| at(&lock_path, error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut process = String::new();
                // Only for the message.
                let _ = lock.read_to_string(&mut process);
                return Err(JournalError::InUse { path: lock_path, process: process.trim().to_string() });
            }
            Err(TryLockError::Error(error)) => return Err(at(&lock_path, error)),
        }
        // For whoever finds it locked; the lock itself does not depend on it, so a full disk is no obstacle.
        let _ = lock
            .set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "{}", std::process::id()));
        Ok(Directory { path: path.to_owned(), lock, written: None, read: None })
    }

    pub(super) fn file(&self, segment: SegmentNumber) -> PathBuf {
        self.path.join(format!("{segment}{SUFFIX}"))
    }

    /// Renames a segment out of the way, under a name that is free.
    pub(super) fn set_aside(&self, segment: SegmentNumber) -> Result<PathBuf, JournalError> {
        let from = self.file(segment);
        let free = (1..).map(|count| match count {
            1 => self.path.join(format!("{segment}{SUFFIX}.set-aside")),
            count => self.path.join(format!("{segment}{SUFFIX}.set-aside-{count}")),
        });
        for to in free {
            if !to.exists() {
                let renamed = fs::rename(&from, &to).and_then(|()| self.sync());
                return renamed.map(|()| to).map_err(|error| JournalError::Io { path: from, error });
            }
        }
        Ok(from)
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    /// Carries out a command. The error is also given in words.
    pub(super) fn execute(&mut self, command: &Command) -> Result<Completion, (Fault, io::Error)> {
        self.try_execute(command).map_err(|error| {
            let fault = match error.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Fault::NoSpace,
                _ => Fault::Other,
            };
            (fault, error)
        })
    }

    fn try_execute(&mut self, command: &Command) -> io::Result<Completion> {
        match command {
            Command::Create { segment, header } => self.create(*segment, header)?,
            Command::Write { segment, offset, bytes } => {
                self.open_to_write(*segment)?.write_all_at(bytes, *offset)?
            }
            Command::Sync { segment } => self.open_to_write(*segment)?.sync_data()?,
            Command::Cut { segment, length } => {
                let file = self.open_to_write(*segment)?;
                file.set_len(*length)?;
                file.sync_all()?;
            }
            Command::Delete { segment } => {
                match fs::remove_file(self.file(*segment)) {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
                self.read.take_if(|(open, _)| open == segment);
                self.written.take_if(|(open, _)| open == segment);
                self.sync()?;
            }
            Command::Read { segment, offset, bytes } => return self.read(*segment, *offset, *bytes),
        }
        Ok(Completion::Done)
    }

    fn create(&mut self, segment: SegmentNumber, header: &[u8]) -> io::Result<()> {
        let path = self.file(segment);
        let open =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(MODE).open(&path)?;
        // A failed attempt may have left a part of the header. Anything longer is not ours to touch.
        if open.metadata()?.len() > header.len() as u64 {
            return Err(io::Error::new(ErrorKind::AlreadyExists, "the next segment's file is there already"));
        }
        open.set_len(0)?;
        open.write_all_at(header, 0)?;
        open.sync_all()?;
        self.sync()?;
        self.written = Some((segment, open));
        Ok(())
    }

    fn open_to_write(&mut self, segment: SegmentNumber) -> io::Result<&File> {
        if self.written.as_ref().is_none_or(|(open, _)| *open != segment) {
            let file = OpenOptions::new().write(true).open(self.file(segment))?;
            self.written = Some((segment, file));
        }
        self.written.as_ref().map(|(_, file)| file).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn read(&mut self, segment: SegmentNumber, offset: u64, bytes: usize) -> io::Result<Completion> {
        if self.read.as_ref().is_none_or(|(open, _)| *open != segment) {
            self.read = Some((segment, File::open(self.file(segment))?));
        }
        let mut buffer = vec![0; bytes];
        let mut filled = 0;
        if let Some((_, file)) = &self.read {
            while filled < bytes {
                match file.read_at(&mut buffer[filled..], offset + filled as u64) {
                    Ok(0) => break,
                    Ok(count) => filled += count,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
        buffer.truncate(filled);
        Ok(Completion::Read(buffer.into()))
    }
}

/// The segments of a directory, in order. Whatever has another name is not looked at.
pub(super) fn segments(path: &Path) -> io::Result<Vec<(SegmentNumber, PathBuf)>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let number = name.and_then(|name| name.strip_suffix(SUFFIX)).and_then(|number| number.parse().ok());
        // A number that is written in another way would be another file.
        if let Some(number) = number.map(SegmentNumber)
            && name == Some(&format!("{number}{SUFFIX}"))
        {
            segments.push((number, path));
        }
    }
    segments.sort();
    Ok(segments)
}

/// A segment's bytes: of a file that is larger than any, no more than shows that.
pub(super) fn read_segment(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let expected = file.metadata()?.len().min(JOURNAL_SEGMENT_BYTES_MAX + 1);
    let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or_default());
    file.take(JOURNAL_SEGMENT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
