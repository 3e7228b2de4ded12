//! Reading and writing files such that a reader sees the old contents or the new ones, and never a half of them.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::PkiError;
use crate::identity::layer;

/// File mode of a private key: nobody but its owner reads it.
pub const PRIVATE: u32 = 0o600;
/// File mode of a certificate: everybody may read it.
pub const PUBLIC: u32 = 0o644;

/// Writes `contents` to a temporary file beside `path`, syncs it, and renames it over `path`.
///
/// Missing parent directories are created. After a failure, `path` is as it was before.
pub fn write_atomically(path: &Path, contents: &[u8], mode: u32) -> Result<(), PkiError> {
    let failed = |error| PkiError::Write { path: path.to_owned(), error };
    layer::replace(&layer::Disk, path, contents, mode).map_err(failed)
}

/// Whether somebody besides the owner and the owner's group may read a file. One that is not there nobody reads.
pub fn is_readable_by_others(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o004 != 0)
}

/// Reads a text file; `None` when there is none.
pub(super) fn read_if_present(path: &Path) -> Result<Option<String>, PkiError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(PkiError::Read { path: path.to_owned(), error }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/file");
        write_atomically(&path, b"one", PUBLIC).unwrap();
        write_atomically(&path, b"two", PRIVATE).unwrap();
        assert_eq!(read_if_present(&path).unwrap().as_deref(), Some("two"));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let occupied = dir.path().join("occupied");
        fs::create_dir_all(occupied.join("child")).unwrap();
        let error = write_atomically(&occupied, b"x", PUBLIC).unwrap_err();
        assert!(error.to_string().contains("occupied"), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(write_atomically(Path::new("/"), b"x", PUBLIC).is_err());
    }

    #[test]
    fn an_absent_file_is_not_an_error_and_an_unreadable_one_is() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read_if_present(&dir.path().join("none")).unwrap().is_none());
        assert!(read_if_present(dir.path()).is_err());
    }
}
