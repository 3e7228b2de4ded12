//! Writes new messages.

use super::decode::{Unknown, check_content, unknown_members};
use super::{Field, Index, Message, Span, operation, text};
use crate::limits::{FIELD_BYTES_MAX, FRAME_BYTES_MAX, NESTING_DEPTH_MAX};
use crate::time::UnixMillis;
use crate::violation::Violation;
use alloc::string::String;
use bytestring::ByteString;
use serde_json::value::RawValue;

/// The content of a message to be written.
#[derive(Debug, Clone, Copy, Default)]
pub enum Content<'a> {
    /// JSON's `null`.
    #[default]
    Null,
    /// A text; it is escaped on the way out.
    Text(&'a str),
    /// Any JSON document, passed on byte for byte.
    Json(&'a RawValue),
}

impl Content<'_> {
    /// Its length in a frame, if nothing in it needs an escape.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Content::Null => 4,
            Content::Text(text) => text.len() + 2,
            Content::Json(raw) => raw.get().len(),
        }
    }
}

/// Appends a content to a frame that has come so far.
pub(super) fn write_content(
    content: Content<'_>,
    frame: &mut String,
    index: &mut Index,
) -> Result<(), Violation> {
    let start = frame.len();
    match content {
        Content::Null => frame.push_str("null"),
        Content::Text(text) => {
            frame.push('"');
            text::escape(text, frame);
            frame.push('"');
        }
        Content::Json(raw) => {
            // Without so many brackets it cannot be too deep, and counting them costs next to nothing.
            let brackets = raw.get().bytes().filter(|byte| matches!(byte, b'[' | b'{')).count();
            if brackets >= NESTING_DEPTH_MAX as usize {
                check_content(raw.get())?;
            }
            frame.push_str(raw.get());
        }
    }
    // A frame has at most 32 MiB, or is refused.
    index.content = (start as u32, frame.len() as u32);
    Ok(())
}

/// A message to be written: its fields by name. Empty fields are left out of the frame.
///
/// ```
/// use edgehub_core::{Content, Draft, UnixMillis};
/// let message = Draft {
///     msg_id: "1",
///     timestamp: UnixMillis(7),
///     source: "edged",
///     group: "meta",
///     operation: "query",
///     resource: "default/configmap/cm",
///     ..Draft::default()
/// }
/// .encode()?;
/// assert_eq!(
///     &**message.frame(),
///     r#"{"header":{"msg_id":"1","timestamp":7},"route":{"source":"edged","group":"meta","operation":"query","resource":"default/configmap/cm"},"content":null}"#,
/// );
/// # Ok::<_, edgehub_core::Violation>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Draft<'a> {
    /// `header.msg_id`
    pub msg_id: &'a str,
    /// `header.parent_msg_id`
    pub parent_msg_id: &'a str,
    /// `header.timestamp`
    pub timestamp: UnixMillis,
    /// `header.resourceversion`
    pub resource_version: &'a str,
    /// `header.sync`
    pub sync: bool,
    /// `header.type`
    pub message_type: &'a str,
    /// `route.source`
    pub source: &'a str,
    /// `route.destination`
    pub destination: &'a str,
    /// `route.group`
    pub group: &'a str,
    /// `route.operation`
    pub operation: &'a str,
    /// `route.resource`
    pub resource: &'a str,
    /// `content`
    pub content: Content<'a>,
}

impl<'a> Draft<'a> {
    /// A response to `request`: its source, group and resource, its id as parent, operation `response`.
    pub fn response_to(request: &'a Message, msg_id: &'a str, timestamp: UnixMillis) -> Draft<'a> {
        Draft {
            msg_id,
            parent_msg_id: request.msg_id(),
            timestamp,
            source: request.source(),
            group: request.group(),
            operation: operation::RESPONSE,
            resource: request.resource(),
            ..Draft::default()
        }
    }

    /// Writes the frame. Fails when a field or the frame is over its limit.
    pub fn encode(&self) -> Result<Message, Violation> {
        self.write(&Unknown::default())
    }

    /// Writes the frame with further members, which may come from a peer: it is read again as a whole.
    pub(crate) fn encode_with(&self, unknown: &Unknown) -> Result<Message, Violation> {
        Message::decode(self.write(unknown)?.frame)
    }

    /// The frame's length, if nothing needs an escape.
    fn estimated_bytes(&self, unknown: &Unknown) -> usize {
        /// Every name, brace, quote and comma, and the longest timestamp.
        const FRAMING_BYTES: usize = 224;
        let header = self.msg_id.len() + self.parent_msg_id.len() + self.resource_version.len();
        let route = self.source.len() + self.destination.len() + self.group.len() + self.operation.len();
        let rest = self.message_type.len() + self.resource.len();
        let kept = unknown.top.len() + unknown.header.len() + unknown.route.len();
        FRAMING_BYTES + header + route + rest + kept + self.content.bytes()
    }

    fn write(&self, unknown: &Unknown) -> Result<Message, Violation> {
        let mut frame = Frame::with_capacity(self.estimated_bytes(unknown));
        frame.index.all_known = unknown.is_empty();
        frame.out.push_str("{\"header\":{\"msg_id\":\"");
        frame.value(Field::MsgId, self.msg_id)?;
        frame.member(Field::ParentMsgId, ",\"parent_msg_id\":\"", self.parent_msg_id)?;
        frame.index.timestamp_ms = self.timestamp.0;
        frame.out.push_str(",\"timestamp\":");
        frame.out.push_str(itoa::Buffer::new().format(self.timestamp.0));
        frame.member(Field::ResourceVersion, ",\"resourceversion\":\"", self.resource_version)?;
        if self.sync {
            frame.index.sync = true;
            frame.out.push_str(",\"sync\":true");
        }
        frame.member(Field::Type, ",\"type\":\"", self.message_type)?;
        frame.out.push_str(&unknown.header);
        frame.out.push_str("},\"route\":{");
        frame.member(Field::Source, ",\"source\":\"", self.source)?;
        frame.member(Field::Destination, ",\"destination\":\"", self.destination)?;
        frame.member(Field::Group, ",\"group\":\"", self.group)?;
        frame.member(Field::Operation, ",\"operation\":\"", self.operation)?;
        frame.member(Field::Resource, ",\"resource\":\"", self.resource)?;
        frame.append_members(&unknown.route);
        frame.out.push_str("},\"content\":");
        write_content(self.content, &mut frame.out, &mut frame.index)?;
        frame.out.push_str(&unknown.top);
        frame.out.push('}');
        frame.finish()
    }
}

/// Every field of a message, to be written again with some of them changed. Members that this version does not know are
/// not among them.
impl<'a> From<&'a Message> for Draft<'a> {
    fn from(message: &'a Message) -> Draft<'a> {
        Draft {
            msg_id: message.msg_id(),
            parent_msg_id: message.parent_msg_id(),
            timestamp: message.timestamp(),
            resource_version: message.resource_version(),
            sync: message.is_sync(),
            message_type: message.message_type(),
            source: message.source(),
            destination: message.destination(),
            group: message.group(),
            operation: message.operation(),
            resource: message.resource(),
            // The scanner accepts exactly what serde_json accepts as a document.
            content: serde_json::from_str::<&RawValue>(message.content())
                .map_or(Content::Null, Content::Json),
        }
    }
}

/// The same message without `sync`, `type` and `destination`.
pub(super) fn without_local_fields(message: &Message) -> Message {
    let draft = Draft { sync: false, message_type: "", destination: "", ..Draft::from(message) };
    // A message is within its limits, and so is the same message without some of its fields.
    draft.write(&unknown_members(&message.frame)).unwrap_or_else(|_| message.clone())
}

/// A frame in the making, with its index.
struct Frame {
    out: String,
    index: Index,
    /// A field's text will stand beside the frame.
    beside: bool,
}

impl Frame {
    fn with_capacity(bytes: usize) -> Frame {
        Frame { out: String::with_capacity(bytes), index: Index::default(), beside: false }
    }

    /// A member of a text value: `start` is everything up to the value, beginning with a comma, which the first one in
    /// an object does not get. Nothing for an empty value.
    fn member(&mut self, field: Field, start: &str, value: &str) -> Result<(), Violation> {
        if value.is_empty() {
            return Ok(());
        }
        self.append_members(start);
        self.value(field, value)
    }

    /// The value of a member, with its closing quote.
    fn value(&mut self, field: Field, value: &str) -> Result<(), Violation> {
        if value.len() > FIELD_BYTES_MAX {
            return Err(Violation::FieldTooLong { field, bytes: value.len() });
        }
        let span = if text::is_plain(value) { Span::in_frame(self.out.len(), value.len()) } else { None };
        match span {
            Some(span) => {
                self.index.spans[field as usize] = span;
                self.out.push_str(value);
            }
            None => {
                self.beside = true;
                text::escape(value, &mut self.out);
            }
        }
        self.out.push('"');
        Ok(())
    }

    /// Members that each begin with a comma, which the first one in an object must not have.
    fn append_members(&mut self, members: &str) {
        let is_first = self.out.as_bytes().last() == Some(&b'{');
        self.out.push_str(if is_first { members.get(1..).unwrap_or_default() } else { members });
    }

    fn finish(self) -> Result<Message, Violation> {
        if self.out.len() > FRAME_BYTES_MAX {
            return Err(Violation::FrameTooLarge { bytes: self.out.len() });
        }
        let frame = ByteString::from(self.out);
        if self.beside {
            // The decoder knows what to do with such a field.
            return Message::decode(frame);
        }
        Ok(Message { frame, beside: None, index: self.index })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn local_fields_do_not_reach_the_link() {
        let frame = r#"{"z":1,"header":{"msg_id":"1","timestamp":7,"sync":true,"type":"channel","new":[2]},"route":{"destination":"websocket","x":"y","group":"meta"},"content":{"a" : 1}}"#;
        let sent = Message::decode(frame).unwrap().into_link_form();
        assert_eq!(
            &**sent.frame(),
            r#"{"header":{"msg_id":"1","timestamp":7,"new":[2]},"route":{"group":"meta","x":"y"},"content":{"a" : 1},"z":1}"#
        );
        let same = Message::decode(r#"{"content":  7 }"#).unwrap();
        assert_eq!(same.clone().into_link_form(), same, "nothing local: handed on as it is");
    }

    #[test]
    fn unknown_route_members_alone_are_well_formed() {
        let sent =
            Message::decode(r#"{"header":{"sync":true},"route":{"x":1,"y":2}}"#).unwrap().into_link_form();
        assert_eq!(
            &**sent.frame(),
            r#"{"header":{"msg_id":"","timestamp":0},"route":{"x":1,"y":2},"content":null}"#
        );
    }

    #[test]
    fn limits_are_exact() {
        let long = "x".repeat(FIELD_BYTES_MAX + 1);
        let with_resource = |resource| Draft { resource, ..Draft::default() }.encode();
        assert_eq!(with_resource(&long[1..]).unwrap().resource(), &long[1..]);
        let refused = Violation::FieldTooLong { field: Field::Resource, bytes: FIELD_BYTES_MAX + 1 };
        assert_eq!(with_resource(&long).unwrap_err(), refused);

        let empty = Draft { content: Content::Text(""), ..Draft::default() }.encode().unwrap().bytes();
        let content = "x".repeat(FRAME_BYTES_MAX + 1 - empty);
        let sized = |text| Draft { content: Content::Text(text), ..Draft::default() }.encode();
        assert_eq!(sized(&content[1..]).unwrap().bytes(), FRAME_BYTES_MAX);
        assert_eq!(sized(&content).unwrap_err(), Violation::FrameTooLarge { bytes: FRAME_BYTES_MAX + 1 });
    }

    /// What nobody would read is not written.
    #[test]
    fn a_content_is_no_deeper_than_a_frame_may_be() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        let written = |content: &str| {
            let raw: &RawValue = serde_json::from_str(content).unwrap();
            Draft { content: Content::Json(raw), ..Draft::default() }.encode()
        };
        // The frame's own object is one level.
        let most = NESTING_DEPTH_MAX as usize - 1;
        let frame = written(&nested(most)).unwrap();
        assert!(Message::decode(frame.frame().clone()).is_ok());
        let at = most;
        assert_eq!(written(&nested(most + 1)).unwrap_err(), Violation::NestingTooDeep { at });
        let wide = String::from("[") + &"[],".repeat(300) + "1]";
        assert!(written(&wide).is_ok(), "many brackets are not deep");
    }

    proptest! {
        /// The index made while writing equals the one made by reading.
        #[test]
        fn reading_what_was_written(
            ids in prop::array::uniform4(".{0,12}"), route in prop::array::uniform5("[a-z/\"é]{0,9}"),
            timestamp in any::<i64>(), sync in any::<bool>(), text in ".{0,40}",
        ) {
            let draft = Draft {
                msg_id: &ids[0], parent_msg_id: &ids[1], resource_version: &ids[2], message_type: &ids[3],
                timestamp: UnixMillis(timestamp), sync,
                source: &route[0], destination: &route[1], group: &route[2], operation: &route[3], resource: &route[4],
                content: Content::Text(&text),
            };
            let written = draft.encode().unwrap();
            let read = Message::decode(written.frame().clone()).unwrap();
            prop_assert!(written.is_indexed_like(&read));
            for message in [&written, &read] {
                prop_assert_eq!(message.msg_id(), &ids[0]);
                prop_assert_eq!(message.parent_msg_id(), &ids[1]);
                prop_assert_eq!(message.resource_version(), &ids[2]);
                prop_assert_eq!(message.message_type(), &ids[3]);
                prop_assert_eq!(message.timestamp(), UnixMillis(timestamp));
                prop_assert_eq!(message.is_sync(), sync);
                prop_assert_eq!(message.source(), &route[0]);
                prop_assert_eq!(message.destination(), &route[1]);
                prop_assert_eq!(message.group(), &route[2]);
                prop_assert_eq!(message.operation(), &route[3]);
                prop_assert_eq!(message.resource(), &route[4]);
                prop_assert_eq!(&serde_json::from_str::<String>(message.content()).unwrap(), &text);
            }
            serde_json::from_str::<serde_json::Value>(written.frame()).unwrap();
        }
    }
}
