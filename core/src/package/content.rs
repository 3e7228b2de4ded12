//! A content between its JSON and the bytes of a payload; the table is in the module above.

use crate::message::{Content, check_content, escape, is_plain, unescape};
use crate::violation::Violation;
use alloc::string::String;
use bytes::Bytes;
use bytestring::ByteString;
use core::ops::Range;
use serde_json::value::RawValue;

/// The bytes are a JSON text.
pub(super) const JSON: u32 = 1;
/// The bytes are a text's own.
pub(super) const TEXT: u32 = 2;

/// The bytes that carry the content at `place` of a frame, and their form.
pub(super) fn to_bytes(frame: &ByteString, place: Range<usize>) -> (Bytes, u32) {
    let json = frame.get(place.clone()).unwrap_or_default();
    let of_frame = |range| frame.as_bytes().slice_ref(frame.as_bytes().get(range).unwrap_or_default());
    if json.is_empty() || json == "null" {
        return (Bytes::new(), 0);
    }
    let Some(inside) = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return (of_frame(place), JSON);
    };
    // No quote stands in a literal without a backslash before it.
    if is_plain(inside) {
        return (of_frame(place.start + 1..place.end - 1), TEXT);
    }
    let mut text = String::with_capacity(inside.len());
    unescape(inside, &mut text);
    let mut again = String::with_capacity(inside.len());
    escape(&text, &mut again);
    if again == inside { (Bytes::from(text), TEXT) } else { (of_frame(place), JSON) }
}

/// Calls `with` with the content that bytes of a form are. Fails when the bytes are not of that form.
pub(super) fn of_bytes<T>(
    bytes: &[u8],
    form: u32,
    with: impl FnOnce(Content<'_>) -> Result<T, Violation>,
) -> Result<T, Violation> {
    let text = str::from_utf8(bytes).map_err(|_| Violation::NotUtf8);
    match (form, text) {
        (JSON, text) => with(json(text?)?),
        (TEXT, text) => with(Content::Text(text?)),
        (_, Ok("")) => with(Content::Null),
        (_, Ok(text)) => with(json(text).unwrap_or(Content::Text(text))),
        (_, Err(_)) => with(Content::Text(&base64(bytes))),
    }
}

fn json(text: &str) -> Result<Content<'_>, Violation> {
    check_content(text)?;
    // Both read the same language, and of the two ours is the one with a limit of depth.
    serde_json::from_str::<&RawValue>(text).map(Content::Json).map_err(|_| Violation::NotJson { at: 0 })
}

/// Go's form of bytes in JSON: the standard alphabet, padded.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | u32::from(three.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * at)) as usize & 63];
            text.push(if at <= three.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_as_go_writes_them() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xff, 0xef, 0xbe]), "/+++");
    }
}
