//! A trace with other records in it and right hashes around them: tests and the fuzzer would else never get past a hash.

use super::block::{Block, BlockKind};
use super::filter::id_hash;
use super::header::Header;
use super::{Record, Summary, Trace};
use crate::time::{Instant, Now};
use alloc::vec::Vec;

/// A block that is about to be sealed again.
#[derive(Debug)]
pub struct OpenBlock {
    /// What is in it.
    pub kind: BlockKind,
    /// Its payload, unpacked.
    pub raw: Vec<u8>,
    /// The number of its first record.
    pub first: u64,
    /// How many records it has.
    pub records: u32,
    /// When its first record happened.
    pub begin: Now,
    /// When its last record happened.
    pub end: Instant,
    /// What it says of its messages.
    pub summary: Summary,
}

/// The same trace with another head and other blocks; `None` for what is no trace.
pub fn reseal(
    file: &[u8],
    edit_header: impl FnOnce(&mut Header),
    mut edit: impl FnMut(&mut OpenBlock),
) -> Option<Vec<u8>> {
    let trace = Trace::open(file).ok()?;
    let mut header = trace.header().clone();
    edit_header(&mut header);
    let mut out = header.encode();
    for place in trace.blocks() {
        let mut ids = Vec::new();
        if place.kind() == BlockKind::Records {
            // The filter goes on to speak of what was there.
            let _ = trace.each_record(place, |_, record: Record| {
                if let Some(message) = record.message() {
                    ids.extend([message.msg_id(), message.parent_msg_id()].map(|id| id_hash(id.as_bytes())));
                }
                true
            });
        }
        let mut open = OpenBlock {
            kind: place.kind(),
            raw: trace.raw(place).ok()?.into_owned(),
            first: place.first_record(),
            records: place.records(),
            begin: place.begins(),
            end: place.end(),
            summary: place.summary().unwrap_or_default(),
        };
        edit(&mut open);
        let OpenBlock { kind, raw, first, records, begin, end, summary } = open;
        out.extend_from_slice(&Block { kind, raw, ids, first, records, begin, end, summary }.pack());
    }
    Some(out)
}
