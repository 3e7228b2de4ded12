//! A stream of bytes, taken apart into packages.

use super::header::{HEADER_BYTES, Header, Kind};
use crate::violation::Violation;
use bytes::{Bytes, BytesMut};

/// A package without its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// What the payload is.
    pub kind: Kind,
    /// The payload.
    pub payload: Bytes,
}

/// Finds packages in a stream that arrives in pieces. It holds what has arrived of one package, and what came with it in
/// one piece; a claimed length reserves nothing.
#[derive(Debug)]
pub struct Decoder {
    buffer: BytesMut,
    payload_bytes_max: usize,
    broken: Option<Violation>,
}

impl Decoder {
    /// A decoder for a stream whose payloads have at most so many bytes.
    pub fn new(payload_bytes_max: usize) -> Decoder {
        Decoder { buffer: BytesMut::new(), payload_bytes_max, broken: None }
    }

    /// Takes the next piece of the stream. Call [`next_package`](Decoder::next_package) until it has no more before the next piece.
    pub fn push(&mut self, piece: &[u8]) {
        if self.broken.is_none() {
            self.buffer.extend_from_slice(piece);
        }
    }

    /// The next package, once it is there as a whole. After a violation the stream has no more packages.
    pub fn next_package(&mut self) -> Result<Option<Package>, Violation> {
        if let Some(violation) = self.broken {
            return Err(violation);
        }
        let next = self.split();
        if let Err(violation) = next {
            self.broken = Some(violation);
            self.buffer = BytesMut::new();
        }
        next
    }

    fn split(&mut self) -> Result<Option<Package>, Violation> {
        let Some(octets) = self.buffer.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let Header { kind, length } = Header::from_bytes(*octets)?;
        let bytes = usize::try_from(length).unwrap_or(usize::MAX);
        if bytes > self.payload_bytes_max {
            return Err(Violation::PackageTooLarge { bytes, limit: self.payload_bytes_max });
        }
        let end = HEADER_BYTES.saturating_add(bytes);
        if self.buffer.len() < end {
            return Ok(None);
        }
        let payload = self.buffer.split_to(end).freeze().slice(HEADER_BYTES..);
        Ok(Some(Package { kind, payload }))
    }

    /// Whether the stream may end here.
    pub fn finish(&self) -> Result<(), Violation> {
        match self.broken {
            Some(violation) => Err(violation),
            None if self.buffer.is_empty() => Ok(()),
            None => Err(Violation::PackageTruncated),
        }
    }

    /// Bytes that wait for the rest of their package.
    pub fn waiting_bytes(&self) -> usize {
        self.buffer.len()
    }

    #[cfg(test)]
    pub(super) fn buffer_capacity(&self) -> usize {
        self.buffer.capacity()
    }
}
