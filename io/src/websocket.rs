//! The WebSocket lane as a transport: TCP, TLS and the HTTP upgrade, from both ends. It knows nothing of messages.
//!
//! [`connect`] is the node's end and [`accept`] the cloud hub's. What they return is an open WebSocket whose frames
//! and messages are limited in size, and whose buffers are bounded.

use std::future::Future;
use std::time::Duration;

use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::protocol::WebSocketConfig;
use smol::Timer;
use smol::future::FutureExt;
use smol::net::TcpStream;

mod accept;
mod connect;
mod error;
mod progress;
mod upgrade;
mod url;

pub use accept::{Accepted, accept};
pub use connect::{Target, connect};
pub use error::{AcceptError, ConnectError, Stage, TlsFailure};
pub(crate) use progress::Progress;
pub(crate) use url::is_plain_name;
pub use url::{complete_url, host_and_port, names_in_url};

/// An open WebSocket, the node's end.
pub type Stream = WebSocketStream<futures_rustls::client::TlsStream<TcpStream>>;
/// An open WebSocket, the cloud hub's end.
pub type ServerStream = WebSocketStream<futures_rustls::server::TlsStream<TcpStream>>;

/// The largest message, and the largest frame, that either side takes unless told otherwise: 32 MiB.
pub const MESSAGE_BYTES_MAX: usize = 32 << 20;

/// What a link reads at a time. One TLS record holds no more, and an idle link keeps this buffer.
const READ_BUFFER_BYTES: usize = 16 << 10;
/// Fed frames gather up to here before they are written without a flush, and as much is encrypted before it is handed to the
/// operating system.
const WRITE_BUFFER_BYTES: usize = 128 << 10;

fn websocket_config(message_bytes_max: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        // Room for the largest message on top of a full buffer, so that a write never fails for want of it.
        .max_write_buffer_size(message_bytes_max.saturating_add(2 * WRITE_BUFFER_BYTES))
        .max_message_size(Some(message_bytes_max))
        .max_frame_size(Some(message_bytes_max))
}

/// Runs the future for at most this long.
async fn within<T, E>(
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
    late: impl FnOnce() -> E,
) -> Result<T, E> {
    let deadline = async {
        Timer::after(limit).await;
        Err(late())
    };
    work.or(deadline).await
}

#[cfg(test)]
mod tests;
