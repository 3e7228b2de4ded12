//! Sound records and damage, in the order of a segment.

use super::record::{MARK, Record, Seed};

/// What is found next in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found<'a> {
    /// A sound record.
    Record {
        /// Where it begins in the segment.
        offset: usize,
        /// Its length.
        bytes: usize,
        /// What it says.
        record: Record<'a>,
    },
    /// Bytes that are no record, with a sound record behind them.
    Damaged {
        /// Where they begin.
        offset: usize,
        /// How many.
        bytes: usize,
    },
    /// Bytes that are no record, up to the end: what a crash leaves of a write that was under way.
    Torn {
        /// Where they begin.
        offset: usize,
        /// How many.
        bytes: usize,
    },
}

/// Walks over a segment. Every byte after the start belongs to exactly one finding; the work is linear in the length,
/// whatever the bytes are.
#[derive(Debug, Clone)]
pub struct Scan<'a> {
    bytes: &'a [u8],
    seed: Seed,
    offset: usize,
}

impl<'a> Scan<'a> {
    /// Begins at `start`, which is where the header ends.
    pub fn new(bytes: &'a [u8], start: usize, seed: Seed) -> Scan<'a> {
        Scan { bytes, seed, offset: start.min(bytes.len()) }
    }

    fn record_at(&self, offset: usize) -> Option<(Record<'a>, usize)> {
        Record::decode(self.bytes.get(offset..)?, self.seed)
    }

    /// The next sound record after damage at the present offset.
    fn next_sound(&self) -> Option<usize> {
        let mut from = self.offset + 1;
        loop {
            from += self.bytes.get(from..)?.iter().position(|byte| *byte == MARK)?;
            if self.record_at(from).is_some() {
                return Some(from);
            }
            from += 1;
        }
    }
}

impl<'a> Iterator for Scan<'a> {
    type Item = Found<'a>;

    fn next(&mut self) -> Option<Found<'a>> {
        let offset = self.offset;
        if offset >= self.bytes.len() {
            return None;
        }
        if let Some((record, bytes)) = self.record_at(offset) {
            self.offset += bytes;
            return Some(Found::Record { offset, bytes, record });
        }
        let sound = self.next_sound();
        self.offset = sound.unwrap_or(self.bytes.len());
        let bytes = self.offset - offset;
        Some(if sound.is_some() { Found::Damaged { offset, bytes } } else { Found::Torn { offset, bytes } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{EntryNumber, Purpose};
    use crate::time::UnixMillis;
    use alloc::vec::Vec;

    fn seed() -> Seed {
        Seed::new(Purpose::Messages, "edge-1")
    }

    fn three() -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in 1..=3 {
            Record::Store {
                number: EntryNumber(number),
                class: 0,
                at: UnixMillis(0),
                reason: None,
                frame: "{ }",
            }
            .encode(seed(), &mut bytes);
        }
        bytes
    }

    /// The findings as text: `r1` is record 1, `d2+3` three damaged bytes at 2, `t` torn ones.
    fn check(bytes: &[u8], expected: &str) {
        let findings: Vec<_> = Scan::new(bytes, 0, seed())
            .map(|found| match found {
                Found::Record { record: Record::Store { number, .. }, .. } => alloc::format!("r{number}"),
                Found::Record { .. } => "forget".into(),
                Found::Damaged { offset, bytes } => alloc::format!("d{offset}+{bytes}"),
                Found::Torn { offset, bytes } => alloc::format!("t{offset}+{bytes}"),
            })
            .collect();
        assert_eq!(findings.join(" "), expected);
    }

    #[test]
    fn damage_costs_what_it_hits() {
        let whole = three();
        check(&whole, "r1 r2 r3");
        check(&whole[..104], "r1 r2 t70+34");
        for at in 35..70 {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            check(&damaged, "r1 d35+35 r3");
        }
        let mut holed = whole.clone();
        holed[..50].fill(0);
        check(&holed, "d0+70 r3");
        holed.fill(0);
        check(&holed, "t0+105");
        check(&[], "");
    }

    #[test]
    fn bytes_in_front_of_a_record_are_damage() {
        let mut bytes = alloc::vec![MARK; 5];
        bytes.extend(three());
        check(&bytes, "d0+5 r1 r2 r3");
    }
}
