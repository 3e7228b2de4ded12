//! What is remembered of a run.

use edgehub_core::Instant;
use std::fmt::Write;

/// How much is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogKind {
    /// Nothing; the fastest.
    Nothing,
    /// One readable line for each transition: links, sessions, faults, drops.
    Transitions,
    /// Every input and output in full, to compare two runs byte for byte.
    Everything,
}

/// The memory of a run.
#[derive(Debug)]
pub struct Log {
    kind: LogKind,
    text: String,
}

impl Log {
    pub(crate) fn new(kind: LogKind) -> Log {
        Log { kind, text: String::new() }
    }

    /// The text so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn keeps_everything(&self) -> bool {
        self.kind == LogKind::Everything
    }

    /// A transition. `what` is only asked when somebody reads it.
    pub(crate) fn transition<T: std::fmt::Display>(
        &mut self,
        at: Instant,
        who: &str,
        what: impl FnOnce() -> T,
    ) {
        if self.kind != LogKind::Nothing {
            self.line(at, who, what());
        }
    }

    /// A detail that only the comparison of two runs needs.
    pub(crate) fn detail<T: std::fmt::Display>(&mut self, at: Instant, who: &str, what: impl FnOnce() -> T) {
        if self.kind == LogKind::Everything {
            self.line(at, who, what());
        }
    }

    fn line(&mut self, at: Instant, who: &str, what: impl std::fmt::Display) {
        let (seconds, micros) = (at.0 / 1_000_000, at.0 % 1_000_000);
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{seconds:>6}.{micros:06} {who:<8} {what}");
    }
}
