//! What has been said once in a block, and is a number from then on.

use super::problem::Broken;
use super::wire::{Cursor, put};
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// Places of the writer's memory. Two entries that fight for one place are defined anew each time: that costs bytes
/// and nothing else.
const PLACES: usize = 256;

/// The writer's side: which hash has which number.
#[derive(Debug)]
pub(super) struct Codebook {
    places: Box<[(u64, u32)]>,
    defined: u32,
}

impl Codebook {
    pub(super) fn new() -> Codebook {
        Codebook { places: vec![(0, u32::MAX); PLACES].into_boxed_slice(), defined: 0 }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.places.fill((0, u32::MAX));
        self.defined = 0;
    }

    fn place(hash: u64) -> usize {
        (hash >> 32) as usize % PLACES
    }

    /// The number of what has this hash, if it is remembered.
    pub(super) fn number(&self, hash: u64) -> Option<u32> {
        let (known, number) = self.places[Codebook::place(hash)];
        (known == hash && number != u32::MAX).then_some(number)
    }

    /// Remembers a number under this hash.
    pub(super) fn remember(&mut self, hash: u64, number: u32) {
        self.places[Codebook::place(hash)] = (hash, number);
    }

    /// Numbers what is about to be defined.
    pub(super) fn define(&mut self, hash: u64) {
        self.remember(hash, self.defined);
        self.defined += 1;
    }
}

/// Appends a reference to something known.
pub(super) fn put_known(out: &mut Vec<u8>, number: u32) {
    put(out, u64::from(number) + 1);
}

/// Announces a definition.
pub(super) fn put_new(out: &mut Vec<u8>) {
    out.push(0);
}

/// The reader's side: everything that a block has defined so far.
#[derive(Debug)]
pub(super) struct Defined<T> {
    all: Vec<T>,
}

impl<T> Default for Defined<T> {
    fn default() -> Defined<T> {
        Defined { all: Vec::new() }
    }
}

impl<T> Defined<T> {
    /// Reads a reference, or the definition that stands in its place.
    pub(super) fn read<'a>(
        &mut self,
        cursor: &mut Cursor<'a>,
        define: impl FnOnce(&mut Cursor<'a>) -> Result<T, Broken>,
    ) -> Result<&mut T, Broken> {
        self.read_at(cursor, define).map(|(_, found)| found)
    }

    /// What has this place.
    pub(super) fn at(&self, at: usize) -> Option<&T> {
        self.all.get(at)
    }

    /// Reads a reference, or the definition that stands in its place; returns its place, too.
    pub(super) fn read_at<'a>(
        &mut self,
        cursor: &mut Cursor<'a>,
        define: impl FnOnce(&mut Cursor<'a>) -> Result<T, Broken>,
    ) -> Result<(usize, &mut T), Broken> {
        let number: usize = cursor.narrow()?;
        let at = match number.checked_sub(1) {
            Some(known) => known,
            None => {
                let new = define(cursor)?;
                self.all.push(new);
                self.all.len() - 1
            }
        };
        self.all.get_mut(at).map(|found| (at, found)).ok_or(Broken("a reference to nothing"))
    }
}
