//! Where the bytes of a trace are.

use alloc::borrow::Cow;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

/// Bytes that are read when they are needed, such as those of a file that is too large for the memory.
pub trait ReadAt: fmt::Debug {
    /// How many there are.
    fn length(&self) -> usize;

    /// Fills `into` with those from `offset` on; `false` if they cannot be read.
    fn read_at(&self, offset: usize, into: &mut [u8]) -> bool;
}

/// The bytes of a trace.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// All are in memory.
    Memory(&'a [u8]),
    /// Each part is read when it is needed, and forgotten.
    Elsewhere(&'a dyn ReadAt),
}

impl<'a> Source<'a> {
    pub(super) fn length(&self) -> usize {
        match self {
            Source::Memory(bytes) => bytes.len(),
            Source::Elsewhere(bytes) => bytes.length(),
        }
    }

    /// A part; `None` if it is not wholly there.
    pub(super) fn get(&self, range: Range<usize>) -> Option<Cow<'a, [u8]>> {
        match self {
            Source::Memory(bytes) => bytes.get(range).map(Cow::Borrowed),
            Source::Elsewhere(bytes) => {
                let length = range.end.checked_sub(range.start).filter(|_| range.end <= bytes.length())?;
                let mut part = vec![0; length];
                bytes.read_at(range.start, &mut part).then_some(Cow::Owned(part))
            }
        }
    }
}

impl<'a> From<&'a [u8]> for Source<'a> {
    fn from(bytes: &'a [u8]) -> Source<'a> {
        Source::Memory(bytes)
    }
}

impl<'a> From<&'a Vec<u8>> for Source<'a> {
    fn from(bytes: &'a Vec<u8>) -> Source<'a> {
        Source::Memory(bytes)
    }
}

impl<'a> From<&'a dyn ReadAt> for Source<'a> {
    fn from(bytes: &'a dyn ReadAt) -> Source<'a> {
        Source::Elsewhere(bytes)
    }
}
