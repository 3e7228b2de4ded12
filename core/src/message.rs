//! One message of the protocol: a frame, and an index of it.
//!
//! A [`Message`] *is* the JSON text that travels on the link, together with the positions of its header and route
//! fields. Reading a field is a slice; passing a message on unchanged costs nothing; the content and any field this
//! version does not know are carried byte for byte, because nobody ever takes them apart.
//!
//! - `scan` walks JSON without building anything;
//! - `decode` makes the index, as liberal in its input as Go's `encoding/json`;
//! - `encode` writes new messages from a [`Draft`], `stencil` many of one route, `sheet` keeps their frames together;
//! - `text` holds JSON's string escapes;
//! - `pattern` makes indexes of frames that differ in known places only.
//!
//! Shape and field names: `beehive/pkg/core/model/message.go` of KubeEdge, and the recorded conversations.

mod decode;
mod encode;
mod pattern;
mod redact;
mod scan;
mod sheet;
mod stencil;
mod subject;
mod text;

pub use encode::{Content, Draft};
pub use stencil::{Route, Stencil};

pub(crate) use decode::{Unknown, check_content};
pub(crate) use pattern::Pattern;
pub(crate) use redact::{push_filler, redacted_text};
pub(crate) use text::{escape, is_plain, unescape};

use crate::limits::FIELD_BYTES_MAX;
use crate::time::UnixMillis;
use crate::violation::Violation;
use alloc::boxed::Box;
use bytes::Bytes;
use bytestring::ByteString;
use core::fmt;
use core::ops::Range;
use serde::{Deserialize, Serialize};

/// The operation names that the protocol itself gives a meaning to.
pub mod operation {
    /// Answers the message whose id is the parent id.
    pub const RESPONSE: &str = "response";
    /// Answers it with a failure.
    pub const ERROR: &str = "error";
    /// Sent by the edge every heartbeat.
    pub const KEEPALIVE: &str = "keepalive";
    /// Tells modules that the link came or went.
    pub const CONNECT: &str = "connect";
    /// Asks for an object.
    pub const QUERY: &str = "query";
    /// Link control, answered by the receiver and routed nowhere (`viaduct/pkg/mux`).
    pub const LINK_CONTROL: [&str; 3] = ["ping", "pong", "config"];
}

/// A text field of a message's header or route, or the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Field {
    /// `header.msg_id`
    MsgId,
    /// `header.parent_msg_id`
    ParentMsgId,
    /// `header.resourceversion`
    ResourceVersion,
    /// `header.type`
    Type,
    /// `route.source`
    Source,
    /// `route.destination`
    Destination,
    /// `route.group`
    Group,
    /// `route.operation`
    Operation,
    /// `route.resource`
    Resource,
    /// `content`
    Content,
    /// `header.timestamp`
    Timestamp,
    /// `header.sync`
    Sync,
    /// `header`
    Header,
    /// `route`
    Route,
}

/// Fields that have a place in the index: the texts.
const INDEXED: usize = Field::Resource as usize + 1;

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Field::MsgId => "header.msg_id",
            Field::ParentMsgId => "header.parent_msg_id",
            Field::ResourceVersion => "header.resourceversion",
            Field::Type => "header.type",
            Field::Source => "route.source",
            Field::Destination => "route.destination",
            Field::Group => "route.group",
            Field::Operation => "route.operation",
            Field::Resource => "route.resource",
            Field::Content => "content",
            Field::Timestamp => "header.timestamp",
            Field::Sync => "header.sync",
            Field::Header => "header",
            Field::Route => "route",
        })
    }
}

/// Where a field's text is: in the frame, or beside it when its characters there are escaped or far behind the start.
///
/// Messages are moved from queue to queue, so their index is small: 16 bits hold every position but a content's, since a
/// field has at most [`FIELD_BYTES_MAX`] bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Span {
    start: u16,
    /// The length, and in the highest bit whether the text is beside the frame.
    len: u16,
}

// Every field is short enough for a span, and so are all of them one behind the other.
const _: () =
    assert!(FIELD_BYTES_MAX < Span::BESIDE as usize && INDEXED * FIELD_BYTES_MAX <= u16::MAX as usize);

impl Span {
    const BESIDE: u16 = 1 << 15;

    /// A text in the frame, unless it is out of reach.
    fn in_frame(start: usize, len: usize) -> Option<Span> {
        let len = u16::try_from(len).ok().filter(|len| len & Span::BESIDE == 0)?;
        Some(Span { start: u16::try_from(start).ok()?, len })
    }

    /// A text beside the frame.
    fn beside(start: usize, len: usize) -> Option<Span> {
        let Span { start, len } = Span::in_frame(start, len)?;
        Some(Span { start, len: len | Span::BESIDE })
    }

    fn is_beside(self) -> bool {
        self.len & Span::BESIDE != 0
    }

    fn range(self) -> Range<usize> {
        let start = usize::from(self.start);
        start..start + usize::from(self.len & !Span::BESIDE)
    }
}

/// Where a frame's fields are, and the two that are not text.
#[derive(Debug, Clone, Default)]
struct Index {
    timestamp_ms: i64,
    /// From where to where the content goes. A frame has at most 32 MiB.
    content: (u32, u32),
    spans: [Span; INDEXED],
    sync: bool,
    /// Whether every member is one that this version knows, and only one is a content.
    all_known: bool,
}

/// A message: its frame and an index of it. Cloning shares the frame.
///
/// ```
/// use edgehub_core::Message;
/// let message = Message::decode(
///     r#"{"header":{"msg_id":"1","timestamp":7},"route":{"group":"twin","operation":"updated"},"content":{"a":1}}"#,
/// )?;
/// assert_eq!((message.group(), message.operation(), message.content()), ("twin", "updated", r#"{"a":1}"#));
/// # Ok::<_, edgehub_core::Violation>(())
/// ```
#[derive(Clone)]
pub struct Message {
    frame: ByteString,
    /// The texts that are not to be had from the frame as they are.
    beside: Option<Box<str>>,
    index: Index,
}

impl Message {
    /// Reads a frame. What follows the first JSON document is cut off, as Go's decoder ignores it.
    pub fn decode(frame: impl Into<ByteString>) -> Result<Message, Violation> {
        decode::decode(frame.into())
    }

    /// Reads a frame whose encoding is not yet known to be UTF-8.
    pub fn decode_bytes(frame: Bytes) -> Result<Message, Violation> {
        let frame = ByteString::try_from(frame).map_err(|_| Violation::NotUtf8)?;
        Message::decode(frame)
    }

    /// The JSON text, as it was received or as it will be sent.
    pub fn frame(&self) -> &ByteString {
        &self.frame
    }

    /// The JSON text, when nothing else of the message is needed any more.
    pub fn into_frame(self) -> ByteString {
        self.frame
    }

    /// Length of the JSON text in bytes.
    pub fn bytes(&self) -> usize {
        self.frame.len()
    }

    fn field(&self, field: Field) -> &str {
        let span = self.index.spans[field as usize];
        let texts = if span.is_beside() { self.beside.as_deref() } else { Some(&*self.frame) };
        texts.and_then(|texts| texts.get(span.range())).unwrap_or_default()
    }

    /// The frame before and behind its content, if that is all of it that a redaction changes.
    pub(crate) fn around_content(&self) -> Option<(&[u8], &[u8])> {
        let (frame, (start, end)) = (self.frame.as_bytes(), self.index.content);
        let around = Some((frame.get(..start as usize)?, frame.get(end as usize..)?));
        around.filter(|_| self.index.all_known)
    }

    /// Calls `visit` with the text of each field but the content, in the order of [`Field`].
    pub(crate) fn each_text(&self, mut visit: impl FnMut(&[u8])) {
        let (frame, beside) = (self.frame.as_bytes(), self.beside.as_deref().unwrap_or_default().as_bytes());
        for span in self.index.spans {
            let texts = if span.is_beside() { beside } else { frame };
            visit(texts.get(span.range()).unwrap_or_default());
        }
    }

    /// Whether every text of two messages is to be had from the same place of their frames; contents may end elsewhere.
    pub(crate) fn is_laid_out_like(&self, other: &Message) -> bool {
        let (one, two) = (&self.index, &other.index);
        one.spans == two.spans
            && one.content.0 == two.content.0
            && one.sync == two.sync
            && self.beside.is_none()
            && other.beside.is_none()
    }

    /// Where a field's text stands in the frame; `None` when it is empty or stands there in another form.
    pub(crate) fn place(&self, field: Field) -> Option<Range<usize>> {
        if field == Field::Content {
            let (start, end) = self.index.content;
            return (start < end).then_some(start as usize..end as usize);
        }
        let span = self.index.spans.get(field as usize)?;
        (!span.is_beside() && !span.range().is_empty()).then(|| span.range())
    }

    /// `header.msg_id`: unique per message, a UUID in text form.
    pub fn msg_id(&self) -> &str {
        self.field(Field::MsgId)
    }

    /// `header.parent_msg_id`: the id of the message that this one answers, or empty.
    pub fn parent_msg_id(&self) -> &str {
        self.field(Field::ParentMsgId)
    }

    /// `header.resourceversion`: the Kubernetes resource version of the object in the content, or empty.
    pub fn resource_version(&self) -> &str {
        self.field(Field::ResourceVersion)
    }

    /// `header.timestamp`: when the sender made the message, by its own clock.
    pub fn timestamp(&self) -> UnixMillis {
        UnixMillis(self.index.timestamp_ms)
    }

    /// `header.sync`: whether the sender waits for a response. Only ever true between a module and its hub.
    pub fn is_sync(&self) -> bool {
        self.index.sync
    }

    /// `header.type`: the local context that carried the message, or empty.
    pub fn message_type(&self) -> &str {
        self.field(Field::Type)
    }

    /// `route.source`: the sending module.
    pub fn source(&self) -> &str {
        self.field(Field::Source)
    }

    /// `route.destination`: the local receiver, or empty.
    pub fn destination(&self) -> &str {
        self.field(Field::Destination)
    }

    /// `route.group`: what a hub routes by.
    pub fn group(&self) -> &str {
        self.field(Field::Group)
    }

    /// `route.operation`: the verb.
    pub fn operation(&self) -> &str {
        self.field(Field::Operation)
    }

    /// `route.resource`: what the verb is about.
    pub fn resource(&self) -> &str {
        self.field(Field::Resource)
    }

    /// `content`, as raw JSON; `null` when absent.
    pub fn content(&self) -> &str {
        let (start, end) = self.index.content;
        match self.frame.get(start as usize..end as usize) {
            None | Some("") => "null",
            Some(content) => content,
        }
    }

    /// The same message in memory of its own: what waits for long must not keep the frames that were written beside it.
    pub(crate) fn detached(self) -> Message {
        let frame = ByteString::from(&*self.frame);
        Message { frame, ..self }
    }

    /// The members of the frame that no field of this version claims.
    pub(crate) fn unknown_members(&self) -> Unknown {
        if self.index.all_known { Unknown::default() } else { decode::unknown_members(&self.frame) }
    }

    /// Whether the message answers another one.
    pub fn is_response(&self) -> bool {
        !self.parent_msg_id().is_empty()
    }

    /// Whether the operation is link control, which the receiver answers and does not route.
    pub fn is_link_control(&self) -> bool {
        operation::LINK_CONTROL.contains(&self.operation())
    }

    /// The same message as it travels to the cloud: without what is local (`sync`, `type`, `destination`).
    /// A message that has none of them is returned as it is.
    pub fn into_link_form(self) -> Message {
        if self.is_sync() || !self.message_type().is_empty() || !self.destination().is_empty() {
            encode::without_local_fields(&self)
        } else {
            self
        }
    }
}

/// Shows header, route and the content's length: contents may be secrets and do not belong into logs.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("msg_id", &self.msg_id())
            .field("parent_msg_id", &self.parent_msg_id())
            .field("timestamp", &self.index.timestamp_ms)
            .field("sync", &self.index.sync)
            .field("source", &self.source())
            .field("group", &self.group())
            .field("operation", &self.operation())
            .field("resource", &self.resource())
            .field("content_bytes", &self.content().len())
            .finish_non_exhaustive()
    }
}

/// Two messages are equal when their frames are.
impl PartialEq for Message {
    fn eq(&self, other: &Message) -> bool {
        self.frame == other.frame
    }
}

impl Eq for Message {}

impl Serialize for Message {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(NEWTYPE, &*self.frame)
    }
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Message, D::Error> {
        deserializer.deserialize_newtype_struct(NEWTYPE, FrameVisitor)
    }
}

/// The name by which a data format can tell a frame from other texts. In JSON and its like it is a text as before.
pub(crate) const NEWTYPE: &str = "edgehub::Message";

struct FrameVisitor;

impl<'de> serde::de::Visitor<'de> for FrameVisitor {
    type Value = Message;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the frame of a message")
    }

    fn visit_newtype_struct<D: serde::Deserializer<'de>>(self, frame: D) -> Result<Message, D::Error> {
        let frame = alloc::string::String::deserialize(frame)?;
        Message::decode(frame).map_err(serde::de::Error::custom)
    }
}
