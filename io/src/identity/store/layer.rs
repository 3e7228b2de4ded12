//! The file operations that a new pair needs, one by one, so that a test can end the process between any two of them, or take
//! back what was not synced.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::Path;

/// Changes to files.
pub trait Layer {
    /// Makes a directory, and those above it, unless they are there; durable.
    fn make_directory(&self, path: &Path, mode: u32) -> io::Result<()>;
    /// Writes a file that must not be there yet. What is in it is durable when it is synced, its name when its directory is.
    fn write_new(&self, path: &Path, contents: &[u8], mode: u32) -> io::Result<()>;
    /// Makes a symbolic link that must not be there yet; durable when its directory is synced.
    fn link(&self, target: &Path, path: &Path) -> io::Result<()>;
    /// Puts one name in the place of another in the same directory; durable when that is synced.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes durable what is in a file, or which names there are in a directory.
    fn sync(&self, path: &Path) -> io::Result<()>;
    /// Removes a directory and what is in it, or a link.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// The file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Layer for Disk {
    fn make_directory(&self, path: &Path, mode: u32) -> io::Result<()> {
        let make = || fs::DirBuilder::new().mode(mode).create(path);
        let made = match make() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.make_directory(super::parent(path), mode)?;
                make()
            }
            made => made,
        };
        // Somebody else may be faster.
        made.or_else(|error| if path.is_dir() { Ok(()) } else { Err(error) })?;
        self.sync(super::parent(path))
    }

    fn write_new(&self, path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(contents)
    }

    fn link(&self, target: &Path, path: &Path) -> io::Result<()> {
        symlink(target, path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let kind = fs::symlink_metadata(path)?;
        if kind.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
    }
}

/// Has a file with these contents in the place of whatever is there: the old one or the new one, after a crash at any moment. A
/// failure leaves the old one.
pub(crate) fn replace<L: Layer>(layer: &L, path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(ErrorKind::InvalidInput, "not the path of a file"));
    };
    let directory = super::parent(path);
    layer.make_directory(directory, 0o777)?;
    // A fresh name each time: two writers, or the leftover of a crash, cannot meet in it.
    let temporary = directory.join(format!(".{}.{:016x}", name.to_string_lossy(), fastrand::u64(..)));
    let written = layer
        .write_new(&temporary, contents, mode)
        .and_then(|()| layer.sync(&temporary))
        .and_then(|()| layer.rename(&temporary, path));
    if let Err(error) = written {
        // The write has failed already; a leftover temporary file is the smaller evil and the error says why.
        let _ = layer.remove(&temporary);
        return Err(error);
    }
    layer.sync(directory)
}
