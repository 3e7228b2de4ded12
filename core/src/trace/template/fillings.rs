//! What stands in the holes of a message, as it is written.

use super::super::codebook::{Codebook, put_known, put_new};
use super::super::filter::{id_hash, uuid_hash};
use super::super::hash::hash;
use super::super::wire::{put, put_bytes, put_signed};
use super::{ContentRule, Hole};
use crate::message::Message;
use crate::rng::Uuid;
use crate::time::UnixMillis;
use alloc::vec::Vec;

/// Writes fillings, and remembers the resources and ids of a block.
#[derive(Debug)]
pub(super) struct Fillings {
    /// Makes the hashes of this trace its own.
    key: u64,
    resources: Codebook,
    /// Hashes of the ids that the block holds.
    pub(super) ids: Vec<u64>,
}

impl Fillings {
    pub(super) fn new(key: u64) -> Fillings {
        Fillings { key, resources: Codebook::new(), ids: Vec::new() }
    }

    /// Begins another block; returns the hashes of the ids in the last one.
    pub(super) fn begin(&mut self) -> Vec<u64> {
        self.resources.clear();
        let capacity = self.ids.len();
        core::mem::replace(&mut self.ids, Vec::with_capacity(capacity))
    }

    /// Writes the text of a hole. A timestamp is written as its distance from the time of the record.
    pub(super) fn put(
        &mut self,
        out: &mut Vec<u8>,
        hole: Hole,
        text: &[u8],
        (timestamp, wall): (UnixMillis, UnixMillis),
        rule: ContentRule,
    ) {
        match hole {
            Hole::MsgIdUuid | Hole::ParentUuid => put_uuid(out, Uuid::bits_of(text).unwrap_or_default()),
            Hole::MsgId | Hole::Parent | Hole::ResourceVersion => put_bytes(out, text),
            Hole::Resource => self.put_resource(out, text),
            Hole::Timestamp => put_timestamp(out, timestamp, wall),
            Hole::Content => self.put_content(out, text, rule),
        }
    }

    fn put_resource(&mut self, out: &mut Vec<u8>, text: &[u8]) {
        let hash = hash(text, self.key);
        match self.resources.number(hash) {
            Some(known) => put_known(out, known),
            None => {
                self.resources.define(hash);
                put_new(out);
                put_bytes(out, text);
            }
        }
    }

    /// The number of a resource that the block has defined, if it is remembered.
    pub(super) fn resource(&self, text: &[u8]) -> Option<u32> {
        self.resources.number(hash(text, self.key))
    }

    pub(super) fn put_content(&self, out: &mut Vec<u8>, text: &[u8], rule: ContentRule) {
        let hash = match rule {
            ContentRule::Keep => return put_bytes(out, text),
            ContentRule::Hash => hash(text, self.key),
            ContentRule::Known(hash) => hash,
        };
        put(out, text.len() as u64);
        out.extend_from_slice(&hash.to_le_bytes());
    }

    /// Remembers the ids of a message, if they are not empty.
    pub(super) fn keep_ids(&mut self, message: &Message) {
        for id in [message.msg_id(), message.parent_msg_id()] {
            if !id.is_empty() {
                self.keep_id(id.as_bytes());
            }
        }
    }

    pub(super) fn keep_id(&mut self, msg_id: &[u8]) {
        self.ids.push(id_hash(msg_id));
    }

    pub(super) fn keep_uuid(&mut self, bits: u128) {
        self.ids.push(uuid_hash(bits));
    }
}

pub(super) fn put_uuid(out: &mut Vec<u8>, bits: u128) {
    out.extend_from_slice(&bits.to_be_bytes());
}

pub(super) fn put_timestamp(out: &mut Vec<u8>, timestamp: UnixMillis, wall: UnixMillis) {
    put_signed(out, timestamp.0.wrapping_sub(wall.0));
}
