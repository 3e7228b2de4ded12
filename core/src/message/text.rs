//! JSON's string escapes, both ways.

use alloc::string::String;
use core::fmt::Write;

/// The text of a string literal whose characters are `escaped`, quotes removed and its escapes known to be well
/// formed. Half a surrogate pair becomes U+FFFD, as in Go.
pub(super) fn unescape(escaped: &str, out: &mut String) {
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
    // Looking at a whole block without leaving early lets the compiler use vector instructions.
    const BLOCK: usize = 32;
    let special = |byte: u8| (byte == b'"') | (byte == b'\\') | (byte < 0x20);
    let plain = bytes
        .chunks_exact(BLOCK)
        .take_while(|block| !block.iter().fold(false, |any, &byte| any | special(byte)));
    let start = plain.count() * BLOCK;
    bytes[start..].iter().position(|&byte| special(byte)).map(|at| start + at)
}

/// Whether a text needs no escapes in a string literal.
pub(super) fn is_plain(text: &str) -> bool {
    first_special(text.as_bytes()).is_none()
}

/// Appends a text as the inside of a string literal.
pub(super) fn escape(text: &str, out: &mut String) {
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
