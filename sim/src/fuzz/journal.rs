//! Any bytes as a segment; and a segment that was damaged in one place.

use arbitrary::{Arbitrary, Unstructured};
use edgehub_core::UnixMillis;
use edgehub_core::journal::{EntryNumber, Header, Purpose, Record, Recovery, Seed, SegmentNumber};
use std::collections::{BTreeMap, BTreeSet};

const IDENTITY: &str = "edge-1";
const SEGMENT: SegmentNumber = SegmentNumber(1);

/// One record to write.
#[derive(Debug, Arbitrary)]
enum Write<'a> {
    Store(&'a str),
    Dropped(&'a str, &'a str),
    Forget(u8, u8),
}

/// Reads the bytes as a segment, then as a list of records and a place to damage.
pub fn journal(data: &[u8]) {
    let any = recover(data);
    assert!(any.live().count() * 32 <= data.len(), "more entries than there is room for");
    let mut input = Unstructured::new(data);
    if let Ok((at, flip, writes)) = <(u16, u8, Vec<Write<'_>>)>::arbitrary(&mut input) {
        damaged(usize::from(at), flip, &writes);
    }
}

fn recover(bytes: &[u8]) -> Recovery {
    let mut recovery = Recovery::new(Purpose::Messages, IDENTITY);
    // A refusal takes nothing up, which the callers see.
    let _ = recovery.segment(SEGMENT, bytes);
    recovery
}

/// Damages a segment at one byte: by flipping bits there, or, without any, by ending it.
fn damaged(at: usize, flip: u8, writes: &[Write<'_>]) {
    let seed = Seed::new(Purpose::Messages, IDENTITY);
    let header = Header {
        purpose: Purpose::Messages,
        identity: IDENTITY.into(),
        segment: SEGMENT,
        unused: EntryNumber(1),
    };
    let mut bytes = header.encode();
    let at = at % (bytes.len() + 4096);
    let mut before = BTreeSet::new();
    let mut frames = BTreeMap::new();
    let mut forgotten = BTreeSet::new();
    for (number, write) in (1..).zip(writes) {
        let number = EntryNumber(number);
        let at_ms = UnixMillis(number.0 as i64);
        match write {
            Write::Store(frame) => {
                frames.insert(number, *frame);
                Record::Store { number, class: 1, at: at_ms, reason: None, frame }.encode(seed, &mut bytes);
            }
            Write::Dropped(reason, frame) => {
                frames.insert(number, *frame);
                Record::Store { number, class: 1, at: at_ms, reason: Some(reason), frame }
                    .encode(seed, &mut bytes);
            }
            Write::Forget(first, last) => {
                let (first, last) = (EntryNumber(u64::from(*first)), EntryNumber(u64::from(*last)));
                if first <= last {
                    forgotten.extend(frames.range(first..=last).map(|(number, _)| *number));
                }
                Record::Forget { first, last }.encode(seed, &mut bytes);
            }
        }
        if bytes.len() <= at {
            before = frames.keys().copied().collect();
        }
    }
    match bytes.get_mut(at) {
        Some(byte) if flip != 0 => *byte ^= flip,
        _ => bytes.truncate(at),
    }
    let recovery = recover(&bytes);
    let live: BTreeMap<_, _> = recovery.live().collect();
    for number in before.difference(&forgotten) {
        assert!(live.contains_key(number), "{number} lies before the damage at {at} and is gone");
    }
    for (number, place) in live {
        let record = bytes.get(place.offset as usize..).and_then(|bytes| Record::decode(bytes, seed));
        let frame = record.and_then(|(record, _)| record.to_entry()).map(|entry| entry.frame);
        assert_eq!(frame.as_deref(), frames.get(&number).copied(), "{number} was never stored like that");
    }
}
