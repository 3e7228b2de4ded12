//! A message as a template with holes.
//!
//! Messages of one kind differ in their ids, their time, their resource and their content, and in nothing else. All the
//! rest of the frame is the template: it is written once in a block, byte for byte. So a frame comes back exactly as it
//! was, whatever its layout, and a message costs little more than its id.

mod fillings;
mod reader;
mod recent;
mod writer;

pub(super) use reader::MessageReader;
pub(super) use writer::MessageWriter;

use super::hash::hash;
use super::wire::{put, put_bytes};
use crate::message::{Field, Message};
use crate::rng::Uuid;
use alloc::vec::Vec;
use core::ops::Range;

/// What becomes of a content.
#[derive(Debug, Clone, Copy)]
pub(super) enum ContentRule {
    /// It is written as it is.
    Keep,
    /// Its length and a hash are written.
    Hash,
    /// Its length and a hash that is known already are written: what is at hand is filler.
    Known(u64),
}

impl ContentRule {
    fn keeps(self) -> bool {
        matches!(self, ContentRule::Keep)
    }
}

/// What stands in a hole. The numbers are part of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Hole {
    MsgIdUuid,
    MsgId,
    ParentUuid,
    Parent,
    ResourceVersion,
    Resource,
    Timestamp,
    Content,
}

const HOLES: [Hole; 8] = [
    Hole::MsgIdUuid,
    Hole::MsgId,
    Hole::ParentUuid,
    Hole::Parent,
    Hole::ResourceVersion,
    Hole::Resource,
    Hole::Timestamp,
    Hole::Content,
];

/// A frame has at most one hole for each field.
const HOLES_MAX: usize = 6;

/// The holes of a frame, in its order.
#[derive(Debug, Clone)]
struct Holes {
    all: [(Hole, usize, usize); HOLES_MAX],
    len: usize,
}

impl Holes {
    fn of(message: &Message) -> Holes {
        let mut holes = Holes { all: [(Hole::Content, 0, 0); HOLES_MAX], len: 0 };
        let mut ids_end = 0;
        for (field, uuid, text) in [
            (Field::MsgId, Hole::MsgIdUuid, Hole::MsgId),
            (Field::ParentMsgId, Hole::ParentUuid, Hole::Parent),
        ] {
            if let Some(place) = message.place(field) {
                ids_end = ids_end.max(place.end);
                let bits = Uuid::bits_of(between(message.frame(), place.start, place.end));
                holes.add(if bits.is_some() { uuid } else { text }, place);
            }
        }
        if let Some(place) = timestamp_place(message.frame(), ids_end, message.timestamp().0) {
            holes.add(Hole::Timestamp, place);
        }
        for (field, hole) in [
            (Field::ResourceVersion, Hole::ResourceVersion),
            (Field::Resource, Hole::Resource),
            (Field::Content, Hole::Content),
        ] {
            if let Some(place) = message.place(field) {
                holes.add(hole, place);
            }
        }
        holes
    }

    /// Adds a hole where it belongs: nearly always at the end.
    fn add(&mut self, hole: Hole, Range { start, end }: Range<usize>) {
        let mut at = self.len;
        while at > 0 && self.all[at - 1].1 > start {
            self.all[at] = self.all[at - 1];
            at -= 1;
        }
        self.all[at] = (hole, start, end);
        self.len += 1;
    }

    fn as_slice(&self) -> &[(Hole, usize, usize)] {
        &self.all[..self.len]
    }

    /// The holes of a frame whose content ends elsewhere, with everything else where it is here.
    fn with_content_end(&self, content_end: usize) -> Holes {
        let moved = |(hole, start, end)| (hole, start, if hole == Hole::Content { content_end } else { end });
        Holes { all: self.all.map(moved), len: self.len }
    }

    /// The part of a frame between its ids and a content behind them; empty where there is none.
    fn between_ids_and_content(&self) -> Range<usize> {
        let is_content = |(hole, ..): &&(Hole, usize, usize)| *hole == Hole::Content;
        let content = self.as_slice().iter().find(is_content).map_or(0, |&(_, start, _)| start);
        let ids = [Hole::MsgIdUuid, Hole::MsgId, Hole::ParentUuid, Hole::Parent];
        let ends = self.as_slice().iter().filter(|(hole, ..)| ids.contains(hole)).map(|&(.., end)| end);
        ends.max().unwrap_or(0).min(content)..content
    }

    /// A hash of everything around the holes, and of which holes they are.
    fn hash(&self, frame: &str, key: u64) -> u64 {
        let (mut state, mut from) = (key, 0);
        for &(hole, start, end) in self.as_slice() {
            state = hash(between(frame, from, start), state ^ (hole as u64 + 1));
            from = end;
        }
        hash(between(frame, from, frame.len()), state)
    }

    /// Whether two frames are the same but for what is in the same holes.
    fn are_alike(&self, frame: &str, other: &Holes, other_frame: &str) -> bool {
        let (mut from, mut other_from) = (0, 0);
        self.len == other.len
            && self.as_slice().iter().zip(other.as_slice()).all(|(one, two)| {
                let same =
                    one.0 == two.0 && between(frame, from, one.1) == between(other_frame, other_from, two.1);
                (from, other_from) = (one.2, two.2);
                same
            })
            && between(frame, from, frame.len()) == between(other_frame, other_from, other_frame.len())
    }

    fn put_definition(&self, out: &mut Vec<u8>, text: &str) {
        put(out, self.len as u64);
        let mut from = 0;
        for &(hole, start, end) in self.as_slice() {
            out.push(hole as u8);
            put_bytes(out, between(text, from, start));
            from = end;
        }
        put_bytes(out, between(text, from, text.len()));
    }
}

fn between(text: &str, from: usize, to: usize) -> &[u8] {
    text.as_bytes().get(from..to).unwrap_or_default()
}

/// Where the number of a timestamp stands, if it follows these ids in the usual way and is written in the usual way.
fn timestamp_place(frame: &str, ids_end: usize, timestamp: i64) -> Option<Range<usize>> {
    const NAME: &str = "\",\"timestamp\":";
    let start = ids_end + NAME.len();
    if frame.get(ids_end..start)? != NAME {
        return None;
    }
    let number = frame.get(start..)?;
    let digits = number.bytes().take_while(|byte| byte.is_ascii_digit()).count();
    let usual = digits > 0 && (!number.starts_with('0') || digits == 1);
    let text = number.get(..digits)?;
    (usual && text.parse() == Ok(timestamp)).then(|| start..start + digits)
}

#[cfg(test)]
mod tests {
    use super::super::filter::id_hash;
    use super::super::wire::Cursor;
    use super::*;
    use crate::message::{Content, Draft};
    use crate::time::UnixMillis;
    use proptest::prelude::*;

    const WALL: UnixMillis = UnixMillis(1_700_000_000_000);

    fn round_trip(messages: &[Message], rule: ContentRule) -> Vec<Message> {
        let (mut writer, mut out) = (MessageWriter::new(7), Vec::new());
        for message in messages {
            writer.put(&mut out, message, WALL, rule);
        }
        let ids = messages.iter().flat_map(|message| [message.msg_id(), message.parent_msg_id()]);
        let ids: Vec<u64> = ids.filter(|id| !id.is_empty()).map(|id| id_hash(id.as_bytes())).collect();
        assert_eq!(writer.begin(), ids);
        let (mut reader, mut cursor) = (MessageReader::new(rule.keeps()), Cursor::new(&out));
        let read: Vec<Message> = messages.iter().map(|_| reader.read(&mut cursor, WALL).unwrap().0).collect();
        for message in &read {
            let again = Message::decode(message.frame().clone()).unwrap();
            assert!(message.is_indexed_like(&again), "{:?}", message.frame());
        }
        assert!(cursor.is_empty());
        read
    }

    fn check(frames: &[&str]) {
        let messages: Vec<Message> = frames.iter().map(|frame| Message::decode(*frame).unwrap()).collect();
        assert_eq!(round_trip(&messages, ContentRule::Keep), messages);
        let redacted: Vec<Message> = messages.iter().map(Message::redacted).collect();
        assert_eq!(round_trip(&messages, ContentRule::Hash), redacted);
        assert_eq!(round_trip(&redacted, ContentRule::Known(3)), redacted, "twice is once");
    }

    #[test]
    fn any_layout_comes_back_byte_for_byte() {
        const ID: &str = "9ba773d2-1c5c-4c9b-9a3c-6a1f6d7f0f5e";
        let with_id = |id: &str| {
            std::format!(
                r#"{{"header":{{"msg_id":"{id}","timestamp":1700000000001}},"route":{{"resource":"a/b"}},"content":"x"}}"#
            )
        };
        check(&[&with_id(ID), &with_id(&ID.to_uppercase()), &with_id(&ID.replace('-', "_")), &with_id("")]);
        check(&[
            r#"{"content":{"a":1},"route":{"resource":"r","group":"g"},"header":{"timestamp":007e0}}"#,
            r#"{"header":{"msg_id":"1","timestamp":-5}}"#,
            r#"{"header":{"msg_id":"1","timestamp":0}}"#,
            r#"{"header":{"msg_id":"1","timestamp":9223372036854775807}}"#,
            "{}",
            r#"{"header":{"msg_id":"\u0031","timestamp":3},"content":   "s"  ,"content":9}"#,
            r#"{"HEADER":{"Msg_Id":"1", "parent_msg_id" : "2","timestamp":4,"sync":true},"x":{"secret":1}}"#,
            r#"{"HEADER":{"Msg_Id":"1", "parent_msg_id" : "2","timestamp":4,"sync":true},"x":{"secret":2}}"#,
        ].map(|frame| frame.replace("007e0", "7")).each_ref().map(|frame| &**frame));
    }

    /// Frames that differ where one like them has a hole, or right beside it.
    #[test]
    fn what_only_looks_alike_is_told_apart() {
        let with_times = |times: &str| {
            std::format!(
                r#"{{"header":{{"msg_id":"1",{times}}},"route":{{"resource":"a/b"}},"content":"x"}}"#
            )
        };
        let frames = [
            r#""timestamp":5,"timestamp":5"#,
            r#""timestamp":5,"timestamp":5"#,
            r#""timestamp":6,"timestamp":5"#,
            r#""timestamp":6,"timestamp":6"#,
            r#""timestamp":17"#,
            r#""timestamp":17"#,
            r#""timestamp":-7"#,
            r#""timestamp":18"#,
            r#""timestamP":18"#,
        ]
        .map(with_times);
        check(&frames.each_ref().map(|frame| &**frame));
        check(&[
            r#"{"route":{"resource":"a"},"content":1,"header":{"msg_id":"1"}}"#,
            r#"{"route":{"resource":"a"},"content":2,"header":{"msg_id":"1"}}"#,
            r#"{"route":{"resource":"b"},"content":3,"header":{"msg_id":"2"}}"#,
            r#"{"route":{"resource":"c"},"content":3,"Header":{"msg_id":"2"}}"#,
            r#"{"route":{"resource":"c"},"content":4,"header":{"msg_id":"3"}}"#,
        ]);
    }

    #[test]
    fn a_redacted_message_takes_few_bytes_and_no_secret() {
        let (mut writer, mut out, mut rng) = (MessageWriter::new(7), Vec::new(), crate::rng::Rng::new(1));
        for number in 0..100 {
            let id = rng.uuid();
            let draft = Draft {
                msg_id: id.as_str(),
                timestamp: UnixMillis(WALL.0 + number),
                source: "twin",
                group: "resource",
                operation: "update",
                resource: "device/pump/twin/edge_updated",
                content: Content::Text("a rather long content that says hunter2 in its middle and goes on"),
                ..Draft::default()
            };
            writer.put(&mut out, &draft.encode().unwrap(), WALL, ContentRule::Hash);
        }
        assert!(out.len() < 100 * 32, "{} bytes", out.len());
        assert!(!out.windows(7).any(|window| window == b"hunter2"));
        assert_eq!(writer.begin().len(), 100);
    }

    proptest! {
        /// Messages of a few kinds, in any order: each may be written as one like it was, or as a first one.
        #[test]
        fn any_sequence_comes_back_with_all_its_ids(
            messages in prop::collection::vec(
                (any::<bool>(), any::<bool>(), 0usize..3, 0i64..3, any::<bool>(), ".{0,3}"), 0..20
            )
        ) {
            let mut rng = crate::rng::Rng::new(3);
            let drafts = messages.iter().map(|(usual, answers, resource, time, other, text)| {
                let ids = [rng.uuid(), rng.uuid()];
                Draft {
                    msg_id: if *usual { ids[0].as_str() } else { "7" },
                    parent_msg_id: if *answers { ids[1].as_str() } else { "" },
                    timestamp: UnixMillis(WALL.0 + time),
                    source: if *other { "a" } else { "b" },
                    resource: ["x/y", "x/z", "longer"][*resource],
                    content: Content::Text(text),
                    ..Draft::default()
                }
                .encode()
                .unwrap()
            });
            let drafts: Vec<Message> = drafts.collect();
            prop_assert_eq!(&round_trip(&drafts, ContentRule::Keep), &drafts);
            let redacted: Vec<Message> = drafts.iter().map(Message::redacted).collect();
            prop_assert_eq!(round_trip(&drafts, ContentRule::Hash), redacted);
        }

        #[test]
        fn any_draft_comes_back(
            ids in prop::array::uniform2(prop_oneof![".{0,5}", "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"]),
            timestamp in any::<i64>(), sync in any::<bool>(), resource in ".{0,9}", text in ".{0,20}",
        ) {
            let draft = Draft {
                msg_id: &ids[0], parent_msg_id: &ids[1], timestamp: UnixMillis(timestamp), sync,
                resource: &resource, resource_version: &text, content: Content::Text(&text), ..Draft::default()
            };
            let swapped = Draft { msg_id: &ids[1], parent_msg_id: &ids[0], ..draft };
            let later = Draft { timestamp: UnixMillis(timestamp ^ 1), ..draft };
            // The first is read, the second makes use of its pattern, the third and later ones of its layout, too.
            let drafts = [&draft, &draft, &draft, &later, &swapped, &draft, &later];
            let messages = drafts.map(|draft| draft.encode().unwrap());
            prop_assert_eq!(&round_trip(&messages, ContentRule::Keep)[..], &messages);
            let redacted = messages.each_ref().map(|message| message.redacted());
            prop_assert_eq!(&round_trip(&messages, ContentRule::Hash)[..], &redacted);
        }
    }
}
