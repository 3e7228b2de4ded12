//! Who compresses what, once both ends have agreed on it.
//!
//! The node's end refers to what it wrote before: its messages are small and resemble each other, and for one connection the memory (some 300 kB
//! a stream of bulk that is used) is there. Its other streams stay plain: answers, keepalives and questions are short. The cloud's end has one
//! compressor for all its connections, and each batch begins anew: what it writes is longer, and there may be thousands of nodes.

use super::ALPN_COMPRESSED;
use bytes::BytesMut;
use edgehub_core::package::{Class, Compressor, STREAMS};
use quinn::Connection;
use quinn::crypto::rustls::HandshakeData;
use std::sync::{Arc, Mutex, PoisonError};

/// Compresses for one connection.
#[derive(Debug)]
pub(super) enum Compression {
    /// Nothing.
    None,
    /// The bulk, each batch with the help of those before on its stream.
    Own(Box<[Compressor; STREAMS]>),
    /// Everything, each batch for itself.
    Shared(Arc<Mutex<Compressor>>),
}

impl Compression {
    /// Whether packages on a stream may be compressed.
    pub(super) fn is_for(&self, stream: usize) -> bool {
        match self {
            Compression::None => false,
            Compression::Own(_) => Class::of_stream(stream) == Class::Bulk,
            Compression::Shared(_) => true,
        }
    }

    /// Appends packages in the form in which they travel on a stream.
    pub(super) fn pack(&mut self, stream: usize, packages: &[u8], out: &mut BytesMut) {
        match self {
            Compression::None => out.extend_from_slice(packages),
            Compression::Own(compressors) => match compressors.get_mut(stream) {
                Some(compressor) => compressor.compress(packages, out),
                None => out.extend_from_slice(packages),
            },
            Compression::Shared(compressor) => {
                let mut compressor = compressor.lock().unwrap_or_else(PoisonError::into_inner);
                compressor.begin_anew();
                compressor.compress(packages, out);
            }
        }
    }
}

/// Whether both ends of a connection have agreed on compression.
pub(super) fn is_agreed(connection: &Connection) -> bool {
    let data = connection.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
    data.is_some_and(|data| data.protocol.as_deref() == Some(ALPN_COMPRESSED))
}
