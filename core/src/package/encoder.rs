//! Messages as packages.
//!
//! The protobuf is written straight from the message, field by field in the order of their numbers, as [`super::wire`] would write it.

use super::content;
use super::header::{HEADER_BYTES, Header};
use crate::message::{Field, Message};
use bytes::{BufMut, BytesMut};
use prost::encoding::{encode_varint, encoded_len_varint};

/// The number of a field and what it says; what is empty or zero is left out.
type Entry<'a> = (u8, Value<'a>);

#[derive(Clone, Copy)]
enum Value<'a> {
    Number(u64),
    Octets(&'a [u8]),
}

/// The most bytes that a message becomes as a package: its frame is within its limit, and no field takes more room in a payload.
pub fn encoded_bytes_max(message: &Message) -> usize {
    HEADER_BYTES + message.bytes()
}

/// Appends a message as a package.
pub fn encode(message: &Message, out: &mut BytesMut) {
    let unknown = message.unknown_members();
    let (content, form) = content::to_bytes(message.frame(), message.place(Field::Content).unwrap_or(0..0));
    let header = [
        text(1, message.msg_id()),
        text(2, message.parent_msg_id()),
        (3, Value::Number(zigzag(message.timestamp().0))),
        (4, Value::Number(u64::from(message.is_sync()))),
        text(5, message.message_type()),
        text(6, message.resource_version()),
        text(7, &unknown.header),
    ];
    let router = [
        text(1, message.source()),
        text(2, message.group()),
        text(3, message.operation()),
        text(4, message.resource()),
        text(5, message.destination()),
        text(6, &unknown.route),
    ];
    let rest = [(3, Value::Octets(&content)), (4, Value::Number(u64::from(form))), text(5, &unknown.top)];
    let (header_bytes, router_bytes) = (bytes_of(&header), bytes_of(&router));
    let length = octets_bytes(header_bytes) + octets_bytes(router_bytes) + bytes_of(&rest);
    out.reserve(HEADER_BYTES + length);
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    out.put_slice(&Header { compressed: false, length }.to_bytes());
    // Both are there even when they are empty.
    put_key(1, header_bytes, out);
    put(&header, out);
    put_key(2, router_bytes, out);
    put(&router, out);
    put(&rest, out);
}

fn text(number: u8, text: &str) -> Entry<'_> {
    (number, Value::Octets(text.as_bytes()))
}

/// How protobuf's `sint64` is written: small numbers are short, whatever their sign.
fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}

/// The length of a field of octets, whose number is less than 16.
fn octets_bytes(bytes: usize) -> usize {
    1 + encoded_len_varint(bytes as u64) + bytes
}

fn bytes_of(entries: &[Entry<'_>]) -> usize {
    let bytes = |(_, value): &Entry<'_>| match value {
        Value::Number(0) | Value::Octets([]) => 0,
        Value::Number(number) => 1 + encoded_len_varint(*number),
        Value::Octets(octets) => octets_bytes(octets.len()),
    };
    entries.iter().map(bytes).sum()
}

fn put(entries: &[Entry<'_>], out: &mut BytesMut) {
    for &(number, value) in entries {
        match value {
            Value::Number(0) | Value::Octets([]) => {}
            Value::Number(value) => {
                out.put_u8(number << 3);
                encode_varint(value, out);
            }
            Value::Octets(octets) => {
                put_key(number, octets.len(), out);
                out.put_slice(octets);
            }
        }
    }
}

/// What stands before so many octets.
fn put_key(number: u8, bytes: usize, out: &mut BytesMut) {
    out.put_u8(number << 3 | 2);
    encode_varint(bytes as u64, out);
}
