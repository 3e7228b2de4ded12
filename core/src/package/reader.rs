//! Payloads as messages.

use super::content;
use super::wire::Wire;
use crate::limits::FIELD_BYTES_MAX;
use crate::message::{Draft, Message, Unknown};
use crate::time::UnixMillis;
use crate::violation::Violation;
use bytes::Bytes;
use prost::Message as _;

/// Reads the payloads of packages. It keeps its fields' memory from one message to the next, unless a peer made it large.
#[derive(Debug, Default)]
pub struct Reader {
    wire: Wire,
}

impl Reader {
    /// The message that a payload is. Fields that this version does not know are skipped.
    pub fn message(&mut self, payload: Bytes) -> Result<Message, Violation> {
        self.wire.clear();
        let message =
            self.wire.merge(payload).map_err(|_| Violation::NotProtobuf).and_then(|()| self.frame());
        self.wire.content.clear();
        if message.is_err() || self.holds_much() {
            self.wire = Wire::default();
        }
        message
    }

    fn frame(&self) -> Result<Message, Violation> {
        let Wire { header, router, content, content_form, members } = &self.wire;
        let draft = Draft {
            msg_id: &header.id,
            parent_msg_id: &header.parent_id,
            timestamp: UnixMillis(header.timestamp),
            resource_version: &header.resource_version,
            sync: header.sync,
            message_type: &header.r#type,
            source: &router.source,
            destination: &router.destination,
            group: &router.group,
            operation: &router.operation,
            resource: &router.resource,
            ..Draft::default()
        };
        content::of_bytes(content, *content_form, |content| {
            let draft = Draft { content, ..draft };
            if members.is_empty() && header.members.is_empty() && router.members.is_empty() {
                return draft.encode();
            }
            let (top, header, route) = (members.clone(), header.members.clone(), router.members.clone());
            draft.encode_with(&Unknown { top, header, route })
        })
    }

    fn holds_much(&self) -> bool {
        let Wire { header, router, members, .. } = &self.wire;
        [members, &header.members, &router.members].iter().any(|text| text.capacity() > FIELD_BYTES_MAX)
    }
}
