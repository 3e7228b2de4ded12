//! Which message ids a block may hold: a Bloom filter, so that looking for a message does not mean reading everything.

use alloc::vec;
use alloc::vec::Vec;
use xxhash_rust::xxh3::xxh3_64;

/// Bits for each id: with four probes one block in forty is read in vain.
const BITS: usize = 8;
const PROBES: u64 = 4;

/// Longest filter in bytes: its length has 16 bits in the head of a block.
const BYTES_MAX: usize = u16::MAX as usize;

/// What a filter knows of an id.
pub(super) fn id_hash(msg_id: &str) -> u64 {
    xxh3_64(msg_id.as_bytes())
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
    !filter.is_empty() && bits(id, filter.len()).all(|bit| filter[bit / 8] & (1 << (bit % 8)) != 0)
}

fn bits(id: u64, bytes: usize) -> impl Iterator<Item = usize> {
    let (start, step) = (id & 0xffff_ffff, (id >> 32) | 1);
    (0..PROBES)
        .map(move |probe| (start.wrapping_add(step.wrapping_mul(probe)) % (bytes as u64 * 8).max(1)) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn holds_what_it_was_given_and_little_else() {
        let mut rng = Rng::new(1);
        let ids: Vec<u64> = (0..1000).map(|_| id_hash(rng.uuid().as_str())).collect();
        let filter = filter_of(&ids);
        assert!(ids.iter().all(|&id| may_hold(&filter, id)));
        let wrong = (0..10_000).filter(|_| may_hold(&filter, id_hash(rng.uuid().as_str()))).count();
        assert!(wrong < 500, "{wrong} of 10000");
        assert!(!may_hold(&filter_of(&[]), 7), "an empty block holds nothing");
    }
}
