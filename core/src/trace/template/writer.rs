//! Takes messages apart.

use super::super::codebook::{Codebook, put_known, put_new};
use super::super::filter::id_hash;
use super::super::secret::is_secret;
use super::super::wire::{put, put_bytes, put_signed};
use super::recent::Recent;
use super::{ContentRule, Hole, Holes, between};
use crate::message::{Message, redacted_text};
use crate::time::UnixMillis;
use alloc::boxed::Box;
use alloc::vec::Vec;
use xxhash_rust::const_xxh3::const_custom_default_secret;
use xxhash_rust::xxh3::{xxh3_64_with_secret, xxh3_64_with_seed};

/// Length of XXH3's secret in bytes.
const SECRET_BYTES: usize = 192;

/// The longest text that XXH3 hashes with a seed as it is; for a longer one it makes a secret of the seed first.
const SEEDED_BYTES_MAX: usize = 240;

/// Writes messages.
#[derive(Debug)]
pub(in crate::trace) struct MessageWriter {
    /// Makes the hashes of this trace its own.
    key: u64,
    /// What XXH3 makes of the key for long contents, made once.
    secret: Box<[u8; SECRET_BYTES]>,
    templates: Codebook,
    recent: Recent,
    resources: Codebook,
    /// Hashes of the ids that the present block holds.
    pub(in crate::trace) ids: Vec<u64>,
}

impl MessageWriter {
    pub(in crate::trace) fn new(key: u64) -> MessageWriter {
        let (templates, resources) = (Codebook::new(), Codebook::new());
        let secret = Box::new(const_custom_default_secret(key));
        MessageWriter { key, secret, templates, recent: Recent::default(), resources, ids: Vec::new() }
    }

    /// Begins another block; returns the hashes of the ids in the last one.
    pub(in crate::trace) fn begin(&mut self) -> Vec<u64> {
        self.templates.clear();
        self.recent = Recent::default();
        self.resources.clear();
        let capacity = self.ids.len();
        core::mem::replace(&mut self.ids, Vec::with_capacity(capacity))
    }

    pub(in crate::trace) fn put(
        &mut self,
        out: &mut Vec<u8>,
        message: &Message,
        wall: UnixMillis,
        rule: ContentRule,
    ) {
        if rule.keeps() && is_secret(message) {
            return self.put_message(out, &message.redacted(), wall, rule);
        }
        self.put_message(out, message, wall, rule);
    }

    fn put_message(&mut self, out: &mut Vec<u8>, message: &Message, wall: UnixMillis, rule: ContentRule) {
        let frame = &**message.frame();
        let holes = match self.recent.find(message) {
            Some((holes, number)) => {
                put_known(out, number);
                holes
            }
            None => {
                let holes = Holes::of(message);
                match self.recent.find_longer(message, &holes) {
                    Some(number) => put_known(out, number),
                    None => self.put_template(out, message, &holes, rule),
                }
                holes
            }
        };
        for &(hole, start, end) in holes.as_slice() {
            let text = between(frame, start, end);
            match hole {
                Hole::MsgIdUuid => out.extend_from_slice(&holes.msg_id.unwrap_or_default()),
                Hole::ParentUuid => out.extend_from_slice(&holes.parent.unwrap_or_default()),
                Hole::MsgId | Hole::Parent | Hole::ResourceVersion => put_bytes(out, text),
                Hole::Resource => self.put_resource(out, text),
                Hole::Timestamp => put_signed(out, message.timestamp().0.wrapping_sub(wall.0)),
                Hole::Content => self.put_content(out, text, rule),
            }
        }
        self.ids.push(id_hash(message.msg_id()));
        if message.is_response() {
            self.ids.push(id_hash(message.parent_msg_id()));
        }
    }

    fn put_template(&mut self, out: &mut Vec<u8>, message: &Message, holes: &Holes, rule: ContentRule) {
        let frame = &**message.frame();
        let hash = holes.hash(frame, self.key);
        self.put_hashed(out, frame, holes, hash, rule);
        if let Some(number) = self.templates.number(hash) {
            self.recent.keep(message, holes, number);
        }
    }

    fn put_hashed(&mut self, out: &mut Vec<u8>, frame: &str, holes: &Holes, hash: u64, rule: ContentRule) {
        if let Some(known) = self.templates.number(hash) {
            return put_known(out, known);
        }
        if rule.keeps() {
            self.templates.define(hash);
            put_new(out);
            return holes.put_definition(out, frame);
        }
        // What looks different before may look the same after: then it is the same template.
        let redacted = redacted_text(frame);
        let redacted_hash = holes.hash(&redacted, self.key);
        if let Some(known) = self.templates.number(redacted_hash) {
            self.templates.remember(hash, known);
            return put_known(out, known);
        }
        self.templates.define(redacted_hash);
        if let Some(number) = self.templates.number(redacted_hash) {
            self.templates.remember(hash, number);
        }
        put_new(out);
        holes.put_definition(out, &redacted);
    }

    fn put_resource(&mut self, out: &mut Vec<u8>, text: &[u8]) {
        let hash = xxh3_64_with_seed(text, self.key);
        match self.resources.number(hash) {
            Some(known) => put_known(out, known),
            None => {
                self.resources.define(hash);
                put_new(out);
                put_bytes(out, text);
            }
        }
    }

    fn put_content(&self, out: &mut Vec<u8>, text: &[u8], rule: ContentRule) {
        let hash = match rule {
            ContentRule::Keep => return put_bytes(out, text),
            ContentRule::Hash if text.len() > SEEDED_BYTES_MAX => xxh3_64_with_secret(text, &*self.secret),
            ContentRule::Hash => xxh3_64_with_seed(text, self.key),
            ContentRule::Known(hash) => hash,
        };
        put(out, text.len() as u64);
        out.extend_from_slice(&hash.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_content_has_the_hash_that_its_seed_gives() {
        let (writer, text) = (MessageWriter::new(7), [b'x'; 300]);
        for length in [0, SEEDED_BYTES_MAX, SEEDED_BYTES_MAX + 1, 300] {
            let (mut out, mut expected) = (Vec::new(), Vec::new());
            writer.put_content(&mut out, &text[..length], ContentRule::Hash);
            put(&mut expected, length as u64);
            expected.extend_from_slice(&xxh3_64_with_seed(&text[..length], 7).to_le_bytes());
            assert_eq!(out, expected, "{length}");
        }
    }
}
