//! A message's id as one number: comparing and keeping ids is most of what checks do.

/// FNV-1a of a text. Two ids of one run with the same number are as unlikely as they are harmless.
pub(crate) fn of(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
