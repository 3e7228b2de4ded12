//! What can happen to the bytes of a frame, and how a driver reads what is left.

use super::stream::{Damage, Frame};
use bytes::Bytes;
use edgehub_core::limits::{FIELD_BYTES_MAX, FRAME_BYTES_MAX, NESTING_DEPTH_MAX};
use edgehub_core::{Message, Violation};

/// The kinds of damage, as an action names them.
pub(crate) const DAMAGES: [&str; 12] = [
    "empty",
    "truncated",
    "flipped",
    "not-json",
    "not-object",
    "deep",
    "not-utf8",
    "two-documents",
    "wrong-type",
    "long-field",
    "oversize",
    "unknown-type",
];

/// What comes of a message that was damaged.
pub(crate) fn harmed(message: Message, what: u64, at: u64) -> Result<Message, Violation> {
    let mut frame = Frame::Message(message);
    harm(&mut frame, Damage { skip: 0, what, at });
    read(frame)
}

/// Damages a message.
pub(super) fn harm(frame: &mut Frame, damage: Damage) {
    let Frame::Message(message) = frame else { return };
    let mut bytes = message.frame().as_bytes().to_vec();
    let at = damage.at as usize % bytes.len().max(1);
    match DAMAGES.get(damage.what as usize).copied().unwrap_or_default() {
        "empty" => bytes.clear(),
        "truncated" => bytes.truncate(at),
        "flipped" => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << (damage.at % 8);
            }
        }
        "not-json" => bytes[at..].fill(b'}'),
        "not-object" => bytes = b"[]".to_vec(),
        "deep" => {
            let depth = NESTING_DEPTH_MAX as usize + 1;
            bytes = [b"{\"content\":".as_slice(), &vec![b'['; depth], &vec![b']'; depth], b"}"].concat();
        }
        "not-utf8" => bytes[at] = 0xff,
        "two-documents" => {
            let again = bytes.clone();
            bytes.extend(again);
        }
        "wrong-type" => bytes = br#"{"header":{"msg_id":7}}"#.to_vec(),
        "long-field" => {
            let long = "r".repeat(FIELD_BYTES_MAX + 1);
            bytes = format!("{{\"route\":{{\"resource\":\"{long}\"}}}}").into_bytes();
        }
        "oversize" => return *frame = Frame::Oversize,
        _ => return *frame = Frame::Garbage,
    }
    *frame = Frame::Raw(Bytes::from(bytes));
}

/// Reads a frame as a driver does: the lane's own rules first, then the real decoder.
pub(super) fn read(frame: Frame) -> Result<Message, Violation> {
    match frame {
        Frame::Message(message) => Ok(message),
        Frame::Raw(bytes) => Message::decode_bytes(bytes),
        Frame::Oversize => Err(Violation::FrameTooLarge { bytes: FRAME_BYTES_MAX + 1 }),
        _ => Err(Violation::Framing),
    }
}
