//! A hash that costs little: contents and frames of every message of a busy hub go through it.
//!
//! It multiplies two words to 128 bits and folds the halves, as wyhash does (Wang Yi, 2019), in four lanes that do not wait
//! for each other. It is the same on every machine, and part of the format. It finds out what differs by chance; whoever
//! means to can make two texts with one hash.

/// Bytes that the lanes take in one go: two words each.
const BLOCK: usize = 64;

/// Digits of pi, with as many ones as zeros about.
const SALT: [u64; 4] =
    [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344, 0xa409_3822_299f_31d0, 0x082e_fa98_ec4e_6c89];

/// The hash of these bytes under this seed.
#[inline]
pub(super) fn hash(bytes: &[u8], seed: u64) -> u64 {
    let mut lanes = [SALT[0] ^ seed, SALT[1] ^ seed, SALT[2] ^ seed, SALT[3] ^ seed];
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    for block in blocks {
        let (pairs, _) = block.as_chunks::<16>();
        for ((lane, salt), pair) in lanes.iter_mut().zip(SALT).zip(pairs) {
            *lane = take(*lane, salt, pair);
        }
    }
    let (pairs, rest) = rest.as_chunks::<16>();
    for ((lane, salt), pair) in lanes.iter_mut().zip(SALT).zip(pairs) {
        *lane = take(*lane, salt, pair);
    }
    if !rest.is_empty() {
        // The length, below, tells the bytes that are taken twice from others, and zeros that are none from those that are.
        let last = bytes.last_chunk().copied().unwrap_or_else(|| {
            let mut padded = [0; 16];
            padded.iter_mut().zip(rest).for_each(|(padded, byte)| *padded = *byte);
            padded
        });
        lanes[3] = take(lanes[3], SALT[3], &last);
    }
    let length = bytes.len() as u64;
    let halves = [fold(lanes[0] ^ length, lanes[1]), fold(lanes[2], lanes[3])];
    fold(halves[0] ^ SALT[0], halves[1].rotate_left(32) ^ SALT[1])
}

/// One number from two, each bit of which depends on all bits of both.
pub(super) fn mix(one: u64, two: u64) -> u64 {
    fold(fold(one ^ SALT[0], two ^ SALT[1]) ^ SALT[2], SALT[3])
}

fn take(lane: u64, salt: u64, pair: &[u8; 16]) -> u64 {
    let words = u128::from_le_bytes(*pair);
    fold(words as u64 ^ salt, (words >> 64) as u64 ^ lane)
}

/// Both halves of a product, one over the other.
fn fold(one: u64, two: u64) -> u64 {
    let product = u128::from(one) * u128::from(two);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    fn bytes(length: usize) -> Vec<u8> {
        let mut rng = Rng::new(length as u64);
        (0..length).map(|_| rng.next_u64() as u8).collect()
    }

    /// The values are part of the format. Another implementation, in another language, came to the same.
    #[test]
    fn the_hashes_are_pinned() {
        const EXPECTED: [u64; 7] = [
            0x9726_3e08_041f_22df,
            0x2ca9_cbcc_2635_a03d,
            0xd4ec_0140_3964_d27a,
            0xa95e_58f4_f72e_e1f2,
            0x0973_cf56_f316_7128,
            0xa3bc_7d03_9c32_6d57,
            0x346c_2ea6_b033_0f24,
        ];
        let all: Vec<u64> = [0, 1, 15, 16, 17, 64, 258].map(|length| hash(&bytes(length), 7)).into();
        assert_eq!(all, EXPECTED);
        assert_eq!(mix(1, 2), 0x6653_ecc6_2a45_76ca);
    }

    #[test]
    fn every_bit_counts_for_half_of_the_others() {
        for length in (1..40).chain([63, 64, 65, 79, 80, 81, 128, 250]) {
            let (mut text, mut changed) = (bytes(length), 0);
            let before = hash(&text, 7);
            for bit in 0..length * 8 {
                text[bit / 8] ^= 1 << (bit % 8);
                let differ = (hash(&text, 7) ^ before).count_ones();
                text[bit / 8] ^= 1 << (bit % 8);
                assert!(differ >= 8, "bit {bit} of {length} bytes changes {differ}");
                changed += differ as usize;
            }
            let each = changed / (length * 8);
            assert!((28..=36).contains(&each), "{each} for {length} bytes");
        }
    }

    #[test]
    fn the_length_and_the_seed_count() {
        let zeros = [0; 200];
        let all: BTreeSet<u64> =
            (0..200).flat_map(|length| [7, 8].map(|seed| hash(&zeros[..length], seed))).collect();
        assert_eq!(all.len(), 400);
    }
}
