//! A stream of bytes, taken apart into packages.

use super::compression::Decompressor;
use super::header::{HEADER_BYTES, Header};
use crate::limits::COMPRESSED_BYTES_MAX;
use crate::violation::Violation;
use bytes::{Bytes, BytesMut};

/// Finds the payloads of packages in a stream that arrives in pieces. It holds what has arrived of one package, and what came with it in
/// one piece; a claimed length reserves nothing.
#[derive(Debug)]
pub struct Decoder {
    buffer: BytesMut,
    payload_bytes_max: usize,
    /// Where compressed packages may come.
    chunks: Option<Chunks>,
    broken: Option<Violation>,
}

/// What comes of compressed packages: a stream of plain ones.
#[derive(Debug, Default)]
struct Chunks {
    decompressor: Decompressor,
    buffer: BytesMut,
}

/// Compression, where it was not agreed on.
const FORBIDDEN: Violation = Violation::PackageFlags { flags: 0x80 };

impl Decoder {
    /// A decoder for a stream whose payloads have at most so many bytes.
    pub fn new(payload_bytes_max: usize) -> Decoder {
        Decoder { buffer: BytesMut::new(), payload_bytes_max, chunks: None, broken: None }
    }

    /// The same for a stream on which packages may be compressed.
    pub fn with_compression(payload_bytes_max: usize) -> Decoder {
        Decoder { chunks: Some(Chunks::default()), ..Decoder::new(payload_bytes_max) }
    }

    /// Takes the next piece of the stream. Call [`next_payload`](Decoder::next_payload) until it has no more before the next piece.
    pub fn push(&mut self, piece: &[u8]) {
        if self.broken.is_none() {
            self.buffer.extend_from_slice(piece);
        }
    }

    /// The payload of the next package, once it is there as a whole. After a violation the stream has no more.
    pub fn next_payload(&mut self) -> Result<Option<Bytes>, Violation> {
        if let Some(violation) = self.broken {
            return Err(violation);
        }
        let next = self.split();
        if let Err(violation) = next {
            self.broken = Some(violation);
            (self.buffer, self.chunks) = (BytesMut::new(), None);
        }
        next
    }

    fn split(&mut self) -> Result<Option<Bytes>, Violation> {
        loop {
            if let Some(Chunks { buffer, .. }) = &mut self.chunks
                && let Some((header, payload)) = split(buffer, self.payload_bytes_max)?
            {
                return match header.compressed {
                    true => Err(FORBIDDEN),
                    false => Ok(Some(payload)),
                };
            }
            let Some((header, payload)) = split(&mut self.buffer, self.payload_bytes_max)? else {
                return Ok(None);
            };
            match &mut self.chunks {
                Some(chunks) if header.compressed => {
                    chunks.decompressor.decompress(&payload, &mut chunks.buffer)?;
                }
                None if header.compressed => return Err(FORBIDDEN),
                // What is plain stands between whole packages only.
                Some(Chunks { buffer, .. }) if !buffer.is_empty() => return Err(Violation::PackageTruncated),
                _ => return Ok(Some(payload)),
            }
        }
    }

    /// Whether the stream may end here.
    pub fn finish(&self) -> Result<(), Violation> {
        match self.broken {
            Some(violation) => Err(violation),
            None if self.waiting_bytes() == 0 => Ok(()),
            None => Err(Violation::PackageTruncated),
        }
    }

    /// Bytes that wait for the rest of their package.
    pub fn waiting_bytes(&self) -> usize {
        self.buffer.len() + self.chunks.as_ref().map_or(0, |chunks| chunks.buffer.len())
    }

    #[cfg(test)]
    pub(super) fn buffer_capacity(&self) -> usize {
        self.buffer.capacity()
    }
}

/// The next package of a buffer, once it is there as a whole.
fn split(buffer: &mut BytesMut, payload_bytes_max: usize) -> Result<Option<(Header, Bytes)>, Violation> {
    let Some(octets) = buffer.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
    let header = Header::from_bytes(*octets)?;
    let bytes = usize::try_from(header.length).unwrap_or(usize::MAX);
    let limit = if header.compressed { COMPRESSED_BYTES_MAX } else { payload_bytes_max };
    if bytes > limit {
        return Err(Violation::PackageTooLarge { bytes, limit });
    }
    let end = HEADER_BYTES.saturating_add(bytes);
    if buffer.len() < end {
        return Ok(None);
    }
    Ok(Some((header, buffer.split_to(end).freeze().slice(HEADER_BYTES..))))
}
