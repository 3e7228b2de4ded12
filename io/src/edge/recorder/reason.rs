//! Why a dump is written.

use edgehub_core::hub::LinkEnd;
use std::fmt;

/// Why what is in memory is written to a file.
#[derive(Debug, Clone, Copy)]
pub(in crate::edge) enum Reason {
    /// The driver panics.
    Panic,
    /// A link was lost, in this way.
    LinkLost(LinkEnd),
    /// Somebody asked for it.
    Requested(AskedBy),
}

/// Who asks for a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedBy {
    /// Whoever may send signals to the process, as `edgehub trace dump` does.
    Signal,
    /// The program that the hub is a part of.
    Program,
}

impl Reason {
    /// What its files' names begin with.
    pub(super) fn name(self) -> &'static str {
        match self {
            Reason::Panic => "panic",
            Reason::LinkLost(_) => "link-lost",
            Reason::Requested(AskedBy::Signal) => "signal",
            Reason::Requested(AskedBy::Program) => "requested",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Panic => f.write_str("the hub's driver panicked"),
            Reason::LinkLost(end) => write!(f, "the link was lost: {end}"),
            Reason::Requested(AskedBy::Signal) => f.write_str("a signal asked for it"),
            Reason::Requested(AskedBy::Program) => f.write_str("the program asked for it"),
        }
    }
}
