//! Packages that travel compressed, between peers that have agreed on it.
//!
//! A compressed package (flag 0x80 of its header) carries a *chunk*: a piece of a stream of plain packages, up to
//! [`CHUNK_BYTES_MAX`] of them. Its payload is four octets, big-endian, and a deflate stream (RFC 1951), flushed and without the flush's last
//! four octets, which are always the same. The four octets say how long the chunk is, and with their highest bit that it begins anew:
//! otherwise it may refer to the chunks before it on the same stream, so that many small messages that resemble each other become very
//! small.
//!
//! What would not become smaller is left alone: what [`pays`] says so of travels as plain packages, between two chunks.
//! A chunk becomes no longer than it says, which is checked before anything is reserved, and what comes out is taken apart like any
//! stream; so a bomb has the room that a plain stream has, and no more.

use super::header::{HEADER_BYTES, Header};
use crate::limits::{CHUNK_BYTES_MAX, COMPRESSED_BYTES_MIN};
use crate::violation::Violation;
use alloc::boxed::Box;
use bytes::BytesMut;
use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, TDEFLStatus, compress, create_comp_flags_from_zip_params,
};
use miniz_oxide::inflate::stream::{FullReset, InflateState, inflate};
use miniz_oxide::{DataFormat, MZFlush, MZStatus};

/// What begins a payload.
const LENGTH_BYTES: usize = 4;

/// The bit of the length that says that nothing before counts.
const ANEW: u32 = 1 << 31;

/// How each flush ends: an empty block.
const FLUSHED: [u8; 4] = [0, 0, 0xff, 0xff];

/// How hard is tried. More costs several times the work for a few hundredths of the bytes.
const LEVEL: i32 = 2;

/// Raw deflate: no header and no checksum, the lane has its own.
const RAW: i32 = -15;

/// Octets of a message that are looked at.
const SAMPLE_BYTES: usize = 2048;

/// Whether compressing this is likely to pay: whether two octets of a sample, taken at random, are equal often enough. JSON comes to
/// one in twenty; base64 of what is compressed already to one in 64, encrypted bytes to one in 256.
pub fn pays(packages: &[u8]) -> bool {
    let begin = packages.len().saturating_sub(SAMPLE_BYTES) / 2;
    let sample = packages.iter().skip(begin).take(SAMPLE_BYTES);
    let (mut counts, mut octets) = ([0_u32; 256], 0_u64);
    for octet in sample {
        counts[usize::from(*octet)] += 1;
        octets += 1;
    }
    // Of few octets nothing can be said.
    let pairs: u64 = counts.iter().map(|count| u64::from(*count) * u64::from(*count)).sum();
    octets < 512 || pairs * 45 > octets * octets
}

/// Compresses what is written on a stream.
#[derive(Default)]
pub struct Compressor {
    /// There once something was compressed: it takes some 300 kB.
    deflate: Option<Box<CompressorOxide>>,
    anew: bool,
}

impl core::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Compressor").field("anew", &self.anew).finish_non_exhaustive()
    }
}

impl Compressor {
    /// The next chunk refers to nothing before it: whoever compresses for several streams says so before each.
    pub fn begin_anew(&mut self) {
        self.anew = true;
        if let Some(deflate) = &mut self.deflate {
            deflate.reset();
        }
    }

    /// Appends whole packages, compressed if they are long enough for that.
    pub fn compress(&mut self, packages: &[u8], out: &mut BytesMut) {
        if packages.len() < COMPRESSED_BYTES_MIN {
            out.extend_from_slice(packages);
            return;
        }
        packages.chunks(CHUNK_BYTES_MAX).for_each(|chunk| self.chunk(chunk, out));
    }

    fn chunk(&mut self, chunk: &[u8], out: &mut BytesMut) {
        let flags = create_comp_flags_from_zip_params(LEVEL, RAW, 0);
        let anew = core::mem::take(&mut self.anew) || self.deflate.is_none();
        let deflate = self.deflate.get_or_insert_with(|| Box::new(CompressorOxide::new(flags)));
        let begin = out.len();
        out.resize(begin + HEADER_BYTES + LENGTH_BYTES, 0);
        let (mut rest, mut written) = (chunk, out.len());
        loop {
            // Room for what deflate cannot make smaller; more if that should not be enough.
            out.resize(written + rest.len() + 256, 0);
            let (status, taken, put) = compress(deflate, rest, &mut out[written..], TDEFLFlush::Sync);
            (rest, written) = (rest.get(taken..).unwrap_or_default(), written + put);
            if rest.is_empty() && written < out.len() || status != TDEFLStatus::Okay {
                break;
            }
        }
        out.truncate(written);
        if out.ends_with(&FLUSHED) {
            out.truncate(written - FLUSHED.len());
        }
        let length = chunk.len() as u32 | if anew { ANEW } else { 0 };
        let payload = out.len() - begin - HEADER_BYTES;
        let header = Header { compressed: true, length: payload as u32 };
        out[begin..begin + HEADER_BYTES].copy_from_slice(&header.to_bytes());
        out[begin + HEADER_BYTES..begin + HEADER_BYTES + LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
    }
}

/// Undoes what a [`Compressor`] did.
#[derive(Default)]
pub(super) struct Decompressor {
    /// There once something was decompressed: it takes some 40 kB.
    inflate: Option<Box<InflateState>>,
}

impl core::fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Decompressor").finish_non_exhaustive()
    }
}

impl Decompressor {
    /// Appends the chunk that a payload is.
    pub(super) fn decompress(&mut self, payload: &[u8], out: &mut BytesMut) -> Result<(), Violation> {
        let (length, mut rest) = payload.split_first_chunk::<LENGTH_BYTES>().ok_or(Violation::NotDeflate)?;
        let length = u32::from_be_bytes(*length);
        let bytes = (length & !ANEW) as usize;
        if bytes > CHUNK_BYTES_MAX {
            return Err(Violation::PackageTooLarge { bytes, limit: CHUNK_BYTES_MAX });
        }
        let state = self.inflate.get_or_insert_with(|| InflateState::new_boxed(DataFormat::Raw));
        if length & ANEW != 0 {
            state.reset_as(FullReset(DataFormat::Raw));
        }
        // One octet more than there may be tells a chunk that is longer than it says.
        let begin = out.len();
        out.resize(begin + bytes + 1, 0);
        let (mut written, mut end) = (0, &FLUSHED[..]);
        while !rest.is_empty() || !end.is_empty() {
            let input = if rest.is_empty() { &mut end } else { &mut rest };
            let done = inflate(state, input, &mut out[begin + written..], MZFlush::None);
            *input = input.get(done.bytes_consumed..).unwrap_or_default();
            written += done.bytes_written;
            if written > bytes || !matches!(done.status, Ok(MZStatus::Ok)) {
                break;
            }
        }
        if !rest.is_empty() || !end.is_empty() || written != bytes {
            out.truncate(begin);
            return Err(Violation::NotDeflate);
        }
        out.truncate(begin + bytes);
        Ok(())
    }
}
