//! A stream of bytes, taken apart into packages.

use super::compression::Decompressor;
use super::header::{HEADER_BYTES, Header};
use crate::limits::{COMPRESSED_BYTES_MAX, LARGE_PACKAGE_BYTES};
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
    /// The large package under way may be taken apart.
    let_in: bool,
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
        Decoder { buffer: BytesMut::new(), payload_bytes_max, chunks: None, let_in: false, broken: None }
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
        match &next {
            Ok(Some(_)) => self.let_in = false,
            Ok(None) => {}
            Err(violation) => {
                self.broken = Some(*violation);
                (self.buffer, self.chunks) = (BytesMut::new(), None);
            }
        }
        next
    }

    fn split(&mut self) -> Result<Option<Bytes>, Violation> {
        loop {
            if let Some(Chunks { buffer, .. }) = &mut self.chunks {
                if let Some((_, payload)) = split(buffer, self.payload_bytes_max, false)? {
                    return Ok(Some(payload));
                }
                if is_large(buffer) && !self.let_in {
                    return Ok(None);
                }
            }
            let compressed = self.chunks.is_some();
            let Some((header, payload)) = split(&mut self.buffer, self.payload_bytes_max, compressed)? else {
                return Ok(None);
            };
            match &mut self.chunks {
                Some(chunks) if header.compressed => {
                    chunks.decompressor.decompress(&payload, &mut chunks.buffer)?;
                }
                // What is plain stands between whole packages only.
                Some(Chunks { buffer, .. }) if !buffer.is_empty() => return Err(Violation::PackageTruncated),
                _ => return Ok(Some(payload)),
            }
        }
    }

    /// Whether a large package is under way that is not let in: nothing more of it is decompressed, and no more should be pushed.
    pub fn is_large(&self) -> bool {
        let plain = self.chunks.as_ref().map(|chunks| &chunks.buffer).filter(|buffer| !buffer.is_empty());
        !self.let_in && is_large(plain.unwrap_or(&self.buffer))
    }

    /// Lets the large package in, for as long as it is under way.
    pub fn let_in(&mut self) {
        self.let_in = true;
    }

    /// Whether a large package that was let in is under way.
    pub fn is_let_in(&self) -> bool {
        self.let_in
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

/// Whether a buffer begins with a plain package that is large.
fn is_large(buffer: &BytesMut) -> bool {
    let header = buffer.first_chunk().and_then(|octets| Header::from_bytes(*octets).ok());
    header.is_some_and(|header| !header.compressed && header.length as usize > LARGE_PACKAGE_BYTES)
}

/// The next package of a buffer, which may be compressed or may not, once it is there as a whole.
fn split(
    buffer: &mut BytesMut,
    payload_bytes_max: usize,
    compressed: bool,
) -> Result<Option<(Header, Bytes)>, Violation> {
    let Some(octets) = buffer.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
    let header = Header::from_bytes(*octets)?;
    if header.compressed && !compressed {
        return Err(FORBIDDEN);
    }
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
