//! A trace that is read piece by piece, and one that cannot be read.

use super::world::recording;
use crate::rng::Rng;
use crate::trace::{Contents, Damage, ReadAt, Refusal, Trace, replay};
use std::cell::Cell;
use std::vec::Vec;

/// Bytes behind a wall; those from `unreadable` on cannot be had.
#[derive(Debug)]
struct Far {
    bytes: Vec<u8>,
    unreadable: Cell<usize>,
    /// The largest piece that was read.
    largest: Cell<usize>,
}

impl Far {
    fn new(bytes: &[u8]) -> Far {
        Far { bytes: bytes.into(), unreadable: Cell::new(usize::MAX), largest: Cell::new(0) }
    }
}

impl ReadAt for Far {
    fn length(&self) -> usize {
        self.bytes.len()
    }

    fn read_at(&self, offset: usize, into: &mut [u8]) -> bool {
        self.largest.set(self.largest.get().max(into.len()));
        let end = offset + into.len();
        if end > self.unreadable.get() {
            return false;
        }
        into.copy_from_slice(&self.bytes[offset..end]);
        true
    }
}

/// Good ones and damaged ones.
#[test]
fn it_does_not_matter_where_the_bytes_are() {
    let good = recording(2, 12_000, Contents::Kept);
    let mut rng = Rng::new(6);
    for round in 0..20 {
        let mut file = good.clone();
        for _ in 0..round / 2 {
            let at = rng.below(file.len() as u64) as usize;
            file[at] ^= 1 << rng.below(8);
        }
        file.truncate(file.len() - round);
        let far = Far::new(&file);
        let (here, there) = (Trace::open(&file), Trace::open(&far as &dyn ReadAt));
        let (Ok(here), Ok(there)) = (&here, &there) else {
            assert_eq!(here.map(|_| ()), there.map(|_| ()));
            continue;
        };
        assert_eq!(
            (here.header(), here.blocks(), here.damage()),
            (there.header(), there.blocks(), there.damage())
        );
        assert_eq!(replay(here), replay(there));
    }
}

/// However long a file is, a piece of it is in memory.
#[test]
fn a_block_is_in_memory_and_not_the_file() {
    let far = Far::new(&recording(2, 40_000, Contents::Redacted));
    let trace = Trace::open(&far as &dyn ReadAt).unwrap();
    far.largest.set(0);
    replay(&trace).unwrap();
    let largest = trace.blocks().iter().map(|block| block.bytes()).max().unwrap();
    assert!(far.largest.get() <= largest && largest < far.length() / 4, "{} of {}", largest, far.length());
}

#[test]
fn what_cannot_be_read_is_damage() {
    let far = Far::new(&recording(2, 12_000, Contents::Redacted));
    let trace = Trace::open(&far as &dyn ReadAt).unwrap();
    let (all, last) = (replay(&trace).unwrap(), *trace.blocks().last().unwrap());
    far.unreadable.set(last.offset() + 100);
    let replayed = replay(&trace).unwrap();
    assert_eq!(replayed.damage, [Damage::Corrupt { offset: last.offset(), why: "it cannot be read" }]);
    assert!(replayed.inputs > 0 && replayed.inputs < all.inputs, "{replayed:?}");
    far.unreadable.set(0);
    assert_eq!(Trace::open(&far as &dyn ReadAt).map(|_| ()), Err(Refusal::Unreadable));
}
