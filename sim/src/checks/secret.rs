//! No note shows a content. Contents of the simulator carry a mark that is looked for in every note.

use super::{Check, Outcome, Step, broken};
use crate::world::SECRET;
use edgehub_core::{Note, Output};
use std::fmt::{self, Write};

#[derive(Debug, Default)]
pub(super) struct Secret;

/// Reads what is written to it, and keeps nothing. The mark's first byte comes only once in it, so that a mismatch can
/// only begin anew.
#[derive(Debug, Default)]
struct Seeker {
    matched: usize,
    found: bool,
}

impl Write for Seeker {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mark = SECRET.as_bytes();
        for &byte in text.as_bytes() {
            self.matched = match mark.get(self.matched) {
                Some(expected) if *expected == byte => self.matched + 1,
                _ => usize::from(mark.first() == Some(&byte)),
            };
            if self.matched == mark.len() {
                (self.found, self.matched) = (true, 0);
            }
        }
        Ok(())
    }
}

/// Whether the text of a value holds the mark.
pub(super) fn shows(value: &impl fmt::Debug) -> bool {
    let mut seeker = Seeker::default();
    // Writing to it cannot fail.
    let _ = write!(seeker, "{value:?}");
    seeker.found
}

impl Check for Secret {
    fn name(&self) -> &'static str {
        "secret"
    }

    fn after(&mut self, step: &Step<'_>) -> Outcome {
        for output in step.outputs {
            // A round trip is a number, and there is one for every pong.
            if let Output::Note(note) = output
                && !matches!(note, Note::RoundTrip { .. })
                && shows(note)
            {
                return broken("shown", format!("a note shows a content: {note:?}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_found_wherever_it_stands() {
        for (text, found) in [
            (SECRET.to_string(), true),
            (format!("s3cret-s3cret-content-x {SECRET}"), true),
            (format!("ss{SECRET}"), true),
            (SECRET.replace('-', "_"), false),
            (SECRET[..SECRET.len() - 1].to_string(), false),
        ] {
            assert_eq!(shows(&text), found, "{text}");
        }
        assert_eq!(SECRET.matches('s').count(), 1, "see the seeker");
    }
}
