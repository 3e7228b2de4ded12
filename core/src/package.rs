//! The message on the QUIC lane: packages of protobuf on streams.
//!
//! A package is a header of ten octets and a payload. [`Decoder`] takes a stream apart, however its bytes are split, and
//! checks a length before anything is reserved for it. [`encode`] and [`Reader`] turn a [`Message`](crate::Message) into the payload and back,
//! such that the other end has the very frame that a WebSocket would have carried:
//!
//! | content of the frame | travels as | comes back as |
//! |---|---|---|
//! | `null`, or none | nothing | `null` |
//! | a text whose escapes are as ours | the text's own bytes, form 2 | that text |
//! | any other JSON, texts with other escapes included | the JSON text, form 1 | the same, byte for byte |
//! | — | bytes of a peer that names no form | JSON if it is some, else a text, else base64 in a text |
//!
//! The form is a field of our own (`Message.4`); so are `header.6`, `router.5` and, for members of the frame that this version does not know, `Message.5`, `header.7` and `router.6`.
//! Peers that do not know them skip them, as we skip theirs.
//!
//! Peers that have agreed on it may compress what they write, see `compression`.
//!
//! A lane has a control lane and a few streams of messages each way; `streams` says what that means for their order, and what
//! a pong confirms.

mod compression;
mod content;
mod control;
mod decoder;
mod encoder;
mod header;
mod incoming;
mod reader;
mod streams;
mod wire;

pub use compression::{Compressor, pays};
pub use control::{Control, Hello, Ping, answer, pong};
pub use decoder::Decoder;
pub use encoder::{encode, encoded_bytes_max};
pub use header::{HEADER_BYTES, Header, VERSION};
pub use incoming::{Incoming, MESSAGES, RAW, Use};
pub use reader::Reader;
pub use streams::{Arrived, Class, STREAMS, Written};

#[cfg(test)]
mod tests;
