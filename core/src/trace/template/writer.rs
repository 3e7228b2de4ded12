//! Takes messages apart.

use super::super::codebook::{Codebook, put_known, put_new};
use super::super::secret::is_secret;
use super::fillings::Fillings;
use super::recent::Recent;
use super::{ContentRule, Holes, between};
use crate::message::{Message, redacted_text};
use crate::time::UnixMillis;
use alloc::vec::Vec;

/// Writes messages.
#[derive(Debug)]
pub(in crate::trace) struct MessageWriter {
    /// Makes the hashes of this trace its own.
    key: u64,
    templates: Codebook,
    recent: Recent,
    fillings: Fillings,
}

impl MessageWriter {
    pub(in crate::trace) fn new(key: u64) -> MessageWriter {
        let (templates, fillings) = (Codebook::new(), Fillings::new(key));
        MessageWriter { key, templates, recent: Recent::default(), fillings }
    }

    /// Begins another block; returns the hashes of the ids in the last one.
    pub(in crate::trace) fn begin(&mut self) -> Vec<u64> {
        self.templates.clear();
        self.recent = Recent::default();
        self.fillings.begin()
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
        if self.recent.put(out, &mut self.fillings, message, wall, rule) {
            return;
        }
        let holes = Holes::of(message);
        match self.recent.find_longer(message, &holes) {
            Some(number) => put_known(out, number),
            None => self.put_template(out, message, &holes, rule),
        }
        for &(hole, start, end) in holes.as_slice() {
            let text = between(message.frame(), start, end);
            self.fillings.put(out, hole, text, (message.timestamp(), wall), rule);
        }
        self.fillings.keep_ids(message);
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
}
