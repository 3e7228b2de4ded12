//! The versions of the format that can be read, and what has changed between them.

use core::fmt;

/// The version of the format that this crate writes.
pub const FORMAT_VERSION: u16 = 3;

/// The oldest version of the format that this crate reads.
pub const OLDEST_FORMAT_VERSION: u16 = 2;

/// What a version brought, by its number.
const CHANGES: [(u16, &str); 1] = [(
    3,
    "each block says how many messages were dropped meanwhile, and for how long one was on its way at most: before, whoever asks \
     for what was dropped or late has to replay everything",
)];

/// A version of the format, as a reader knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Version 2: blocks are not summed up.
    Unsummed,
    /// Version 3.
    Summed,
}

impl Format {
    /// The format of this version, if it can be read.
    pub(super) fn of(version: u16) -> Option<Format> {
        match version {
            OLDEST_FORMAT_VERSION => Some(Format::Unsummed),
            FORMAT_VERSION => Some(Format::Summed),
            _ => None,
        }
    }
}

/// Writes what has changed since a version of the format.
pub(super) fn put_changes_since(f: &mut fmt::Formatter<'_>, version: u16) -> fmt::Result {
    let later = CHANGES.iter().filter(|(number, _)| *number > version);
    later.into_iter().try_for_each(|(number, what)| write!(f, "; since format {number}, {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever adds a version says what it brings, and reads the one before.
    #[test]
    fn every_version_that_is_read_has_its_line() {
        let lines: std::vec::Vec<u16> = CHANGES.iter().map(|(number, _)| *number).collect();
        assert_eq!(lines, (OLDEST_FORMAT_VERSION + 1..=FORMAT_VERSION).collect::<std::vec::Vec<_>>());
        let is_read = |version: &u16| Format::of(*version).is_some();
        assert!((OLDEST_FORMAT_VERSION..=FORMAT_VERSION).all(|version| is_read(&version)));
        assert!(![OLDEST_FORMAT_VERSION - 1, FORMAT_VERSION + 1].iter().any(is_read));
    }
}
