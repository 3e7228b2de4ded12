//! Why a journal cannot be opened, each with its remedy, in one line.

use edgehub_core::journal::Refusal;
use std::path::PathBuf;
use std::{fmt, io};

/// Why a journal cannot be opened.
#[derive(Debug)]
pub enum JournalError {
    /// Another process has it open.
    InUse {
        /// The lock file.
        path: PathBuf,
        /// The process that wrote it last, as far as it can be read.
        process: String,
    },
    /// A segment is not this node's, of a newer version, or unreadable. It is left untouched.
    Refused {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        refusal: Refusal,
    },
    /// The system says no.
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse { path, process } => write!(
                f,
                "{}: the journal is in use by process {process}; end that one first, or give this one a directory of \
                 its own",
                path.display()
            ),
            Self::Refused { path, refusal } => {
                let remedy = match refusal {
                    Refusal::Newer { .. } => {
                        "run that version again until its journal is empty, or move the file away"
                    }
                    Refusal::OtherOwner { .. } => {
                        "give this node a directory of its own, or move the file away"
                    }
                    Refusal::OtherPurpose { .. } => "messages and dead letters need a directory each",
                    Refusal::OtherNumber { .. } => "give the file its old name back",
                    _ => "move the file away and keep it for an examination",
                };
                write!(
                    f,
                    "{}: {refusal}; {remedy}. Nothing was changed; with `unusable: set-aside` beside its directory in the \
                     configuration, the hub renames such a file and starts without it",
                    path.display()
                )
            }
            Self::Io { path, error } => {
                write!(f, "{}: {error}; check the disk, and the directory's owner and mode", path.display())
            }
        }
    }
}

impl std::error::Error for JournalError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused { refusal, .. } => Some(refusal),
            Self::Io { error, .. } => Some(error),
            Self::InUse { .. } => None,
        }
    }
}
