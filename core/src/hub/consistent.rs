//! Whether a state can be that of a hub: asked of a state that comes out of a file, where anything may stand.
//!
//! The hub relies on its own sums and places without a second look. A state that breaks one of them is refused where it is
//! read, so that nothing behind it has to doubt them.

use super::{END_OF_TIME, Hub};

/// No count of a hub comes near it: what is counted up or added together stays within 64 bits.
pub(super) const COUNT_MAX: u64 = 1 << 50;

impl Hub {
    /// Whether every sum is the sum of its parts, every place one that is there, and no count at its end. A hub is asked when
    /// it has been drained.
    pub(crate) fn is_consistent(&self) -> bool {
        let account = &self.account;
        let ledgers = [&account.up, &account.down];
        let counts = [
            account.malformed,
            account.links,
            account.restored,
            account.letters,
            account.letters_lost,
            account.letters_discarded,
            self.epoch.0,
            u64::from(self.kicked),
            self.in_flight.messages as u64,
            self.in_flight.bytes as u64,
        ];
        self.outputs.is_empty()
            && self.now.mono <= END_OF_TIME
            && self.kicked < u32::MAX / 2
            && counts.into_iter().chain(ledgers.into_iter().flat_map(|ledger| ledger.counts())).all(is_small)
            && self.config == self.config.clone().clamped()
            && self.outbox.is_consistent(&self.config.classes)
            && self.modules.is_consistent()
            && self.duplicates.is_consistent()
            && self.flight.is_consistent()
            && self.sync_keeper.is_consistent()
            && self.letters.is_consistent()
            && self.selection.is_consistent()
            && self.account().balanced()
    }
}

/// Whether a count can be counted on.
pub(super) fn is_small(count: u64) -> bool {
    count <= COUNT_MAX
}

/// Whether the parts add up to this sum.
pub(super) fn is_sum(sum: u64, parts: impl IntoIterator<Item = u64>) -> bool {
    parts.into_iter().try_fold(0_u64, u64::checked_add) == Some(sum) && is_small(sum)
}

/// Marks a place as used; `false` if there is no such place, or somebody else has it.
pub(super) fn takes(taken: &mut [bool], place: usize) -> bool {
    taken.get_mut(place).is_some_and(|taken| !core::mem::replace(taken, true))
}
