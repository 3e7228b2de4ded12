//! The ten octets in front of a payload.

use crate::violation::Violation;

/// The version that every package names: 1.1.1.
pub const VERSION: u32 = 0x0101_0100;

/// The flag of a compressed payload.
const COMPRESSED: u8 = 0x80;

/// Length of the header.
pub const HEADER_BYTES: usize = 10;

/// The type of every package that we write or read: its payload is a message. KubeEdge has two more, for raw bytes (2) and for its users' own (4).
const MESSAGE: u8 = 1;

/// The header of a package with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
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
        [v0, v1, v2, v3, MESSAGE, flags, l0, l1, l2, l3]
    }

    /// Reads the octets. Fails for another version, another type, and any flag that does not exist.
    pub fn from_bytes(octets: [u8; HEADER_BYTES]) -> Result<Header, Violation> {
        let [v0, v1, v2, v3, code, flags, l0, l1, l2, l3] = octets;
        let version = u32::from_be_bytes([v0, v1, v2, v3]);
        if version != VERSION {
            return Err(Violation::PackageVersion { version });
        }
        if code != MESSAGE {
            return Err(Violation::PackageType { code });
        }
        if flags & !COMPRESSED != 0 {
            return Err(Violation::PackageFlags { flags });
        }
        Ok(Header { compressed: flags != 0, length: u32::from_be_bytes([l0, l1, l2, l3]) })
    }
}
