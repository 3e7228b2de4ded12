//! What a journal must hold, remembered without a disk.

use edgehub_core::journal::{EntryNumber, Found, Purpose, Record, Scan, Seed};
use std::collections::{BTreeMap, BTreeSet};

/// Every entry that was handed over, and how far it got.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// The text of every entry ever handed over; a number that left no trace may be given out again.
    frames: BTreeMap<EntryNumber, String>,
    /// Handed over in this life or found at its beginning, and not forgotten.
    live: BTreeSet<EntryNumber>,
    /// Those of them that were reported as stored.
    stored: BTreeSet<EntryNumber>,
    forgotten: BTreeSet<EntryNumber>,
    /// Forgotten, and the record of it is synced.
    forgotten_durably: BTreeSet<EntryNumber>,
    /// Found at the beginning of this life, and perhaps only in the page cache.
    found: BTreeSet<EntryNumber>,
    /// Forgotten before this life and not found; their forget record perhaps only is in the page cache.
    unsure: BTreeSet<EntryNumber>,
    /// Live, and in a segment that was told to be deleted.
    doubtful: BTreeSet<EntryNumber>,
}

/// The numbers of the entries in a segment.
pub(super) fn stored_in(segment: &[u8], identity: &str) -> Vec<EntryNumber> {
    let scan = Scan::new(segment, 0, Seed::new(Purpose::Messages, identity));
    let number = |found| match found {
        Found::Record { record: Record::Store { number, .. }, .. } => Some(number),
        _ => None,
    };
    scan.filter_map(number).collect()
}

impl Model {
    pub(super) fn hands_over(&mut self, number: EntryNumber, frame: &str) {
        self.frames.insert(number, frame.to_string());
        self.live.insert(number);
        self.forgotten.remove(&number);
        self.forgotten_durably.remove(&number);
    }

    pub(super) fn live(&self) -> Vec<EntryNumber> {
        self.live.iter().copied().collect()
    }

    pub(super) fn gone(&mut self, number: EntryNumber) {
        self.live.remove(&number);
    }

    pub(super) fn forgets(&mut self, first: EntryNumber, last: EntryNumber) {
        let numbers: Vec<_> = self.live.range(first..=last).copied().collect();
        for number in numbers {
            self.live.remove(&number);
            self.stored.remove(&number);
            self.forgotten.insert(number);
        }
    }

    pub(super) fn stored(&mut self, up_to: EntryNumber) -> usize {
        let before = self.stored.len();
        let doubtful = &self.doubtful;
        self.stored.extend(self.live.range(..=up_to).filter(|number| !doubtful.contains(number)));
        self.stored.len() - before
    }

    /// These are about to be given up, as far as they live; returns how many do.
    pub(super) fn doubts(&mut self, numbers: BTreeSet<EntryNumber>) -> usize {
        self.doubtful = numbers.intersection(&self.live).copied().collect();
        self.stored = self.stored.difference(&self.doubtful).copied().collect();
        self.doubtful.len()
    }

    /// What was about to be given up is gone.
    pub(super) fn discards(&mut self) {
        for number in std::mem::take(&mut self.doubtful) {
            self.live.remove(&number);
            self.found.remove(&number);
            self.forgotten.insert(number);
            self.forgotten_durably.insert(number);
        }
    }

    pub(super) fn all_stored(&self) -> bool {
        self.live == self.stored
    }

    /// A segment was synced: its forget records hold from now on.
    pub(super) fn durable(&mut self, segment: &[u8], identity: &str) {
        for found in Scan::new(segment, 0, Seed::new(Purpose::Messages, identity)) {
            if let Found::Record { record: Record::Forget { first, last }, .. } = found {
                self.forgotten_durably.extend(self.forgotten.range(first..=last));
            }
        }
    }

    pub(super) fn check_fetched(&self, seed: u64, number: EntryNumber, frame: &str) {
        assert_eq!(
            self.frames.get(&number).map(String::as_str),
            Some(frame),
            "seed {seed}: fetched {number}"
        );
    }

    /// What was found after a crash; from here on that is what lives. `flips` is how many bits rotted, if any may.
    pub(super) fn check_recovered(
        &mut self,
        seed: u64,
        found: &[(EntryNumber, String)],
        flips: Option<usize>,
    ) {
        for (number, frame) in found {
            self.check_fetched(seed, *number, frame);
            let dead = self.forgotten_durably.contains(number);
            assert!(!dead || flips.is_some(), "seed {seed}: {number} was forgotten for good");
            let known = self.live.contains(number) || self.forgotten.contains(number);
            assert!(known || flips.is_some(), "seed {seed}: {number} was gone");
        }
        let found: BTreeSet<_> = found.iter().map(|(number, _)| *number).collect();
        let missing: Vec<_> = self.stored.difference(&found).collect();
        assert!(missing.len() <= flips.unwrap_or(0), "seed {seed}: stored and lost: {missing:?}");
        // What was forgotten and is there after all is there by right, until it is forgotten again.
        self.forgotten = self.forgotten.difference(&found).copied().collect();
        self.forgotten_durably = self.forgotten_durably.difference(&found).copied().collect();
        self.unsure = self.forgotten.difference(&self.forgotten_durably).copied().collect();
        self.stored = self.stored.intersection(&found).copied().collect();
        self.doubtful.clear();
        self.live.clone_from(&found);
        self.found = found;
    }

    /// What was found is durable now, and what was not found never comes back.
    pub(super) fn started(&mut self) {
        let found = std::mem::take(&mut self.found);
        self.stored.extend(found.intersection(&self.live));
        for number in std::mem::take(&mut self.unsure) {
            self.forgotten.remove(&number);
        }
    }
}
