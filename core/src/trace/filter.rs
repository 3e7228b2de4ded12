//! Which message ids a block may hold: a Bloom filter, so that looking for a message does not mean reading everything.

use super::hash::{hash, mix};
use crate::rng::Uuid;
use alloc::vec;
use alloc::vec::Vec;

/// Bits for each id: with four probes one block in forty is read in vain.
const BITS: usize = 8;
const PROBES: usize = 4;

/// Longest filter in bytes: its length has 16 bits in the head of a block.
const BYTES_MAX: usize = u16::MAX as usize;

/// What a filter knows of an id.
pub(super) fn id_hash(msg_id: &[u8]) -> u64 {
    Uuid::bits_of(msg_id).map_or_else(|| hash(msg_id, 0), uuid_hash)
}

/// The same for an id that is known to be a UUID, as nearly all are.
pub(super) fn uuid_hash(bits: u128) -> u64 {
    mix((bits >> 64) as u64, bits as u64)
}

/// A filter of these ids.
pub(super) fn filter_of(ids: &[u64]) -> Vec<u8> {
    let mut filter = vec![0; (ids.len() * BITS).div_ceil(8).min(BYTES_MAX)];
    for &id in ids {
        for bit in bits(id, filter.len()) {
            filter[bit / 8] |= 1 << (bit % 8);
        }
    }
    filter
}

/// Whether a block with this filter may hold an id; `false` is certain.
pub(super) fn may_hold(filter: &[u8], id: u64) -> bool {
    !filter.is_empty()
        && bits(id, filter.len()).into_iter().all(|bit| filter[bit / 8] & (1 << (bit % 8)) != 0)
}

/// The bits of an id in a filter of so many bytes: a first one, and the same step from each to the next, around its end.
fn bits(id: u64, bytes: usize) -> [usize; PROBES] {
    // A filter has at most 64 KiB, and no empty one is asked.
    let len = (bytes as u32 * 8).max(1);
    let (first, step) = (id as u32 % len, (id >> 32) as u32 % len);
    let (mut bits, mut next) = ([0; PROBES], first);
    for bit in &mut bits {
        *bit = next as usize;
        next += step;
        if next >= len {
            next -= len;
        }
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn holds_what_it_was_given_and_little_else() {
        let mut rng = Rng::new(1);
        let ids: Vec<u64> = (0..1000).map(|_| id_hash(rng.uuid().as_str().as_bytes())).collect();
        let filter = filter_of(&ids);
        assert!(ids.iter().all(|&id| may_hold(&filter, id)));
        let wrong =
            (0..10_000).filter(|_| may_hold(&filter, id_hash(rng.uuid().as_str().as_bytes()))).count();
        assert!(wrong < 500, "{wrong} of 10000");
        assert!(!may_hold(&filter_of(&[]), 7), "an empty block holds nothing");
    }
}
