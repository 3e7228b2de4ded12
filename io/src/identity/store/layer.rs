//! The file operations that a new pair needs, one by one, so that a test can end the process between any two of them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::Path;

/// Changes to files. Each is durable or harmless on its own.
pub trait Layer {
    /// Makes a directory, and those above it, unless they are there.
    fn make_directory(&self, path: &Path, mode: u32) -> io::Result<()>;
    /// Writes a file that must not be there yet, and syncs it.
    fn write_new(&self, path: &Path, contents: &[u8], mode: u32) -> io::Result<()>;
    /// Makes a symbolic link that must not be there yet.
    fn link(&self, target: &Path, path: &Path) -> io::Result<()>;
    /// Puts one name in the place of another.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Syncs a directory: what was renamed in it stays.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
    /// Removes a directory and what is in it, or a link.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// The file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Layer for Disk {
    fn make_directory(&self, path: &Path, mode: u32) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(mode).create(path)
    }

    fn write_new(&self, path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(contents)?;
        file.sync_all()
    }

    fn link(&self, target: &Path, path: &Path) -> io::Result<()> {
        symlink(target, path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let kind = fs::symlink_metadata(path)?;
        if kind.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
    }
}
