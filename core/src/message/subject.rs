//! What a message is about: its source, group and resource.

use super::Message;

impl Message {
    /// A hash of what the message is about: each of its upper 48 bits depends on all of that. Two things may have the same one.
    pub(crate) fn subject_hash(&self) -> u64 {
        // FNV-1a.
        let fields = [self.source(), self.group(), self.resource()];
        // No text of UTF-8 holds this byte: it ends each field.
        let bytes = fields.iter().flat_map(|field| field.bytes().chain([0xff]));
        bytes
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }
}
