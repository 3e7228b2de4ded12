//! The rules a peer can break, one named variant each.

use crate::message::Field;
use core::fmt;
use serde::{Deserialize, Serialize};

/// What a peer did wrong in a frame. The frame is refused and counted; the link lives on when its framing allows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Violation {
    /// The frame is longer than [`FRAME_BYTES_MAX`](crate::limits::FRAME_BYTES_MAX).
    FrameTooLarge {
        /// Its length, as far as known.
        bytes: usize,
    },
    /// The frame holds no JSON document at all.
    Empty,
    /// The frame is not UTF-8.
    NotUtf8,
    /// The frame ends inside the document.
    Truncated,
    /// Not JSON, from this byte on.
    NotJson {
        /// Offset into the frame.
        at: usize,
    },
    /// JSON, but not an object.
    NotAnObject,
    /// Nested deeper than [`NESTING_DEPTH_MAX`](crate::limits::NESTING_DEPTH_MAX).
    NestingTooDeep {
        /// Offset of the first bracket that is too deep.
        at: usize,
    },
    /// A header or route field has another JSON type than the protocol gives it.
    WrongType {
        /// The field.
        field: Field,
    },
    /// A header or route field is longer than [`FIELD_BYTES_MAX`](crate::limits::FIELD_BYTES_MAX).
    FieldTooLong {
        /// The field.
        field: Field,
        /// Its length.
        bytes: usize,
    },
    /// The lane's own framing is broken (for a WebSocket: RFC 6455); the link cannot go on.
    Framing,
}

impl Violation {
    /// Whether the frame after this one can still be read.
    pub fn link_survives(&self) -> bool {
        !matches!(self, Violation::Framing | Violation::FrameTooLarge { .. })
    }

    /// A short, stable name for logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Violation::FrameTooLarge { .. } => "frame_too_large",
            Violation::Empty => "empty",
            Violation::NotUtf8 => "not_utf8",
            Violation::Truncated => "truncated",
            Violation::NotJson { .. } => "not_json",
            Violation::NotAnObject => "not_an_object",
            Violation::NestingTooDeep { .. } => "nesting_too_deep",
            Violation::WrongType { .. } => "wrong_type",
            Violation::FieldTooLong { .. } => "field_too_long",
            Violation::Framing => "framing",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::limits::{FIELD_BYTES_MAX, FRAME_BYTES_MAX, NESTING_DEPTH_MAX};
        match self {
            Violation::FrameTooLarge { bytes } => {
                write!(f, "frame of {bytes} bytes; the limit is {FRAME_BYTES_MAX}")
            }
            Violation::Empty => f.write_str("frame without a JSON document"),
            Violation::NotUtf8 => f.write_str("frame is not UTF-8"),
            Violation::Truncated => f.write_str("frame ends inside its JSON document"),
            Violation::NotJson { at } => write!(f, "not JSON at byte {at}"),
            Violation::NotAnObject => f.write_str("the JSON document is not an object"),
            Violation::NestingTooDeep { at } => {
                write!(f, "nested deeper than {NESTING_DEPTH_MAX} levels at byte {at}")
            }
            Violation::WrongType { field } => write!(f, "{field} has the wrong JSON type"),
            Violation::FieldTooLong { field, bytes } => {
                write!(f, "{field} has {bytes} bytes; the limit is {FIELD_BYTES_MAX}")
            }
            Violation::Framing => f.write_str("the lane's framing is broken"),
        }
    }
}

impl core::error::Error for Violation {}
