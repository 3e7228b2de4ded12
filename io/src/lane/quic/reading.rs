//! From streams to the owner.

use super::super::{BATCH_MESSAGES, Owner, Read};
use super::error::{NOT_SERVED, QuicError};
use super::session::{after, end_of};
use super::writing::Piece;
use async_channel::Sender;
use bytes::Bytes;
use edgehub_core::limits::STREAMS_MAX;
use edgehub_core::package::{Arrived, Control, Incoming, Use, answer, pong};
use edgehub_core::{Message, Violation};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use quinn::{Connection, ReadError, RecvStream, SendStream};
use smol::future::or;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a stream may take to say what it is for.
const USE_TIMEOUT: Duration = Duration::from_millis(if cfg!(test) { 200 } else { 10_000 });

/// Pieces of a stream that are taken at one time: some hundred kilobytes.
const CHUNKS: usize = 128;

/// … at the most, as each came in one packet.
#[cfg(test)]
pub(super) const PIECES_BYTES_MAX: usize = CHUNKS * super::packets::PAYLOAD_BYTES_MAX as usize;

/// How a connection ended.
pub(super) struct End {
    pub(super) violation: Option<Violation>,
    pub(super) why: String,
}

impl From<Violation> for End {
    fn from(violation: Violation) -> End {
        End { violation: Some(violation), why: violation.to_string() }
    }
}

/// What the readers of a connection share.
pub(super) struct Shared<'a, O> {
    pub(super) owner: &'a O,
    pub(super) arrived: &'a Mutex<Arrived>,
    /// The number of the last pong.
    pub(super) answered: &'a AtomicU64,
    pub(super) answers: Sender<Piece>,
    /// Streams of messages may be compressed.
    pub(super) compressed: bool,
    /// Held by the stream that reads a large message.
    pub(super) large: smol::lock::Mutex<()>,
}

/// What a reader says when it is done.
enum Done {
    /// The peer has opened a stream.
    Stream(SendStream, RecvStream),
    /// A stream has come to its end, or all of them have; what was read of the others still counts.
    Over,
    /// The connection is over.
    End(End),
}

/// Reads every stream until the connection ends.
pub(super) async fn read_all<O: Owner>(
    connection: &Connection,
    (control, lane): (RecvStream, Incoming),
    shared: Shared<'_, O>,
) -> End {
    let mut readers: FuturesUnordered<BoxFuture<'_, Done>> = FuturesUnordered::new();
    readers.push(Box::pin(accept(connection)));
    let shared = &shared;
    readers.push(Box::pin(async move {
        read_control(connection, control, lane, shared).await.map_or_else(Done::End, |()| Done::Over)
    }));
    let mut streams = 0;
    while let Some(done) = readers.next().await {
        match done {
            Done::Stream(send, receive) => {
                let number = streams;
                streams += 1;
                if streams > STREAMS_MAX {
                    return Violation::TooManyStreams.into();
                }
                readers.push(Box::pin(accept(connection)));
                readers.push(Box::pin(async move {
                    let read = read_stream(send, receive, number, shared).await;
                    read.map_or_else(Done::End, |()| Done::Over)
                }));
            }
            Done::Over => {}
            Done::End(end) => return end,
        }
    }
    End { violation: None, why: end_of(connection) }
}

async fn accept(connection: &Connection) -> Done {
    match connection.accept_bi().await {
        Ok((send, receive)) => Done::Stream(send, receive),
        Err(_) => Done::Over,
    }
}

/// Reads one of the peer's streams to its end.
async fn read_stream<O: Owner>(
    mut send: SendStream,
    mut receive: RecvStream,
    number: usize,
    shared: &Shared<'_, O>,
) -> Result<(), End> {
    let mut stream = Incoming::new(number, shared.compressed);
    let late = async {
        after(USE_TIMEOUT).await;
        Err(Violation::StreamUse)
    };
    let said = async {
        while stream.is_for()?.is_none() {
            if !next_pieces(&mut receive, &mut stream, Violation::StreamUse).await? {
                return Ok(None);
            }
        }
        stream.is_for()
    };
    match or(said, late).await? {
        Some(Use::Messages) => {}
        Some(Use::NotServed) => {
            // Neither half has a use; the connection is not the worse for it.
            let _ = (send.reset(NOT_SERVED), receive.stop(NOT_SERVED));
            return Ok(());
        }
        // The connection is over.
        None => return Ok(()),
    }
    let mut turn = None;
    loop {
        let mut more = true;
        while more {
            let (batch, outcome) = next_batch(&mut stream);
            shared.hand_on(number, batch).await?;
            more = outcome?;
        }
        if !stream.is_let_in() {
            drop(turn.take());
        }
        if stream.is_large() {
            // Meanwhile the transport holds the rest of this stream back.
            turn = Some(shared.large.lock().await);
            stream.let_in();
            continue;
        }
        if !next_pieces(&mut receive, &mut stream, Violation::PackageTruncated).await? {
            return Ok(());
        }
    }
}

/// The next messages, at most one batch of them, and whether there may be more, or what is wrong behind them.
fn next_batch(stream: &mut Incoming) -> (Vec<Read>, Result<bool, Violation>) {
    let mut batch = Vec::new();
    while batch.len() < BATCH_MESSAGES {
        match stream.next_message() {
            Ok(Some(read)) => batch.push(read.map_or_else(Read::Malformed, Read::Message)),
            Ok(None) => return (batch, Ok(false)),
            Err(violation) => return (batch, Err(violation)),
        }
    }
    (batch, Ok(true))
}

/// Hands on what is there; `false` at the end of the stream or of the connection. A peer that takes the stream back breaks this rule.
async fn next_pieces(
    receive: &mut RecvStream,
    to: &mut Incoming,
    taken_back: Violation,
) -> Result<bool, Violation> {
    let mut chunks: [Bytes; CHUNKS] = [const { Bytes::new() }; CHUNKS];
    match receive.read_chunks(&mut chunks).await {
        Ok(Some(count)) => {
            chunks.iter().take(count).for_each(|chunk| to.push(chunk));
            Ok(true)
        }
        Ok(None) => to.finish().map(|()| false),
        Err(ReadError::ConnectionLost(_)) => Ok(false),
        Err(_) => Err(taken_back),
    }
}

/// Reads the control lane until the connection ends.
async fn read_control<O: Owner>(
    connection: &Connection,
    mut receive: RecvStream,
    mut lane: Incoming,
    shared: &Shared<'_, O>,
) -> Result<(), End> {
    loop {
        let mut batch = Vec::new();
        while let Some(read) = lane.next_message()? {
            let message = read?;
            match Control::of(&message)? {
                Control::Ping(ping) => {
                    shared.arrived.lock().unwrap_or_else(PoisonError::into_inner).asked(ping)?;
                }
                Control::Answer { to, .. } => {
                    if let Ok(number) = to.parse() {
                        shared.answered.fetch_max(number, Relaxed);
                        batch.push(Read::Pong(number));
                    }
                }
                Control::Hello(_) => return Err(Violation::ControlLane.into()),
                Control::Other => shared.say(answer(&message, true)).await,
            }
        }
        shared.answer_pings().await;
        if !batch.is_empty() && !shared.owner.read(batch).await {
            return Err(End { violation: None, why: "nobody reads any more".into() });
        }
        if !next_pieces(&mut receive, &mut lane, Violation::ControlLaneClosed).await? {
            return match connection.close_reason() {
                Some(_) => Ok(()),
                None => Err(Violation::ControlLaneClosed.into()),
            };
        }
    }
}

impl<O: Owner> Shared<'_, O> {
    /// Hands messages of a stream to the owner, and answers the pings that waited for them.
    async fn hand_on(&self, stream: usize, batch: Vec<Read>) -> Result<(), End> {
        let messages = batch.len() as u64;
        if messages == 0 {
            return Ok(());
        }
        if !self.owner.read(batch).await {
            return Err(End { violation: None, why: "nobody reads any more".into() });
        }
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).read(stream, messages);
        self.answer_pings().await;
        Ok(())
    }

    /// Answers every ping whose messages are all handed on.
    async fn answer_pings(&self) {
        let next = || self.arrived.lock().unwrap_or_else(PoisonError::into_inner).next_pong();
        while let Some(number) = next() {
            self.say(pong(number)).await;
        }
    }

    async fn say(&self, message: Result<Message, Violation>) {
        if let Ok(message) = message {
            // A control lane that is gone needs no answers.
            let _ = self.answers.send(message.into()).await;
        }
    }
}

/// The first message on the control lane.
pub(super) async fn control_message(
    receive: &mut RecvStream,
    lane: &mut Incoming,
) -> Result<Message, QuicError> {
    loop {
        if let Some(read) = lane.next_message()? {
            return Ok(read?);
        }
        match receive.read_chunk(usize::MAX, true).await? {
            Some(chunk) => lane.push(&chunk.bytes),
            None => return Err(Violation::ControlLaneClosed.into()),
        }
    }
}
