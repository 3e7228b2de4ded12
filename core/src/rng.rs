//! All randomness of the core: one seed, one small generator.
//!
//! The generator is written out here, rather than taken from a crate, because a recorded run must replay with any
//! later version: the sequence is part of the trace format.

use core::time::Duration;
use serde::{Deserialize, Serialize};

/// A SplitMix64 generator (Steele, Lea and Flood, 2014). Good enough for jitter and message ids; not for keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rng(u64);

impl Rng {
    /// A generator that always yields the same sequence for the same seed.
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(FACTORS[0]);
        z = (z ^ (z >> 27)).wrapping_mul(FACTORS[1]);
        z ^ (z >> 31)
    }

    /// A number in `0..bound`; zero for a bound of zero. The bias is below 2⁻³² for bounds below 2³².
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A length between the two, both included, in whole microseconds.
    pub fn between(&mut self, low: Duration, high: Duration) -> Duration {
        let low = low.as_micros() as u64;
        let high = (high.as_micros() as u64).max(low);
        Duration::from_micros(low + self.below(high - low + 1))
    }

    /// A random (version 4) UUID in its text form, as message ids are.
    pub fn uuid(&mut self) -> Uuid {
        let high = (self.next_u64() & !0xf000) | 0x4000;
        let low = (self.next_u64() & !(0b11 << 62)) | (0b10 << 62);
        Uuid::from_bits((u128::from(high) << 64) | u128::from(low))
    }

    /// The generator that makes this id next, if there is one: what is drawn tells where in the sequence it was drawn.
    pub(crate) fn before(uuid: &str) -> Option<Rng> {
        let drawn = Uuid::bits_of(uuid.as_bytes())? as u64 & !(0b11 << 62);
        let generators =
            (0..4).map(|lost| Rng(state_of(drawn | (lost << 62)).wrapping_sub(STEP.wrapping_mul(2))));
        generators.into_iter().find(|rng| rng.clone().uuid().as_str() == uuid)
    }

    /// How many numbers it has drawn, if it began with this seed.
    pub(crate) fn drawn(&self, seed: u64) -> u64 {
        self.0.wrapping_sub(seed).wrapping_mul(inverse(STEP))
    }
}

/// What the state moves on by with each number.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// What the state is multiplied with.
const FACTORS: [u64; 2] = [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb];

/// The state from which a number was made: the way back from it.
fn state_of(number: u64) -> u64 {
    let mut z = unshifted(number, 31).wrapping_mul(inverse(FACTORS[1]));
    z = unshifted(z, 27).wrapping_mul(inverse(FACTORS[0]));
    unshifted(z, 30)
}

/// The `z` of which this is `z ^ (z >> by)`.
fn unshifted(number: u64, by: u32) -> u64 {
    (1..64_u32.div_ceil(by)).fold(number, |z, times| z ^ (number >> (by * times)))
}

/// What undoes a multiplication with an odd number.
const fn inverse(odd: u64) -> u64 {
    // Each step doubles the number of bits that are right; three are to begin with.
    let (mut inverse, mut step) = (odd, 0);
    while step < 5 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse)));
        step += 1;
    }
    inverse
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The two digits of each byte.
const PAIRS: [[u8; 2]; 256] = {
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 0xf]];
        byte += 1;
    }
    pairs
};

/// The 36 characters of a UUID, without an allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uuid([u8; 36]);

impl Uuid {
    /// Where the digits of each byte stand.
    const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

    pub(crate) fn from_bits(bits: u128) -> Uuid {
        let mut text = [b'-'; 36];
        Uuid::put_bits(bits, &mut text);
        Uuid(text)
    }

    /// Writes the digits of a UUID over those of another one.
    pub(crate) fn put_bits(bits: u128, text: &mut [u8; 36]) {
        for (place, byte) in Uuid::PLACES.into_iter().zip(bits.to_be_bytes()) {
            [text[place], text[place + 1]] = PAIRS[usize::from(byte)];
        }
    }

    /// The bits of a UUID in just this text form; `None` for any other text.
    pub(crate) fn bits_of(text: &[u8]) -> Option<u128> {
        let text: &[u8; 36] = text.try_into().ok()?;
        let four =
            |at: usize| u64::from(u32::from_le_bytes([text[at], text[at + 1], text[at + 2], text[at + 3]]));
        let eight = |one: usize, two: usize| eight_digits(four(one) | (four(two) << 32)).map(u64::from);
        if [text[8], text[13], text[18], text[23]] != [b'-'; 4] {
            return None;
        }
        let high = (eight(0, 4)? << 32) | eight(9, 14)?;
        let low = (eight(19, 24)? << 32) | eight(28, 32)?;
        Some((u128::from(high) << 64) | u128::from(low))
    }

    /// The text form: `xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx`.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// The value of eight lower-case hexadecimal digits, all of them at once; the first one is the lowest byte.
#[inline]
fn eight_digits(text: u64) -> Option<u32> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // A letter has this bit, and nine more than its low half says.
    let values = (text & (0x0f * EACH)) + 9 * ((text >> 6) & EACH);
    // What is no digit is not how its value is written, or has a value too large.
    let letters = ((values + 6 * EACH) >> 4) & EACH;
    let written = values + u64::from(b'0') * EACH + u64::from(b'a' - b'0' - 10) * letters;
    if written != text || values & (0xf0 * EACH) != 0 {
        return None;
    }
    let pairs = ((values << 4) | (values >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs | (pairs >> 8)) & 0x0000_ffff_0000_ffff;
    Some(((fours | (fours >> 16)) as u32).swap_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sequence is part of the trace format: this must never change.
    #[test]
    fn the_sequence_is_pinned() {
        let mut rng = Rng::new(0);
        assert_eq!(rng.next_u64(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(rng.next_u64(), 0x6e78_9e6a_a1b9_65f4);
        assert_eq!(Rng::new(0).uuid().as_str(), "e220a839-7b1d-4daf-ae78-9e6aa1b965f4");
    }

    #[test]
    fn uuids_are_version_4() {
        let mut rng = Rng::new(1);
        for _ in 0..1000 {
            let id = rng.uuid();
            assert_eq!(id.as_str().len(), 36);
            assert_eq!(&id.as_str()[14..15], "4");
            assert!("89ab".contains(&id.as_str()[19..20]));
        }
    }

    #[test]
    fn only_the_usual_text_form_is_read_back() {
        let uuid = Rng::new(0).uuid();
        assert_eq!(Uuid::bits_of(uuid.as_str().as_bytes()).map(Uuid::from_bits), Some(uuid));
        for other in [
            "",
            "E220A839-7b1d-4daf-ae78-9e6aa1b965f4",
            "e220a8397-b1d-4daf-ae78-9e6aa1b965f4",
            "g220a839-7b1d-4daf-ae78-9e6aa1b965f4",
        ] {
            assert_eq!(Uuid::bits_of(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn every_digit_is_read_and_nothing_else() {
        for place in 0..8 {
            for byte in 0..=u8::MAX {
                let mut digits = *b"0f1e2d3c";
                digits[place] = byte;
                let is_digit = matches!(byte, b'0'..=b'9' | b'a'..=b'f');
                let text = core::str::from_utf8(&digits).ok().filter(|_| is_digit);
                let expected = text.and_then(|text| u32::from_str_radix(text, 16).ok());
                assert_eq!(eight_digits(u64::from_le_bytes(digits)), expected, "{byte} at {place}");
            }
        }
    }

    #[test]
    fn an_id_tells_where_it_was_drawn() {
        for seed in [0, 7, u64::MAX] {
            let mut rng = Rng::new(seed);
            for drawn in 0..50 {
                assert_eq!(rng.drawn(seed), drawn * 3);
                let mut copy = rng.clone();
                let before = Rng::before(copy.uuid().as_str());
                assert_eq!(before.map(|before| before.0), Some(rng.0));
                (0..3).for_each(|_| _ = rng.next_u64());
            }
        }
        // The last digit of one of the two halves is another one: no generator draws these two after each other.
        let (id, mut other) = (Rng::new(3).uuid(), std::string::String::from(Rng::new(3).uuid().as_str()));
        let last = if other.ends_with('0') { "1" } else { "0" };
        other.replace_range(35.., last);
        assert!(Rng::before(id.as_str()).is_some() && Rng::before(&other).is_none());
        assert!(Rng::before("").is_none());
    }

    #[test]
    fn between_includes_both_ends() {
        let mut rng = Rng::new(1);
        let (low, high) = (Duration::from_micros(3), Duration::from_micros(5));
        let seen: std::collections::BTreeSet<_> =
            (0..200).map(|_| rng.between(low, high).as_micros()).collect();
        assert_eq!(seen.into_iter().collect::<std::vec::Vec<_>>(), [3, 4, 5]);
        assert_eq!(rng.between(high, low), high, "an upside-down range is its lower end");
    }
}
