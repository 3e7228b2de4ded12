//! The QUIC lane: RFC 9000 between our own peers, with the packages of [`edgehub_core::package`].
//!
//! The node opens a connection with the ALPN `viaduct/1` and the same certificates as on a WebSocket, then the control lane, on which X
//!
//! - **Addresses** may change: the connection lives on, as QUIC provides for it, and nothing is sent again that arrived.
//! - **Keep-alive and idle timeout** follow the hub's pings: the lane must not give up before the hub does, who gives up a
//!   silent link after `ping_interval × (ping_misses + 1)`. See `transport`.
//! - **Sessions are resumed**, in memory, for as long as the node's certificate stays the same; the cloud looks at its dates again.
//! - **0-RTT is not used**: what is sent that way can be played back by anybody who saw it, and the first thing that is said
//!   here opens a session and ends an older one.
//! - **Compression** is agreed on by the name of the protocol, in the handshake; see `compression`.
//! - **KubeEdge's own QUIC** is older than the standard. Its answer is recognised and named in the error.

mod client;
mod compression;
mod congestion;
mod error;
mod older;
mod packets;
mod reading;
mod runtime;
mod server;
mod session;
mod silence;
mod socket;
mod timer;
mod transport;
mod writing;

pub(super) use client::Client;
pub(super) use error::QuicError;
pub(super) use server::{Arrival, Cut, Server};
pub(super) use session::{Progress, Session};

#[cfg(test)]
mod tests;

/// The name of the protocol inside TLS.
const ALPN: &[u8] = b"viaduct/1";

/// … and of the same with streams of messages that may be compressed. Only who offers this name is ever sent such a thing.
const ALPN_COMPRESSED: &[u8] = b"viaduct/1+deflate";

/// What is offered, the better one first.
fn protocols(compression: bool) -> Vec<Vec<u8>> {
    let compressed = compression.then(|| ALPN_COMPRESSED.to_vec());
    compressed.into_iter().chain([ALPN.to_vec()]).collect()
}
