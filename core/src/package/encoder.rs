//! Messages as packages.

use super::content;
use super::header::{Header, Kind};
use super::wire::Wire;
use crate::message::{Field, Message};
use alloc::string::String;
use bytes::BytesMut;
use prost::Message as _;

/// Writes packages. It keeps its fields' memory from one message to the next.
#[derive(Debug, Default)]
pub struct Encoder {
    wire: Wire,
}

impl Encoder {
    /// Appends a message as a package. Its frame is within its limit, and so the payload is: no field takes more room in it.
    pub fn encode(&mut self, message: &Message, out: &mut BytesMut) {
        let Wire { header, router, content, content_form, members } = &mut self.wire;
        let unknown = message.unknown_members();
        for (field, text) in [
            (&mut header.id, message.msg_id()),
            (&mut header.parent_id, message.parent_msg_id()),
            (&mut header.r#type, message.message_type()),
            (&mut header.resource_version, message.resource_version()),
            (&mut header.members, &unknown.header),
            (&mut router.source, message.source()),
            (&mut router.group, message.group()),
            (&mut router.operation, message.operation()),
            (&mut router.resource, message.resource()),
            (&mut router.destination, message.destination()),
            (&mut router.members, &unknown.route),
            (members, &unknown.top),
        ] {
            set(field, text);
        }
        header.timestamp = message.timestamp().0;
        header.sync = message.is_sync();
        (*content, *content_form) =
            content::to_bytes(message.frame(), message.place(Field::Content).unwrap_or(0..0));
        let length = self.wire.encoded_len();
        out.reserve(super::HEADER_BYTES + length);
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        out.extend_from_slice(&Header { kind: Kind::Message, compressed: false, length }.to_bytes());
        // Fails for want of room only, and there is room.
        let _ = self.wire.encode(out);
        // Not one byte of a message is held longer than needed.
        self.wire.content.clear();
    }
}

fn set(field: &mut String, text: &str) {
    field.clear();
    field.push_str(text);
}
