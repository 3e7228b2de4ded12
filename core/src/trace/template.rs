//! A message as a template with holes.
//!
//! Messages of one kind differ in their ids, their time, their resource and their content, and in nothing else. All the
//! rest of the frame is the template: it is written once in a block, byte for byte. So a frame comes back exactly as it
//! was, whatever its layout, and a message costs little more than its id.

use super::codebook::{Codebook, Defined, put_known, put_new};
use super::filter::id_hash;
use super::problem::Broken;
use super::wire::{Cursor, put, put_bytes, put_signed};
use crate::limits::FRAME_BYTES_MAX;
use crate::message::{Field, Message, Pattern, is_plain, push_filler, redacted_text};
use crate::rng::Uuid;
use crate::time::UnixMillis;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use bytestring::ByteString;
use core::ops::Range;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// What becomes of a content.
#[derive(Debug, Clone, Copy)]
pub(super) enum ContentRule {
    /// It is written as it is.
    Keep,
    /// Its length and a hash with this key are written.
    Hash(u64),
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
    msg_id: Option<[u8; 16]>,
    parent: Option<[u8; 16]>,
}

impl Holes {
    fn of(message: &Message) -> Holes {
        let mut holes = Holes { all: [(Hole::Content, 0, 0); HOLES_MAX], len: 0, msg_id: None, parent: None };
        let mut header_end = 0;
        if let Some(place) = message.place(Field::MsgId) {
            header_end = place.end;
            holes.msg_id = uuid(message.msg_id());
            holes.add(if holes.msg_id.is_some() { Hole::MsgIdUuid } else { Hole::MsgId }, place);
        }
        if let Some(place) = message.place(Field::ParentMsgId) {
            header_end = header_end.max(place.end);
            holes.parent = uuid(message.parent_msg_id());
            holes.add(if holes.parent.is_some() { Hole::ParentUuid } else { Hole::Parent }, place);
        }
        if let Some(place) = timestamp_place(message.frame(), header_end, message.timestamp().0) {
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

    /// A hash of everything around the holes, and of which holes they are.
    fn hash(&self, frame: &str, key: u64) -> u64 {
        let (mut hash, mut from) = (key, 0);
        for &(hole, start, end) in self.as_slice() {
            hash = xxh3_64_with_seed(between(frame, from, start), hash ^ (hole as u64 + 1));
            from = end;
        }
        xxh3_64_with_seed(between(frame, from, frame.len()), hash)
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

/// The bytes of a UUID in the usual text form.
fn uuid(text: &str) -> Option<[u8; 16]> {
    Uuid::bits_of(text).map(u128::to_be_bytes)
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

/// Templates of which a frame is kept: more than there are kinds of messages in most moments.
const RECENT: usize = 4;

/// The longest frame that is kept.
const RECENT_BYTES_MAX: usize = 4096;

/// A frame of a template.
#[derive(Debug)]
struct Recent {
    frame: ByteString,
    holes: Holes,
    number: u32,
}

/// Writes messages.
#[derive(Debug)]
pub(super) struct MessageWriter {
    /// Makes the hashes of this trace its own.
    key: u64,
    templates: Codebook,
    /// Frames of templates that were met lately, so that a frame like one of them need not be hashed.
    recent: [Option<Recent>; RECENT],
    next_recent: usize,
    resources: Codebook,
    /// Hashes of the ids that the present block holds.
    pub(super) ids: Vec<u64>,
}

impl MessageWriter {
    pub(super) fn new(key: u64) -> MessageWriter {
        let (templates, resources) = (Codebook::new(), Codebook::new());
        let (recent, next_recent) = (Default::default(), 0);
        MessageWriter { key, templates, recent, next_recent, resources, ids: Vec::new() }
    }

    /// Begins another block; returns the hashes of the ids in the last one.
    pub(super) fn begin(&mut self) -> Vec<u64> {
        self.templates.clear();
        self.recent = Default::default();
        self.resources.clear();
        let capacity = self.ids.len();
        core::mem::replace(&mut self.ids, Vec::with_capacity(capacity))
    }

    pub(super) fn put(&mut self, out: &mut Vec<u8>, message: &Message, wall: UnixMillis, rule: ContentRule) {
        let (frame, holes) = (&**message.frame(), Holes::of(message));
        match self.recent.iter().flatten().find(|recent| holes.are_alike(frame, &recent.holes, &recent.frame))
        {
            Some(recent) => put_known(out, recent.number),
            None => self.put_template(out, message, &holes, rule),
        }
        for &(hole, start, end) in holes.as_slice() {
            let text = between(frame, start, end);
            match hole {
                Hole::MsgIdUuid => out.extend_from_slice(&holes.msg_id.unwrap_or_default()),
                Hole::ParentUuid => out.extend_from_slice(&holes.parent.unwrap_or_default()),
                Hole::MsgId | Hole::Parent | Hole::ResourceVersion => put_bytes(out, text),
                Hole::Resource => self.put_resource(out, text),
                Hole::Timestamp => put_signed(out, message.timestamp().0.wrapping_sub(wall.0)),
                Hole::Content => put_content(out, text, rule),
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
        // A large frame is not to be kept from its end by a recorder.
        if let Some(number) = self.templates.number(hash).filter(|_| frame.len() <= RECENT_BYTES_MAX) {
            let recent = Recent { frame: message.frame().clone(), holes: holes.clone(), number };
            self.recent[self.next_recent] = Some(recent);
            self.next_recent = (self.next_recent + 1) % RECENT;
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
}

fn put_content(out: &mut Vec<u8>, text: &[u8], rule: ContentRule) {
    match rule {
        ContentRule::Keep => put_bytes(out, text),
        ContentRule::Hash(key) => {
            put(out, text.len() as u64);
            out.extend_from_slice(&xxh3_64_with_seed(text, key).to_le_bytes());
        }
        ContentRule::Known(hash) => {
            put(out, text.len() as u64);
            out.extend_from_slice(&hash.to_le_bytes());
        }
    }
}

#[derive(Debug)]
struct Template {
    /// The text before each hole.
    pieces: Vec<(Box<str>, Hole)>,
    rest: Box<str>,
    /// Bytes of all the pieces.
    bytes: usize,
    /// Where the fields are, once a first message has been read.
    pattern: Option<Pattern>,
}

impl Template {
    fn read(cursor: &mut Cursor<'_>) -> Result<Template, Broken> {
        let holes: usize = cursor.narrow()?;
        if holes > HOLES_MAX {
            return Err(Broken("a template with too many holes"));
        }
        let mut pieces: Vec<(Box<str>, Hole)> = Vec::with_capacity(holes);
        for _ in 0..holes {
            let hole = HOLES.get(usize::from(cursor.byte()?)).ok_or(Broken("a hole of no known kind"))?;
            pieces.push((cursor.text()?.into(), *hole));
        }
        let rest: Box<str> = cursor.text()?.into();
        let bytes = rest.len() + pieces.iter().map(|(piece, _)| piece.len()).sum::<usize>();
        Ok(Template { pieces, rest, bytes, pattern: None })
    }

    /// Whether each hole is what it claims to be: then other fillings of its kind make a frame of the same shape.
    fn holds(&self, message: &Message, places: &[Range<usize>]) -> bool {
        self.pieces.iter().zip(places).all(|((_, hole), place)| {
            let field = match hole {
                Hole::MsgIdUuid | Hole::MsgId => Field::MsgId,
                Hole::ParentUuid | Hole::Parent => Field::ParentMsgId,
                Hole::ResourceVersion => Field::ResourceVersion,
                Hole::Resource => Field::Resource,
                Hole::Content => Field::Content,
                Hole::Timestamp => {
                    let mut digits = itoa::Buffer::new();
                    return message.frame().get(place.clone()) == Some(digits.format(message.timestamp().0));
                }
            };
            message.place(field).as_ref() == Some(place)
        })
    }
}

/// What fills a hole.
#[derive(Debug, Clone, Copy)]
enum Filling<'a> {
    Uuid(Uuid),
    Text(&'a str),
    /// The place of a resource among those that are known.
    Resource(usize),
    Number(i64),
    Filler(usize),
}

/// Reads messages of one block.
#[derive(Debug)]
pub(super) struct MessageReader {
    kept: bool,
    templates: Defined<Template>,
    resources: Defined<Box<str>>,
}

impl MessageReader {
    pub(super) fn new(kept: bool) -> MessageReader {
        MessageReader { kept, templates: Defined::default(), resources: Defined::default() }
    }

    /// The next message, with the hash of its content where only that was kept.
    pub(super) fn read(
        &mut self,
        cursor: &mut Cursor<'_>,
        wall: UnixMillis,
    ) -> Result<(Message, Option<u64>), Broken> {
        let template = self.templates.read(cursor, Template::read)?;
        let (mut hash, mut timestamp, mut plain) = (None, None, true);
        let mut fillings = [Filling::Filler(0); HOLES_MAX];
        let mut bytes = template.bytes;
        for (filling, (_, hole)) in fillings.iter_mut().zip(&template.pieces) {
            let (read, length) = match hole {
                Hole::MsgIdUuid | Hole::ParentUuid => {
                    (Filling::Uuid(Uuid::from_bits(u128::from_be_bytes(cursor.array()?))), 36)
                }
                Hole::MsgId | Hole::Parent | Hole::ResourceVersion => {
                    let text = cursor.text()?;
                    plain &= is_plain(text);
                    (Filling::Text(text), text.len())
                }
                Hole::Resource => {
                    let (at, text) = self.resources.read_at(cursor, |cursor| cursor.text().map(Box::from))?;
                    plain &= is_plain(text);
                    (Filling::Resource(at), text.len())
                }
                Hole::Timestamp => {
                    let number = wall.0.wrapping_add(cursor.signed()?);
                    timestamp = Some(number);
                    (Filling::Number(number), itoa::Buffer::new().format(number).len())
                }
                Hole::Content if self.kept => {
                    // Whatever it is, it has to be read to be believed.
                    plain = false;
                    let text = cursor.text()?;
                    (Filling::Text(text), text.len())
                }
                Hole::Content => {
                    let bytes: usize = cursor.narrow()?;
                    if bytes > FRAME_BYTES_MAX {
                        return Err(Broken("a content larger than any frame"));
                    }
                    // An empty text is no JSON.
                    plain &= bytes > 0;
                    hash = Some(u64::from_le_bytes(cursor.array()?));
                    (Filling::Filler(bytes), bytes)
                }
            };
            *filling = read;
            bytes += length;
        }
        let mut frame = String::with_capacity(bytes);
        let mut places = [const { 0..0 }; HOLES_MAX];
        for ((text, _), (filling, place)) in template.pieces.iter().zip(fillings.iter().zip(&mut places)) {
            frame.push_str(text);
            let start = frame.len();
            match filling {
                Filling::Uuid(uuid) => frame.push_str(uuid.as_str()),
                Filling::Text(text) => frame.push_str(text),
                Filling::Resource(at) => frame.push_str(self.resources.at(*at).map_or("", |text| text)),
                Filling::Number(number) => frame.push_str(itoa::Buffer::new().format(*number)),
                Filling::Filler(bytes) => push_filler(&mut frame, *bytes),
            }
            *place = start..frame.len();
        }
        frame.push_str(&template.rest);
        let places = places.get(..template.pieces.len()).unwrap_or_default();
        if let Some(pattern) = template.pattern.as_ref().filter(|_| plain) {
            match pattern.message(frame, places, timestamp) {
                Ok(message) => return Ok((message, hash)),
                Err(unread) => frame = unread,
            }
        }
        let whole = frame.len();
        let message = Message::decode(frame).map_err(|_| Broken("a message that is none"))?;
        if plain && template.pattern.is_none() && message.bytes() == whole && template.holds(&message, places)
        {
            template.pattern = Pattern::of(&message, places);
        }
        Ok((message, hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Content, Draft};
    use proptest::prelude::*;

    const WALL: UnixMillis = UnixMillis(1_700_000_000_000);

    fn round_trip(messages: &[Message], rule: ContentRule) -> Vec<Message> {
        let (mut writer, mut out) = (MessageWriter::new(7), Vec::new());
        for message in messages {
            writer.put(&mut out, message, WALL, rule);
        }
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
        assert_eq!(round_trip(&messages, ContentRule::Hash(3)), redacted);
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
            writer.put(&mut out, &draft.encode().unwrap(), WALL, ContentRule::Hash(5));
        }
        assert!(out.len() < 100 * 32, "{} bytes", out.len());
        assert!(!out.windows(7).any(|window| window == b"hunter2"));
        assert_eq!(writer.begin().len(), 100);
    }

    proptest! {
        #[test]
        fn any_draft_comes_back(
            ids in prop::array::uniform2(prop_oneof![".{0,5}", "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"]),
            timestamp in any::<i64>(), sync in any::<bool>(), resource in ".{0,9}", text in ".{0,20}",
        ) {
            let draft = Draft {
                msg_id: &ids[0], parent_msg_id: &ids[1], timestamp: UnixMillis(timestamp), sync,
                resource: &resource, resource_version: &text, content: Content::Text(&text), ..Draft::default()
            };
            let message = draft.encode().unwrap();
            let messages = [message.clone(), message];
            prop_assert_eq!(&round_trip(&messages, ContentRule::Keep)[..], &messages);
            let redacted = messages.each_ref().map(|message| message.redacted());
            prop_assert_eq!(&round_trip(&messages, ContentRule::Hash(1))[..], &redacted);
        }
    }
}
