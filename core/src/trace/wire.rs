//! Numbers and texts as bytes.

use super::problem::Broken;
use alloc::vec::Vec;

/// Appends a number: seven bits a byte, low ones first.
#[inline]
pub(super) fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a difference that may be negative.
pub(super) fn put_signed(out: &mut Vec<u8>, number: i64) {
    put(out, ((number << 1) ^ (number >> 63)) as u64);
}

/// Appends a text or bytes with their length.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads from the front of a slice. Never past its end, and never panics.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn take(&mut self, bytes: usize) -> Result<&'a [u8], Broken> {
        let (taken, rest) = self.rest.split_at_checked(bytes).ok_or(Broken("ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Broken("ends too early"))?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Broken> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn number(&mut self) -> Result<u64, Broken> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                break;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Broken("a number is too large"))
    }

    pub(super) fn signed(&mut self) -> Result<i64, Broken> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// A number that fits a narrower type.
    pub(super) fn narrow<N: TryFrom<u64>>(&mut self) -> Result<N, Broken> {
        N::try_from(self.number()?).map_err(|_| Broken("a number is too large"))
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Broken> {
        let length = self.narrow()?;
        self.take(length)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Broken> {
        core::str::from_utf8(self.bytes()?).map_err(|_| Broken("a text is not UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(number in any::<u64>(), small in 0u64..300, signed in any::<i64>(), text in ".{0,9}") {
            let mut out = Vec::new();
            put(&mut out, number);
            put(&mut out, small);
            put_signed(&mut out, signed);
            put_bytes(&mut out, text.as_bytes());
            let mut cursor = Cursor::new(&out);
            prop_assert_eq!((cursor.number(), cursor.number()), (Ok(number), Ok(small)));
            prop_assert_eq!((cursor.signed(), cursor.text()), (Ok(signed), Ok(&*text)));
            prop_assert!(cursor.is_empty());
        }
    }

    #[test]
    fn more_than_64_bits_are_refused() {
        let largest = [&[0xff; 9][..], &[0x01]].concat();
        assert_eq!(Cursor::new(&largest).number(), Ok(u64::MAX));
        let larger = [&[0xff; 9][..], &[0x02]].concat();
        assert_eq!(Cursor::new(&larger).number(), Err(Broken("a number is too large")));
        assert_eq!(Cursor::new(&[0x80]).number(), Err(Broken("ends too early")));
    }
}
