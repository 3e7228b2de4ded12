//! How large a journal may become, and what happens when it is.

use crate::limits::{
    JOURNAL_BATCH_BYTES, JOURNAL_SEGMENT_BYTES, JOURNAL_SEGMENT_BYTES_MAX, JOURNAL_SEGMENT_BYTES_MIN,
    JOURNAL_TOTAL_BYTES, JOURNAL_WAITING_BYTES_MAX, JOURNAL_WAITING_MAX,
};

/// What a full journal does with the next entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// Lets it wait until something is forgotten.
    #[default]
    Wait,
    /// Deletes the oldest segment with all that lives in it. For dead letters.
    DropOldest,
}

/// How large a journal may become, and what happens when it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of one segment; a record may have half of them. Raised and lowered to the limits of the core.
    pub segment_bytes: u64,
    /// Bytes of all segments. At least six segments: one is filled, one is moved, the rest holds what lives.
    pub total_bytes: u64,
    /// Bytes written and synced at once; a larger record goes alone.
    pub batch_bytes: usize,
    /// Entries that may wait to be written.
    pub waiting: usize,
    /// Bytes of entries that may wait to be written.
    pub waiting_bytes: usize,
    /// What a full journal does.
    pub overflow: Overflow,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            segment_bytes: JOURNAL_SEGMENT_BYTES,
            total_bytes: JOURNAL_TOTAL_BYTES,
            batch_bytes: JOURNAL_BATCH_BYTES,
            waiting: JOURNAL_WAITING_MAX,
            waiting_bytes: JOURNAL_WAITING_BYTES_MAX,
            overflow: Overflow::Wait,
        }
    }
}

impl Settings {
    /// The nearest settings that can work.
    pub fn bounded(mut self) -> Settings {
        self.total_bytes = self.total_bytes.max(6 * JOURNAL_SEGMENT_BYTES_MIN);
        let largest = JOURNAL_SEGMENT_BYTES_MAX.min(self.total_bytes / 6);
        self.segment_bytes = self.segment_bytes.clamp(JOURNAL_SEGMENT_BYTES_MIN, largest);
        self.batch_bytes = self.batch_bytes.clamp(1, self.segment_bytes as usize / 2);
        self
    }

    /// Entries are added up to here …
    pub(super) fn stores_until(&self) -> u64 {
        self.total_bytes - 3 * self.segment_bytes
    }

    /// … forget records up to here, and the rest is for moving what lives out of the oldest segment.
    pub(super) fn forgets_until(&self) -> u64 {
        self.total_bytes - 2 * self.segment_bytes
    }
}
