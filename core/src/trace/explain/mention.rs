//! Whether records can be about a message, without reading them.

use crate::rng::Uuid;

/// Whether these unpacked records may be about a message of this id; `false` is certain.
///
/// A UUID, as nearly all ids are, stands there in its 16 bytes, or in its text form in a message like which there is no
/// other, or escaped in such a one. Eight bytes of it are enough.
pub(super) fn may_mention(raw: &[u8], msg_id: &str) -> bool {
    let Some(bits) = Uuid::bits_of(msg_id.as_bytes()) else { return true };
    let text = msg_id.as_bytes().first_chunk().copied().map(u64::from_be_bytes);
    let bits = (bits >> 64) as u64;
    raw.windows(8).any(|window| {
        let Some(window) = window.first_chunk().copied().map(u64::from_be_bytes) else { return false };
        window == bits || Some(window) == text || window >> 32 == ESCAPED
    })
}

/// What the escape of a digit or a hyphen begins with: `\u00`.
const ESCAPED: u64 = u32::from_be_bytes(*br"\u00") as u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_seen_in_each_of_its_forms() {
        let id = "e220a839-7b1d-4daf-ae78-9e6aa1b965f4";
        let bits = Uuid::bits_of(id.as_bytes()).unwrap().to_be_bytes();
        let with = |form: &[u8]| may_mention(&[b"before", form, b"and more behind"].concat(), id);
        assert!(with(&bits) && with(id.as_bytes()) && with(br"\u0065220a839-7b1d-4daf-ae78-9e6aa1b965f4"));
        assert!(!with(b"") && !with(&bits[1..]) && !with(b"e220a838-7b1d-4daf-ae78-9e6aa1b965f4"));
        assert!(may_mention(b"", "7"), "what is no UUID may stand anywhere");
    }
}
