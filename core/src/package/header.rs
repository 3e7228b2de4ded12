//! The ten octets in front of a payload.

use crate::violation::Violation;

/// The version that every package names: 1.1.1.
pub const VERSION: u32 = 0x0101_0100;

/// The flag of a compressed payload.
const COMPRESSED: u8 = 0x80;

/// Length of the header.
pub const HEADER_BYTES: usize = 10;

/// What a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A message.
    Message = 1,
    /// Raw bytes of a stream.
    Stream = 2,
    /// Whatever its user makes of it.
    User = 4,
}

impl Kind {
    fn of(code: u8) -> Option<Kind> {
        [Kind::Message, Kind::Stream, Kind::User].into_iter().find(|kind| *kind as u8 == code)
    }
}

/// The header of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What the payload is.
    pub kind: Kind,
    /// Whether it is compressed.
    pub compressed: bool,
    /// How long it is, in bytes.
    pub length: u32,
}

impl Header {
    /// The octets as they travel, big-endian.
    pub fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let [v0, v1, v2, v3] = VERSION.to_be_bytes();
        let [l0, l1, l2, l3] = self.length.to_be_bytes();
        let flags = if self.compressed { COMPRESSED } else { 0 };
        [v0, v1, v2, v3, self.kind as u8, flags, l0, l1, l2, l3]
    }

    /// Reads the octets. Fails for another version, an unknown type, and any flag that does not exist.
    pub fn from_bytes(octets: [u8; HEADER_BYTES]) -> Result<Header, Violation> {
        let [v0, v1, v2, v3, code, flags, l0, l1, l2, l3] = octets;
        let version = u32::from_be_bytes([v0, v1, v2, v3]);
        if version != VERSION {
            return Err(Violation::PackageVersion { version });
        }
        let kind = Kind::of(code).ok_or(Violation::PackageType { code })?;
        if flags & !COMPRESSED != 0 {
            return Err(Violation::PackageFlags { flags });
        }
        Ok(Header { kind, compressed: flags != 0, length: u32::from_be_bytes([l0, l1, l2, l3]) })
    }
}
