//! JSON's string escapes, both ways.

use alloc::string::String;
use core::fmt::Write;

/// The text of a string literal whose characters are `escaped`, quotes removed and its escapes known to be well
/// formed. Half a surrogate pair becomes U+FFFD, as in Go.
pub(crate) fn unescape(escaped: &str, out: &mut String) {
    let mut rest = escaped;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let code = rest.as_bytes().get(at + 1).copied().unwrap_or(b'\\');
        rest = rest.get(at + 2..).unwrap_or_default();
        match code {
            b'b' => out.push('\u{8}'),
            b'f' => out.push('\u{c}'),
            b'n' => out.push('\n'),
            b'r' => out.push('\r'),
            b't' => out.push('\t'),
            b'u' => {
                let unit = hex(rest);
                rest = rest.get(4..).unwrap_or_default();
                let paired = rest.strip_prefix("\\u").map(hex);
                match (unit, paired) {
                    (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) => {
                        let code = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                        out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                        rest = rest.get(6..).unwrap_or_default();
                    }
                    _ => out.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)),
                }
            }
            other => out.push(char::from(other)),
        }
    }
    out.push_str(rest);
}

/// The value of the four hexadecimal digits at the start.
fn hex(text: &str) -> u32 {
    text.get(..4).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or(0xfffd)
}

/// The first byte that ends a string literal, begins an escape, or must not stand in one.
pub(super) fn first_special(bytes: &[u8]) -> Option<usize> {
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    let plain = blocks.iter().take_while(|block| !any_special(block));
    let start = plain.count() * BLOCK;
    // The block with the special byte in it, or the few bytes behind the last block.
    let tail = if start < bytes.len() - rest.len() { &bytes[start..] } else { rest };
    let (words, rest) = tail.as_chunks::<8>();
    let plain = words.iter().take_while(|word| !holds_special(u64::from_le_bytes(**word))).count() * 8;
    let tail = if plain < tail.len() - rest.len() { &tail[plain..] } else { rest };
    tail.iter().position(|&byte| is_special(byte)).map(|at| start + plain + at)
}

/// Bytes that are looked at together.
const BLOCK: usize = 32;

/// Blocks that are looked at before it is decided whether there was anything: a kilobyte.
const BLOCKS_AT_ONCE: usize = 32;

#[inline]
fn any_special(block: &[u8; BLOCK]) -> bool {
    let mut found = [0; BLOCK];
    mark_special(block, &mut found);
    is_marked(&found)
}

/// Marks where special bytes are. Looking at a whole block without leaving early, and only then at what was found, lets the
/// compiler use vector instructions.
#[inline]
fn mark_special(block: &[u8; BLOCK], found: &mut [u8; BLOCK]) {
    for (found, &byte) in found.iter_mut().zip(block) {
        *found |= u8::from(byte == b'"') | u8::from(byte == b'\\') | u8::from(byte < 0x20);
    }
}

#[inline]
fn is_marked(found: &[u8; BLOCK]) -> bool {
    let (words, _) = found.as_chunks::<8>();
    words.iter().fold(0, |any, word| any | u64::from_le_bytes(*word)) != 0
}

fn is_special(byte: u8) -> bool {
    (byte == b'"') | (byte == b'\\') | (byte < 0x20)
}

/// Whether any of eight bytes is special, all of them looked at together.
fn holds_special(word: u64) -> bool {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGHS: u64 = ONES << 7;
    // A byte's high bit is set where it is below `limit`, and was not set before. A borrow can only reach a byte above
    // one that is below itself: a false alarm is impossible without a true one.
    let below = |bytes: u64, limit: u64| bytes.wrapping_sub(ONES * limit) & !bytes & HIGHS;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (below(word, 0x20) | is(b'"') | is(b'\\')) != 0
}

/// Whether a text needs no escapes in a string literal.
pub(crate) fn is_plain(text: &str) -> bool {
    let (blocks, rest) = text.as_bytes().as_chunks::<BLOCK>();
    // Most texts are plain: what is found is gathered from many blocks before it is looked at.
    let mut found = [0; BLOCK];
    for blocks in blocks.chunks(BLOCKS_AT_ONCE) {
        for block in blocks {
            mark_special(block, &mut found);
        }
        if is_marked(&found) {
            return false;
        }
    }
    // The last block may overlap the one before: looking twice costs less than looking byte by byte.
    if let Some(last) = text.as_bytes().last_chunk() {
        return !any_special(last);
    }
    let (words, last) = rest.as_chunks::<8>();
    !words.iter().any(|word| holds_special(u64::from_le_bytes(*word)))
        && !last.iter().any(|&byte| is_special(byte))
}

/// Appends a text as the inside of a string literal.
pub(crate) fn escape(text: &str, out: &mut String) {
    if is_plain(text) {
        return out.push_str(text);
    }
    let mut rest = text;
    while let Some(at) = first_special(rest.as_bytes()) {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            // Writing to a String cannot fail.
            byte => drop(write!(out, "\\u{byte:04x}")),
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::format;

    fn unescaped(escaped: &str) -> String {
        let mut out = String::new();
        unescape(escaped, &mut out);
        out
    }

    #[test]
    fn surrogates_pair_up_or_are_replaced() {
        assert_eq!(unescaped(r"a\ud83d\ude00b"), "a\u{1f600}b");
        assert_eq!(unescaped(r"\ud83dx"), "\u{fffd}x");
        assert_eq!(unescaped(r"\ud83d\u0041"), "\u{fffd}A");
        assert_eq!(unescaped(r"\ude00"), "\u{fffd}");
        assert_eq!(unescaped(r#"\"\\\/\b\f\n\r\t\u003c"#), "\"\\/\u{8}\u{c}\n\r\t<");
    }

    #[test]
    fn each_special_byte_is_found_at_each_place() {
        for special in (0..=0xff).filter(|byte| matches!(byte, 0..0x20 | b'"' | b'\\')) {
            let lengths = (0..24).chain(BLOCK - 1..BLOCK + 10);
            for (length, at) in lengths.flat_map(|length| (0..length).map(move |at| (length, at))) {
                for filler in [b' ', b'!', b'#', b'[', b']', b'~', 0x7f, 0x80, 0xff] {
                    let mut bytes = std::vec![filler; length];
                    assert_eq!(first_special(&bytes), None, "{filler:#x} × {length}");
                    assert!(str::from_utf8(&bytes).is_ok_and(is_plain) || filler >= 0x80);
                    bytes[at] = special;
                    assert_eq!(first_special(&bytes), Some(at), "{special:#x} in {filler:#x} × {length}");
                    assert!(!str::from_utf8(&bytes).is_ok_and(is_plain));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn escape_is_what_serde_json_reads(text in any::<String>()) {
            let mut escaped = String::new();
            escape(&text, &mut escaped);
            prop_assert_eq!(&serde_json::from_str::<String>(&format!("\"{escaped}\"")).unwrap(), &text);
            prop_assert_eq!(unescaped(&escaped), text.clone());
            prop_assert_eq!(is_plain(&text), escaped == text);
        }
    }
}
