//! A connection whose ends know each other: it runs until either side ends it.

use super::super::{Owner, Read, Write};
use super::compression::Compression;
use super::congestion::close;
use super::error::{GOODBYE, QuicError, code, words};
use super::reading::{self, End};
use super::silence::end_silences;
use super::writing::{self, Pieces};
use async_channel::Receiver;
use bytes::Bytes;
use edgehub_core::package::{Arrived, Class, Incoming, MESSAGES, STREAMS};
use futures_util::StreamExt;
use futures_util::future::Either;
use futures_util::stream::FuturesUnordered;
use quinn::{Connection, Endpoint, RecvStream, SendStream};
use smol::Executor;
use smol::future::or;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long a connection may take to say goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the last packet of a connection may take to leave.
pub(super) const LAST_PACKET: Duration = Duration::from_millis(250);

/// The control lane, with what came on it after the first message.
pub(super) type ControlLane = (SendStream, RecvStream, Incoming);

/// An open connection with its streams.
pub(crate) struct Session {
    /// The node's: what the connection lives on. The cloud's connections share theirs.
    own: Option<(Arc<Executor<'static>>, Endpoint)>,
    endpoint: Option<Endpoint>,
    connection: Connection,
    control: ControlLane,
    /// One for each number of [`STREAMS`].
    streams: Vec<SendStream>,
    compression: Compression,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("peer", &self.connection.remote_address()).finish_non_exhaustive()
    }
}

impl Session {
    /// The node's, on an endpoint of its own.
    pub(super) async fn open(
        endpoint: Endpoint,
        connection: Connection,
        control: ControlLane,
        compression: Compression,
    ) -> Result<Session, QuicError> {
        let session = Session::accepted(connection, control, compression).await?;
        Ok(Session { endpoint: Some(endpoint), ..session })
    }

    /// The cloud's.
    pub(super) async fn accepted(
        connection: Connection,
        control: ControlLane,
        compression: Compression,
    ) -> Result<Session, QuicError> {
        let mut streams = Vec::with_capacity(STREAMS);
        for stream in 0..STREAMS {
            // Whoever waits for an answer does not wait for the bulk.
            let priority = i32::from(Class::of_stream(stream) != Class::Bulk);
            streams.push(message_stream(&connection, priority).await?);
        }
        // What is said on it must not wait, pings aside from everything else.
        let _ = control.0.set_priority(2);
        Ok(Session { own: None, endpoint: None, connection, control, streams, compression })
    }

    /// Says something on the control lane.
    pub(super) async fn say(&mut self, package: Bytes) -> Result<(), QuicError> {
        Ok(self.control.0.write_chunk(package).await?)
    }

    /// The executor that the endpoint lives on, from now on kept with it.
    pub(super) fn on(mut self, executor: Arc<Executor<'static>>) -> Session {
        self.own = self.endpoint.take().map(|endpoint| (executor, endpoint));
        self
    }

    #[cfg(test)]
    pub(super) fn endpoint(&self) -> Option<Endpoint> {
        self.own.as_ref().map(|(_, endpoint)| endpoint.clone())
    }

    #[cfg(test)]
    pub(super) fn connection(&self) -> Connection {
        self.connection.clone()
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress { connection: self.connection.clone(), acknowledgements: 0, sent_bytes: 0 }
    }

    /// Runs until either side ends it. Ends when `writes` is closed, after saying goodbye.
    pub(crate) async fn run(self, writes: Receiver<Vec<Write>>, owner: impl Owner) {
        let Session { own, connection, control, streams, compression, .. } = self;
        let streams = (streams, compression);
        let Some((executor, endpoint)) = own else {
            return work(connection, control, streams, writes, &owner).await;
        };
        let all = async {
            work(connection, control, streams, writes, &owner).await;
            last_words(&endpoint, LAST_PACKET).await;
        };
        executor.run(all).await;
    }
}

async fn message_stream(connection: &Connection, priority: i32) -> Result<SendStream, QuicError> {
    let (mut send, _) = connection.open_bi().await?;
    let _ = send.set_priority(priority);
    send.write_all(&MESSAGES).await?;
    Ok(send)
}

async fn work(
    connection: Connection,
    (control, heard, lane): ControlLane,
    (streams, compression): (Vec<SendStream>, Compression),
    writes: Receiver<Vec<Write>>,
    owner: &impl Owner,
) {
    let (pieces, to_control, to_streams) = Pieces::channels();
    let answered = AtomicU64::new(0);
    let arrived = Mutex::new(Arrived::default());
    let compressed = !matches!(compression, Compression::None);
    let shared = reading::Shared {
        owner,
        arrived: &arrived,
        answered: &answered,
        answers: pieces.control.clone(),
        compressed,
        large: smol::lock::Mutex::new(()),
    };
    let write = async {
        let messages = (streams.into_iter().zip(to_streams), compression);
        let control = (control, to_control);
        let ended = writing::write_all(writes, pieces, control, messages, (owner, &answered)).await;
        if matches!(ended, Err(End { violation: None, .. })) {
            // The reader finds the same broken connection, behind all that it has read. It only needs the time to say so.
            after(CLOSE_TIMEOUT).await;
        }
        ended
    };
    let read = async { Err(reading::read_all(&connection, (heard, lane), shared).await) };
    let ended = {
        // Each half is polled only when it has something to do.
        let mut halves = FuturesUnordered::new();
        halves.push(Either::Left(read));
        halves.push(Either::Right(Either::Left(write)));
        halves.push(Either::Right(Either::Right(async { match end_silences(&connection).await {} })));
        halves.next().await
    };
    match ended {
        Some(Ok((code, text))) => close(&connection, code, text.as_bytes()),
        Some(Err(End { violation, why })) => {
            let name = violation.map_or("", |it| it.name());
            close(&connection, violation.map_or(GOODBYE, code), name.as_bytes());
            let last = violation.map(Read::Malformed).into_iter();
            // When nobody listens any more, nobody misses it.
            let _ = owner.read(last.chain([Read::Ended(why)]).collect()).await;
        }
        None => {}
    }
}

/// Lets what ends the connections of an endpoint leave, within this time.
pub(super) async fn last_words(endpoint: &Endpoint, limit: Duration) {
    or(endpoint.wait_idle(), after(limit)).await;
}

pub(super) async fn after(time: Duration) {
    smol::Timer::after(time).await;
}

/// Why a connection ended, if it did.
pub(super) fn end_of(connection: &Connection) -> String {
    connection.close_reason().map_or_else(|| "closed".into(), |error| words(&error))
}

/// What a quiet connection sends between two questions at the most: pings, acknowledgements, packets to keep it alive.
const QUIET_BYTES: u64 = 4 << 10;

/// Watches whether the peer's machine takes what is sent.
#[derive(Debug)]
pub(crate) struct Progress {
    connection: Connection,
    acknowledgements: u64,
    sent_bytes: u64,
}

impl Progress {
    /// Whether acknowledgements came, and data was sent, since this was asked last. Acknowledgements alone are no progress: the
    /// machine of a peer that reads nothing sends them, too. What it takes for such a peer is bounded by the window of a stream.
    pub(crate) fn is_made(&mut self) -> bool {
        let stats = self.connection.stats();
        let (acknowledgements, sent) = (stats.frame_rx.acks, stats.udp_tx.bytes);
        let acknowledged = acknowledgements > std::mem::replace(&mut self.acknowledgements, acknowledgements);
        acknowledged && sent.saturating_sub(std::mem::replace(&mut self.sent_bytes, sent)) > QUIET_BYTES
    }
}
