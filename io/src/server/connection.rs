//! One accepted connection, from the handshake to its end: a task and its channels.

use crate::pump::{BATCHES, Read, Write, pump};
use crate::websocket::{MESSAGE_BYTES_MAX, accept};
use async_channel::{Receiver, Sender};
use edgehub_core::cloud::ConnectionId;
use rustls::ServerConfig;
use smol::net::{Shutdown, TcpStream};
use smol::{Executor, Task};
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;
use tracing::{debug, warn};

/// What connections tell the driver.
pub(super) enum Event {
    /// The handshake is complete.
    Arrived(Arrived),
    /// So many messages have been handed to the operating system.
    Flushed(ConnectionId, usize),
}

/// A connection whose node is known.
pub(super) struct Arrived {
    pub(super) id: ConnectionId,
    pub(super) node: String,
    pub(super) project: String,
    pub(super) writes: Sender<Vec<Write>>,
}

/// A connection as its driver holds it. Dropping it cuts the connection.
pub(super) struct Connection {
    pub(super) writes: Sender<Vec<Write>>,
    pub(super) task: Task<()>,
    /// Set it, and the task does nothing any more while its socket stays open, as in a frozen process.
    pub(super) frozen: Arc<AtomicBool>,
    socket: TcpStream,
}

impl Connection {
    /// Ends the connection as a network failure does: nothing is said, and what was read before still counts.
    pub(super) fn cut(&self) {
        // One that is gone already needs no cut.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// Serves a connection on the executor. Batches of what it reads go to `reads`, which every connection shares: a slow
/// server stops reading all of them.
pub(super) fn serve(
    executor: &Executor<'_>,
    id: ConnectionId,
    stream: TcpStream,
    tls: Arc<ServerConfig>,
    handshake_timeout: Duration,
    events: Sender<Event>,
    reads: Sender<(ConnectionId, Vec<Read>)>,
) -> Connection {
    let (writes, to_write) = async_channel::unbounded();
    let frozen = Arc::new(AtomicBool::new(false));
    let socket = stream.clone();
    let mut work = Box::pin(run(id, stream, tls, handshake_timeout, events, reads, writes.clone(), to_write));
    let is_frozen = frozen.clone();
    let task = executor.spawn(poll_fn(move |cx| {
        if is_frozen.load(Ordering::Relaxed) { Poll::Pending } else { work.as_mut().poll(cx) }
    }));
    Connection { writes, task, frozen, socket }
}

#[expect(clippy::too_many_arguments, reason = "the parts of one connection, named once each")]
async fn run(
    id: ConnectionId,
    stream: TcpStream,
    tls: Arc<ServerConfig>,
    handshake_timeout: Duration,
    events: Sender<Event>,
    reads: Sender<(ConnectionId, Vec<Read>)>,
    writes: Sender<Vec<Write>>,
    to_write: Receiver<Vec<Write>>,
) {
    let accepted = match accept(stream, tls, handshake_timeout, MESSAGE_BYTES_MAX).await {
        Ok(accepted) => accepted,
        Err(error) => {
            warn!(%error, "connection refused");
            // The driver forgets the connection when it reads its end.
            let _ = reads.send((id, vec![Read::Ended(error.to_string())])).await;
            return;
        }
    };
    debug!(node = accepted.node, peer = %accepted.peer, "node connected");
    let (node, project) = (accepted.node, accepted.project);
    // The driver's channel is unbounded; when the driver is gone, so is the need to tell it.
    let _ = events.try_send(Event::Arrived(Arrived { id, node, project, writes }));
    let (read, batches) = async_channel::bounded(BATCHES);
    let forward = async {
        while let Ok(batch) = batches.recv().await {
            if reads.send((id, batch)).await.is_err() {
                return;
            }
        }
    };
    let flushed = |messages, _| drop(events.try_send(Event::Flushed(id, messages)));
    smol::future::zip(pump(accepted.stream, to_write, read, flushed), forward).await;
    // A connection that we closed ourselves has read no end.
    let _ = reads.send((id, vec![Read::Ended("closed".into())])).await;
}
