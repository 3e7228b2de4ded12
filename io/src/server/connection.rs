//! One accepted connection, from the handshake to its end: a task and its channels.

use crate::lane::{Cut, Form, Incoming, Owner, Read, Write};
use async_channel::{Receiver, Sender};
use edgehub_core::cloud::ConnectionId;
use rustls::ServerConfig;
use smol::{Executor, Task};
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;
use tracing::{debug, warn};

/// What connections tell the driver.
pub(super) enum Event {
    /// The handshake is complete.
    Arrived(Arrived),
    /// It failed.
    Refused(Handshake),
    /// So many messages have been handed to the operating system.
    Flushed(ConnectionId, usize),
}

/// An accepted connection before its handshake is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Handshake(pub(super) u64);

/// A connection whose node is known.
pub(super) struct Arrived {
    pub(super) handshake: Handshake,
    /// Rises in the order in which handshakes are completed, as the cloud machine wants it.
    pub(super) id: ConnectionId,
    pub(super) node: String,
    pub(super) project: String,
}

/// A connection as its driver holds it. Dropping it cuts the connection.
pub(super) struct Connection {
    pub(super) writes: Sender<Vec<Write>>,
    /// How it wants its messages.
    pub(super) form: Form,
    pub(super) task: Task<()>,
    /// Set it, and the task does nothing any more while its socket stays open, as in a frozen process.
    pub(super) frozen: Arc<AtomicBool>,
    cut: Cut,
}

impl Connection {
    /// Ends the connection as a network failure does: nothing is said, and what was read before still counts.
    pub(super) fn cut(&self) {
        self.cut.cut();
    }
}

/// What every connection of a server shares.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) tls: Arc<ServerConfig>,
    pub(super) handshake_timeout: Duration,
    pub(super) events: Sender<Event>,
    /// Batches of what is read: a slow server stops reading all connections.
    pub(super) reads: Sender<(ConnectionId, Vec<Read>)>,
    /// Connections that completed their handshake.
    pub(super) arrived: Arc<AtomicU64>,
}

/// Serves a connection on the executor.
pub(super) fn serve(
    executor: &Executor<'_>,
    handshake: Handshake,
    incoming: Incoming,
    shared: Shared,
) -> Connection {
    let (writes, to_write) = async_channel::unbounded();
    let frozen = Arc::new(AtomicBool::new(false));
    let (cut, form) = (incoming.cut(), incoming.form());
    let mut work = Box::pin(run(handshake, incoming, shared, to_write));
    let is_frozen = frozen.clone();
    let task = executor.spawn(poll_fn(move |cx| {
        if is_frozen.load(Ordering::Relaxed) { Poll::Pending } else { work.as_mut().poll(cx) }
    }));
    Connection { writes, form, task, frozen, cut }
}

async fn run(handshake: Handshake, incoming: Incoming, shared: Shared, to_write: Receiver<Vec<Write>>) {
    let Shared { tls, handshake_timeout, events, reads, arrived } = shared;
    // The driver's channel is unbounded; when the driver is gone, so is the need to tell it.
    let tell = |event| drop(events.try_send(event));
    let accepted = match incoming.accept(tls, handshake_timeout).await {
        Ok(accepted) => accepted,
        Err(error) => {
            match error.is_visit() {
                true => debug!(%error, "no connection was wanted"),
                false => warn!(%error, "connection refused"),
            }
            return tell(Event::Refused(handshake));
        }
    };
    debug!(node = accepted.node, peer = %accepted.peer, "node connected");
    let id = ConnectionId(arrived.fetch_add(1, Ordering::Relaxed) + 1);
    let (node, project) = (accepted.node, accepted.project);
    tell(Event::Arrived(Arrived { handshake, id, node, project }));
    accepted.link.run(to_write, Ends { id, events: &events, reads: &reads }).await;
    // A connection that we closed ourselves has read no end.
    let _ = reads.send((id, vec![Read::Ended("closed".into())])).await;
}

/// Where a connection's news go.
struct Ends<'a> {
    id: ConnectionId,
    events: &'a Sender<Event>,
    reads: &'a Sender<(ConnectionId, Vec<Read>)>,
}

impl Owner for Ends<'_> {
    async fn read(&self, batch: Vec<Read>) -> bool {
        self.reads.send((self.id, batch)).await.is_ok()
    }

    fn flushed(&self, messages: usize, _: usize) {
        // The server's channel is unbounded; when the server is gone, so is the need to tell it.
        let _ = self.events.try_send(Event::Flushed(self.id, messages));
    }
}
