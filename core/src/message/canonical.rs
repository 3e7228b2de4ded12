//! Whether a frame is as this version would write it: then every byte of it belongs to a known field.

use super::{Field, Message};

/// Whether the frame is what a [`Draft`](super::Draft) with its fields writes, as frames of all known peers are. Then there is no member
/// that this version does not know.
pub(super) fn is_canonical(message: &Message) -> bool {
    if message.beside.is_some() {
        return false;
    }
    let mut time = itoa::Buffer::new();
    let mut walk = Walk { message, rest: message.frame.as_bytes() };
    walk.literal("{\"header\":{\"msg_id\":\"")
        && walk.value(Field::MsgId)
        && walk.member(Field::ParentMsgId, ",\"parent_msg_id\":\"")
        && walk.literal(",\"timestamp\":")
        && walk.literal(time.format(message.index.timestamp_ms))
        && walk.member(Field::ResourceVersion, ",\"resourceversion\":\"")
        && (!message.is_sync() || walk.literal(",\"sync\":true"))
        && walk.member(Field::Type, ",\"type\":\"")
        && walk.route()
        && walk.literal("},\"content\":")
        && walk.literal(message.content())
        && walk.rest == b"}"
}

struct Walk<'a> {
    message: &'a Message,
    rest: &'a [u8],
}

impl Walk<'_> {
    fn literal(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text.as_bytes()) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// A field's text and the quote behind it.
    fn value(&mut self, field: Field) -> bool {
        let text = self.message.field(field);
        self.literal(text) && self.literal("\"")
    }

    /// A member, if it is not empty.
    fn member(&mut self, field: Field, start: &str) -> bool {
        self.message.field(field).is_empty() || (self.literal(start) && self.value(field))
    }

    fn route(&mut self) -> bool {
        let mut start = "},\"route\":{";
        for (field, name) in [
            (Field::Source, "\"source\":\""),
            (Field::Destination, "\"destination\":\""),
            (Field::Group, "\"group\":\""),
            (Field::Operation, "\"operation\":\""),
            (Field::Resource, "\"resource\":\""),
        ] {
            if !self.message.field(field).is_empty() {
                if !(self.literal(start) && self.literal(name) && self.value(field)) {
                    return false;
                }
                start = ",";
            }
        }
        start == "," || self.literal(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::decode::{Unknown, unknown_members};
    use crate::message::{Content, Draft};
    use crate::time::UnixMillis;
    use proptest::prelude::*;
    use std::format;
    use std::string::{String, ToString};

    fn check(frame: &str, canonical: bool) {
        let message = Message::decode(frame.to_string()).unwrap();
        assert_eq!(is_canonical(&message), canonical, "{frame}");
    }

    #[test]
    fn a_frame_of_another_form_is_none() {
        let plain = r#"{"header":{"msg_id":"1","timestamp":7},"route":{},"content":null}"#;
        check(plain, true);
        check(r#"{"header":{"msg_id":"1","timestamp":7},"route":{},"content":{"a" : 1}}"#, true);
        check("{}", false);
        check(&plain.replace(":7", ": 7"), false);
        check(&plain.replace(":7", ":07").replace(":07", ":-0"), false);
        check(&plain.replace("\"1\"", "\"\\u0031\""), false);
        // As long as if it had a time of its own.
        check(r#"{"header":{"msg_id":"1","x":"1234567"},"route":{},"content":1}"#, false);
        check(&plain.replace("{}", r#"{"x":1}"#), false);
        check(&plain.replace("null}", "null,\"x\":1}"), false);
    }

    proptest! {
        #[test]
        fn what_is_written_is_canonical(
            ids in prop::array::uniform4("[a-z]{0,9}"), route in prop::array::uniform5("[a-z/]{0,9}"),
            time in any::<i64>(), sync in any::<bool>(), text in ".{0,9}", more in prop::option::of("[a-z]{1,9}"),
        ) {
            let draft = Draft {
                msg_id: &ids[0], parent_msg_id: &ids[1], resource_version: &ids[2], message_type: &ids[3],
                timestamp: UnixMillis(time), sync, source: &route[0], destination: &route[1], group: &route[2],
                operation: &route[3], resource: &route[4], content: Content::Text(&text),
            };
            let members = more.map(|more| format!(",\"new-{more}\":1")).unwrap_or_default();
            for place in 0..3 {
                let mut unknown = Unknown::default();
                *[&mut unknown.top, &mut unknown.header, &mut unknown.route][place] = String::from(&*members);
                let message = draft.encode_with(&unknown).unwrap();
                prop_assert_eq!(is_canonical(&message), members.is_empty());
                prop_assert_eq!(message.unknown_members(), unknown_members(message.frame()));
            }
        }
    }
}
