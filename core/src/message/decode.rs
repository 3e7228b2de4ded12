//! Makes the index of a frame, as liberal as the peers' own decoder.
//!
//! Go's `encoding/json` decides what a real peer may send: keys match without regard to case, of two equal keys the
//! last counts (and two `header` objects merge), `null` leaves a field as it was, and what follows the first document
//! is ignored. A wrong type is an error, there and here.

use super::scan::{Literal, Scanner};
use super::{Field, Index, Message, Span, text};
use crate::limits::{FIELD_BYTES_MAX, FRAME_BYTES_MAX};
use crate::violation::Violation;
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use bytestring::ByteString;
use core::ops::Range;

pub(super) fn decode(mut frame: ByteString) -> Result<Message, Violation> {
    if frame.len() > FRAME_BYTES_MAX {
        return Err(Violation::FrameTooLarge { bytes: frame.len() });
    }
    let mut walk = Walk::new(&frame, None);
    let (start, end) = walk.document()?;
    // A frame that is cut needs its index made again.
    if start > 0 || end < frame.len() {
        frame = ByteString::try_from(frame.as_bytes().slice(start..end)).map_err(|_| Violation::NotUtf8)?;
        walk = Walk::new(&frame, None);
        walk.document()?;
    }
    let (index, beside) = walk.finish();
    Ok(Message { frame, beside, index })
}

/// Members that no field of this version claims, each as `,"key":value`, by the object they stand in.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Unknown {
    pub(crate) top: String,
    pub(crate) header: String,
    pub(crate) route: String,
}

impl Unknown {
    pub(super) fn is_empty(&self) -> bool {
        [&self.top, &self.header, &self.route].into_iter().all(String::is_empty)
    }
}

/// The unknown members of a frame that is known to be well formed.
pub(super) fn unknown_members(frame: &str) -> Unknown {
    let mut unknown = Unknown::default();
    let mut walk = Walk::new(frame, Some(&mut unknown));
    // Decoded before, so it cannot fail now; if it did, nothing more would be found.
    let _ = walk.document();
    unknown
}

/// Checks that a text is one JSON document, no deeper than a content may be.
pub(crate) fn check_content(text: &str) -> Result<(), Violation> {
    let mut scanner = Scanner::new(text);
    scanner.skip_value(depth_in(Object::Top))?;
    match scanner.peek() {
        Ok(_) => Err(Violation::NotJson { at: scanner.at() }),
        Err(_) => Ok(()),
    }
}

/// The values of a well-formed frame that only its receiver understands: contents and unknown members.
pub(super) fn opaque_values(frame: &str) -> Vec<Range<usize>> {
    let mut opaque = Vec::new();
    let mut walk = Walk::new(frame, None);
    walk.opaque = Some(&mut opaque);
    let _ = walk.document();
    opaque
}

#[derive(Clone, Copy)]
enum Object {
    Top,
    Header,
    Route,
}

struct Walk<'a> {
    text: &'a str,
    scanner: Scanner<'a>,
    index: Index,
    /// Text fields that the frame does not hold as they are, or that are out of reach; most frames have none.
    beside: Vec<(Field, Literal)>,
    unknown: Option<&'a mut Unknown>,
    /// Where every content and every unknown member has its value, overridden ones included.
    opaque: Option<&'a mut Vec<Range<usize>>>,
}

impl<'a> Walk<'a> {
    fn new(text: &'a str, unknown: Option<&'a mut Unknown>) -> Walk<'a> {
        let (index, beside) = (Index { all_known: true, ..Index::default() }, Vec::new());
        Walk { text, scanner: Scanner::new(text), index, beside, unknown, opaque: None }
    }

    /// The document; returns where it begins and ends.
    fn document(&mut self) -> Result<(usize, usize), Violation> {
        match self.scanner.peek() {
            Ok(b'{') => {}
            Ok(_) => {
                self.scanner.skip_value(0)?;
                return Err(Violation::NotAnObject);
            }
            Err(_) => return Err(Violation::Empty),
        }
        let start = self.scanner.at();
        self.members(Object::Top)?;
        Ok((start, self.scanner.at()))
    }

    fn members(&mut self, object: Object) -> Result<(), Violation> {
        self.scanner.expect(b'{')?;
        let mut first = true;
        while let Some(key) = self.scanner.key(first)? {
            first = false;
            match field_of(object, &self.literal(key)) {
                Some(field) => self.value_of(field)?,
                None => {
                    self.scanner.peek()?;
                    let value = self.scanner.at();
                    self.scanner.skip_value(depth_in(object))?;
                    self.index.all_known = false;
                    self.keep_unknown(object, key, value);
                    self.keep_opaque(value);
                }
            }
        }
        Ok(())
    }

    fn value_of(&mut self, field: Field) -> Result<(), Violation> {
        let next = self.scanner.peek()?;
        if next == b'n' && field != Field::Content {
            return self.scanner.word(b"null");
        }
        let start = self.scanner.at();
        match (field, next) {
            (Field::Header, b'{') => self.members(Object::Header),
            (Field::Route, b'{') => self.members(Object::Route),
            (Field::Content, _) => {
                self.scanner.skip_value(depth_in(Object::Top))?;
                self.index.all_known &= self.index.content == (0, 0);
                // Frames are at most 32 MiB: 32 bits hold every position.
                self.index.content = (start as u32, self.scanner.at() as u32);
                self.keep_opaque(start);
                Ok(())
            }
            (Field::Sync, b't') => self.scanner.word(b"true").map(|()| self.index.sync = true),
            (Field::Sync, b'f') => self.scanner.word(b"false").map(|()| self.index.sync = false),
            (Field::Timestamp, b'-' | b'0'..=b'9') => {
                self.scanner.skip_value(depth_in(Object::Header))?;
                let number = &self.text[start..self.scanner.at()];
                self.index.timestamp_ms = number.parse().map_err(|_| Violation::WrongType { field })?;
                Ok(())
            }
            (Field::Header | Field::Route | Field::Sync | Field::Timestamp, _) => {
                Err(Violation::WrongType { field })
            }
            (_, b'"') => self.text_field(field),
            _ => Err(Violation::WrongType { field }),
        }
    }

    fn text_field(&mut self, field: Field) -> Result<(), Violation> {
        let literal = self.scanner.string()?;
        let bytes = if literal.escaped { self.literal(literal).len() } else { literal.end - literal.start };
        if bytes > FIELD_BYTES_MAX {
            return Err(Violation::FieldTooLong { field, bytes });
        }
        // Of equal keys only the last one counts.
        if !self.beside.is_empty() {
            self.beside.retain(|(other, _)| *other != field);
        }
        let here = if literal.escaped { None } else { Span::in_frame(literal.start, bytes) };
        match here {
            Some(span) => self.index.spans[field as usize] = span,
            None => self.beside.push((field, literal)),
        }
        Ok(())
    }

    /// The index, and the texts that the frame does not hold as they are.
    fn finish(mut self) -> (Index, Option<Box<str>>) {
        let mut texts = String::new();
        for &(field, literal) in &self.beside {
            let start = texts.len();
            texts.push_str(&self.literal(literal));
            // Always in reach, as asserted beside `Span`.
            self.index.spans[field as usize] = Span::beside(start, texts.len() - start).unwrap_or_default();
        }
        (self.index, (!texts.is_empty()).then(|| texts.into_boxed_str()))
    }

    fn literal(&self, literal: Literal) -> Cow<'a, str> {
        let raw = &self.text[literal.start..literal.end];
        if !literal.escaped {
            return Cow::Borrowed(raw);
        }
        let mut text = String::new();
        text::unescape(raw, &mut text);
        Cow::Owned(text)
    }

    fn keep_opaque(&mut self, start: usize) {
        if let Some(opaque) = &mut self.opaque {
            opaque.push(start..self.scanner.at());
        }
    }

    fn keep_unknown(&mut self, object: Object, key: Literal, value: usize) {
        let Some(unknown) = &mut self.unknown else { return };
        let kept = match object {
            Object::Top => &mut unknown.top,
            Object::Header => &mut unknown.header,
            Object::Route => &mut unknown.route,
        };
        kept.push_str(",\"");
        kept.push_str(&self.text[key.start..key.end]);
        kept.push_str("\":");
        kept.push_str(&self.text[value..self.scanner.at()]);
    }
}

/// Levels of nesting that are open around a member's value.
fn depth_in(object: Object) -> u32 {
    match object {
        Object::Top => 1,
        Object::Header | Object::Route => 2,
    }
}

fn field_of(object: Object, key: &str) -> Option<Field> {
    let known: &[(&str, Field)] = match object {
        Object::Top => &[("header", Field::Header), ("route", Field::Route), ("content", Field::Content)],
        Object::Header => &[
            ("msg_id", Field::MsgId),
            ("timestamp", Field::Timestamp),
            ("parent_msg_id", Field::ParentMsgId),
            ("resourceversion", Field::ResourceVersion),
            ("sync", Field::Sync),
            ("type", Field::Type),
        ],
        Object::Route => &[
            ("source", Field::Source),
            ("group", Field::Group),
            ("operation", Field::Operation),
            ("resource", Field::Resource),
            ("destination", Field::Destination),
        ],
    };
    known.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|&(_, field)| field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    fn check(frame: &str, expected: Result<(&str, &str, &str), Violation>) {
        let found = Message::decode(frame);
        match (&found, expected) {
            (Ok(message), Ok(fields)) => {
                assert_eq!((message.msg_id(), message.group(), message.content()), fields, "{frame}");
            }
            (Err(violation), Err(wanted)) => assert_eq!(*violation, wanted, "{frame}"),
            _ => panic!("{frame}: {found:?}"),
        }
    }

    #[test]
    fn is_as_liberal_as_go() {
        check(r#"{"header":{"msg_id":"1"},"route":{"group":"g"},"content":"c"}"#, Ok(("1", "g", r#""c""#)));
        check("{}", Ok(("", "", "null")));
        check(r#"{"HEADER":{"Msg_ID":"1"},"Route":{"gROUP":"g"}}"#, Ok(("1", "g", "null")));
        check(r#"{"header":{"msg_id":"1","msg_id":"2"},"content":1,"content":2}"#, Ok(("2", "", "2")));
        check(
            r#"{"route":{"group":"g"},"header":{"msg_id":"1"},"route":{"source":"s"}}"#,
            Ok(("1", "g", "null")),
        );
        check(
            r#"{"header":{"msg_id":null,"sync":null,"timestamp":null},"route":null,"content":null}"#,
            Ok(("", "", "null")),
        );
        check(
            r#"{"header":{"msg_id":"\u0061\"b"},"route":{"\u0067roup":"\u003c"}}"#,
            Ok(("a\"b", "<", "null")),
        );
        check("  {\"header\":{\"msg_id\":\"\\u0031\"}}\n", Ok(("1", "", "null")));
        check(r#"{"header":{"msg_id":"1"}}{"header":{"msg_id":"2"}}"#, Ok(("1", "", "null")));
        check(r#"{"header":{"msg_id":"1"}} rubbish"#, Ok(("1", "", "null")));
    }

    #[test]
    fn every_violation_has_its_name() {
        check("", Err(Violation::Empty));
        check(" \n", Err(Violation::Empty));
        check("[]", Err(Violation::NotAnObject));
        check("null", Err(Violation::NotAnObject));
        check("{", Err(Violation::Truncated));
        check(r#"{"header":{"msg_id":"1"}"#, Err(Violation::Truncated));
        check(r#"{"header":{"msg_id":1}}"#, Err(Violation::WrongType { field: Field::MsgId }));
        check(r#"{"header":7}"#, Err(Violation::WrongType { field: Field::Header }));
        check(r#"{"route":[]}"#, Err(Violation::WrongType { field: Field::Route }));
        check(r#"{"header":{"timestamp":1.5}}"#, Err(Violation::WrongType { field: Field::Timestamp }));
        check(r#"{"header":{"sync":"yes"}}"#, Err(Violation::WrongType { field: Field::Sync }));
        check("{'a':1}", Err(Violation::NotJson { at: 1 }));
        check("{\"a\":1,}", Err(Violation::NotJson { at: 7 }));
        check(r#"{"header":{"sync":fals}}"#, Err(Violation::NotJson { at: 22 }));
        assert_eq!(Message::decode_bytes(bytes::Bytes::from_static(b"\xff")), Err(Violation::NotUtf8));
    }

    /// Every way in which a frame can end too early, or a member be broken, at every level.
    #[test]
    fn a_frame_cut_anywhere_is_truncated() {
        let frame = r#"{"header":{"msg_id":"\u0031\n","timestamp":-12,"sync":false,"new":[{"a":1.5e-3}]},"route":{"group":"g","x":null},"content":{"k":true}}"#;
        assert!(!Message::decode(frame).unwrap().is_sync());
        for end in 1..frame.len() {
            check(&frame[..end], Err(Violation::Truncated));
        }
    }

    #[test]
    fn what_is_not_json_is_named_where_it_begins() {
        check(r#"{"content":"\x"}"#, Err(Violation::NotJson { at: 13 }));
        check(r#"{"content":"\u00g0"}"#, Err(Violation::NotJson { at: 16 }));
        check("{\"content\":\"\u{1}\"}", Err(Violation::NotJson { at: 12 }));
        check(r#"{"content":-}"#, Err(Violation::NotJson { at: 12 }));
        check(r#"{"header" 1}"#, Err(Violation::NotJson { at: 10 }));
        check(r#"{"header":{"msg_id" 1}}"#, Err(Violation::NotJson { at: 20 }));
        check(r#"{"header":{"msg_id":"1" "type":"2"}}"#, Err(Violation::NotJson { at: 24 }));
        check(r#"{"new":[1 2]}"#, Err(Violation::NotJson { at: 10 }));
        check(r#"{"new":{"a":1 "b":2}}"#, Err(Violation::NotJson { at: 14 }));
    }

    #[test]
    fn limits_are_exact() {
        let with_id = |bytes: usize| format!(r#"{{"header":{{"msg_id":"{}"}}}}"#, "x".repeat(bytes));
        assert!(Message::decode(with_id(FIELD_BYTES_MAX)).is_ok());
        assert_eq!(
            Message::decode(with_id(FIELD_BYTES_MAX + 1)),
            Err(Violation::FieldTooLong { field: Field::MsgId, bytes: FIELD_BYTES_MAX + 1 })
        );
        let sized = |bytes: usize| format!(r#"{{"content":"{}"}}"#, "x".repeat(bytes - 14));
        assert!(Message::decode(sized(FRAME_BYTES_MAX)).is_ok());
        assert_eq!(
            Message::decode(sized(FRAME_BYTES_MAX + 1)),
            Err(Violation::FrameTooLarge { bytes: FRAME_BYTES_MAX + 1 })
        );
    }

    #[test]
    fn unknown_members_are_kept_as_they_stand() {
        let frame = r#"{"x": [1, 2],"header":{"msg_id":"1","new":{"a":1}},"route":{"via":"y"},"content":0}"#;
        let unknown = unknown_members(frame);
        assert_eq!(
            (unknown.top.as_str(), unknown.header.as_str(), unknown.route.as_str()),
            (r#","x":[1, 2]"#, r#","new":{"a":1}"#, r#","via":"y""#)
        );
    }

    #[test]
    fn all_members_are_known_or_not() {
        let check = |frame: &str, around: Option<(&str, &str)>| {
            let message = Message::decode(frame).unwrap();
            let expected = around.map(|(before, behind)| (before.as_bytes(), behind.as_bytes()));
            assert_eq!(message.around_content(), expected, "{frame}");
            let redacted = message.redacted();
            assert_eq!(redacted.around_content(), expected, "{frame}");
            assert_eq!(message.unknown_members(), unknown_members(frame), "{frame}");
        };
        check(
            r#"{"content":[7],"route":{"group":"g"}}"#,
            Some((r#"{"content":"#, r#","route":{"group":"g"}}"#)),
        );
        check(
            r#"{"header":{"msg_id":"\u0031"},"header":{"sync":true},"route":null}"#,
            Some(("", r#"{"header":{"msg_id":"\u0031"},"header":{"sync":true},"route":null}"#)),
        );
        check(r#"{"content":7,"content":8}"#, None);
        check(r#"{"new":null}"#, None);
        check(r#"{"header":{"new":1},"content":7}"#, None);
        check(r#"{"route":{"new":1},"content":7}"#, None);
    }

    #[test]
    fn fields_behind_a_long_content_are_found() {
        for content in [65_000, 65_500, 65_535, 65_536, 70_000] {
            let frame = format!(
                r#"{{"content":"{}","header":{{"msg_id":"id","parent_msg_id":"a\"b"}},"route":{{"group":"twin"}}}}"#,
                "x".repeat(content)
            );
            let message = Message::decode(frame).unwrap();
            let fields = (message.msg_id(), message.parent_msg_id(), message.group(), message.source());
            assert_eq!(fields, ("id", "a\"b", "twin", ""));
            assert_eq!(message.content().len(), content + 2);
        }
    }

    #[test]
    fn only_the_last_of_equal_keys_takes_room_beside_the_frame() {
        let again = r#""msg_id":"\u0041","#.repeat(100_000);
        let message = Message::decode(format!(r#"{{"header":{{{again}"msg_id":"\u0042"}}}}"#)).unwrap();
        assert_eq!((message.msg_id(), message.beside.as_deref()), ("B", Some("B")));
    }
}
