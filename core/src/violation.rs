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
    /// A package of another version than [`VERSION`](crate::package::VERSION).
    PackageVersion {
        /// The version that it claims.
        version: u32,
    },
    /// A package of a type that does not exist, or that does not belong on its stream.
    PackageType {
        /// The octet that names the type.
        code: u8,
    },
    /// A package with flags that were not agreed on: compression, or one that nobody knows.
    PackageFlags {
        /// The octet of flags.
        flags: u8,
    },
    /// A package longer than its stream allows.
    PackageTooLarge {
        /// The length that it claims.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A stream that ends inside a package, or before it has said what it is for.
    PackageTruncated,
    /// A compressed payload that cannot be decompressed, or becomes another length than it says.
    NotDeflate,
    /// A payload that is not the protobuf of a message.
    NotProtobuf,
    /// A stream for a use that does not exist, or that has not said its use in time.
    StreamUse,
    /// More streams than a lane has a use for.
    TooManyStreams,
    /// What came on the control lane does not belong there, or not now.
    ControlLane,
    /// The control lane was closed, and the connection was not.
    ControlLaneClosed,
    /// A stream of messages that the peer wants no more of, while the connection goes on.
    StreamStopped,
}

impl Violation {
    /// Whether the frame after this one can still be read.
    pub fn link_survives(&self) -> bool {
        match self {
            Violation::Empty
            | Violation::NotUtf8
            | Violation::Truncated
            | Violation::NotJson { .. }
            | Violation::NotAnObject
            | Violation::NestingTooDeep { .. }
            | Violation::WrongType { .. }
            | Violation::FieldTooLong { .. }
            | Violation::NotProtobuf => true,
            Violation::FrameTooLarge { .. }
            | Violation::Framing
            | Violation::PackageVersion { .. }
            | Violation::PackageType { .. }
            | Violation::PackageFlags { .. }
            | Violation::PackageTooLarge { .. }
            | Violation::PackageTruncated
            | Violation::NotDeflate
            | Violation::StreamUse
            | Violation::TooManyStreams
            | Violation::ControlLane
            | Violation::ControlLaneClosed
            | Violation::StreamStopped => false,
        }
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
            Violation::PackageVersion { .. } => "package_version",
            Violation::PackageType { .. } => "package_type",
            Violation::PackageFlags { .. } => "package_flags",
            Violation::PackageTooLarge { .. } => "package_too_large",
            Violation::PackageTruncated => "package_truncated",
            Violation::NotDeflate => "not_deflate",
            Violation::NotProtobuf => "not_protobuf",
            Violation::StreamUse => "stream_use",
            Violation::TooManyStreams => "too_many_streams",
            Violation::ControlLane => "control_lane",
            Violation::ControlLaneClosed => "control_lane_closed",
            Violation::StreamStopped => "stream_stopped",
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
            Violation::PackageVersion { version } => {
                write!(f, "package of version {version:#010x}; ours is {:#010x}", crate::package::VERSION)
            }
            Violation::PackageType { code } => {
                write!(f, "package of type {code}, which does not belong here")
            }
            Violation::PackageFlags { flags } => {
                write!(f, "package with flags {flags:#04x}, which were not agreed on")
            }
            Violation::PackageTooLarge { bytes, limit } => {
                write!(f, "package of {bytes} bytes; the limit is {limit}")
            }
            Violation::PackageTruncated => f.write_str("the stream ends inside a package"),
            Violation::NotDeflate => f.write_str("the payload is not what a compressed one should be"),
            Violation::NotProtobuf => f.write_str("the payload is not the protobuf of a message"),
            Violation::StreamUse => f.write_str("a stream has not said what it is for"),
            Violation::TooManyStreams => f.write_str("more streams than a lane has a use for"),
            Violation::ControlLane => f.write_str("that does not belong on the control lane"),
            Violation::ControlLaneClosed => f.write_str("the control lane was closed"),
            Violation::StreamStopped => f.write_str("a stream of messages is not taken any more"),
        }
    }
}

impl core::error::Error for Violation {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    fn check(violation: Violation, name: &str, text: &str, link_survives: bool) {
        assert_eq!(violation.name(), name);
        assert_eq!(violation.to_string(), text);
        assert_eq!(violation.link_survives(), link_survives, "{name}");
    }

    /// Logs and metrics are built on the names: they stay as they are.
    #[test]
    fn names_and_texts_are_pinned() {
        let too_large = Violation::FrameTooLarge { bytes: 33_554_433 };
        check(too_large, "frame_too_large", "frame of 33554433 bytes; the limit is 33554432", false);
        check(Violation::Empty, "empty", "frame without a JSON document", true);
        check(Violation::NotUtf8, "not_utf8", "frame is not UTF-8", true);
        check(Violation::Truncated, "truncated", "frame ends inside its JSON document", true);
        check(Violation::NotJson { at: 7 }, "not_json", "not JSON at byte 7", true);
        check(Violation::NotAnObject, "not_an_object", "the JSON document is not an object", true);
        let deep = Violation::NestingTooDeep { at: 9 };
        check(deep, "nesting_too_deep", "nested deeper than 128 levels at byte 9", true);
        let long = Violation::FieldTooLong { field: Field::MsgId, bytes: 4097 };
        check(long, "field_too_long", "header.msg_id has 4097 bytes; the limit is 4096", true);
        check(Violation::Framing, "framing", "the lane's framing is broken", false);
    }

    #[test]
    fn those_of_packages_are_pinned() {
        let version = Violation::PackageVersion { version: 0x0101_0200 };
        check(version, "package_version", "package of version 0x01010200; ours is 0x01010100", false);
        let code = Violation::PackageType { code: 3 };
        check(code, "package_type", "package of type 3, which does not belong here", false);
        let flags = Violation::PackageFlags { flags: 0x80 };
        check(flags, "package_flags", "package with flags 0x80, which were not agreed on", false);
        let large = Violation::PackageTooLarge { bytes: 9, limit: 8 };
        check(large, "package_too_large", "package of 9 bytes; the limit is 8", false);
        check(Violation::PackageTruncated, "package_truncated", "the stream ends inside a package", false);
        let text = "the payload is not what a compressed one should be";
        check(Violation::NotDeflate, "not_deflate", text, false);
        let text = "more streams than a lane has a use for";
        check(Violation::TooManyStreams, "too_many_streams", text, false);
        let protobuf = "the payload is not the protobuf of a message";
        check(Violation::NotProtobuf, "not_protobuf", protobuf, true);
        check(Violation::StreamUse, "stream_use", "a stream has not said what it is for", false);
        check(Violation::ControlLane, "control_lane", "that does not belong on the control lane", false);
        check(Violation::ControlLaneClosed, "control_lane_closed", "the control lane was closed", false);
        let text = "a stream of messages is not taken any more";
        check(Violation::StreamStopped, "stream_stopped", text, false);
    }

    #[test]
    fn a_field_is_called_by_its_path_in_the_frame() {
        let paths = [
            (Field::MsgId, "header.msg_id"),
            (Field::ParentMsgId, "header.parent_msg_id"),
            (Field::ResourceVersion, "header.resourceversion"),
            (Field::Type, "header.type"),
            (Field::Source, "route.source"),
            (Field::Destination, "route.destination"),
            (Field::Group, "route.group"),
            (Field::Operation, "route.operation"),
            (Field::Resource, "route.resource"),
            (Field::Content, "content"),
            (Field::Timestamp, "header.timestamp"),
            (Field::Sync, "header.sync"),
            (Field::Header, "header"),
            (Field::Route, "route"),
        ];
        for (field, path) in paths {
            let text = std::format!("{path} has the wrong JSON type");
            check(Violation::WrongType { field }, "wrong_type", &text, true);
        }
    }
}
