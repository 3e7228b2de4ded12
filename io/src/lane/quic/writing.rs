//! From batches onto streams.

use super::super::{Owner, Write};
use super::compression::Compression;
use super::error::{GOODBYE, words};
use super::reading::End;
use super::session::after;
use async_channel::{Receiver, Sender};
use bytes::{Bytes, BytesMut};
use edgehub_core::package::{STREAMS, Written, encode, encoded_bytes_max, pays};
use edgehub_core::{Message, Violation};
use futures_util::future::try_join_all;
use quinn::{SendStream, VarInt, WriteError};
use smol::future::{self, or, try_zip};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Answers and pings that may wait for the control lane: a peer that asks and does not read is not read any more.
const CONTROL_WAITING: usize = 256;

/// How long a peer may take to acknowledge what was written before a goodbye.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

/// Some packages, and what their owner wants to know when they are written.
#[derive(Debug, Default)]
pub(super) struct Piece {
    data: BytesMut,
    messages: usize,
    bytes: usize,
}

/// What leads to the writers of the streams.
#[derive(Debug)]
pub(super) struct Pieces {
    pub(super) control: Sender<Piece>,
    messages: [Sender<Piece>; STREAMS],
}

impl Pieces {
    /// Channels to the control lane, and to each of the streams. The latter are bounded by what the owner does not yet know to be
    /// written.
    pub(super) fn channels() -> (Pieces, Receiver<Piece>, [Receiver<Piece>; STREAMS]) {
        let (control, to_control) = async_channel::bounded(CONTROL_WAITING);
        let ends = [(); STREAMS].map(|()| async_channel::unbounded());
        let messages = ends.each_ref().map(|(to, _)| to.clone());
        (Pieces { control, messages }, to_control, ends.map(|(_, from)| from))
    }
}

impl Piece {
    /// Messages of one stream.
    fn of(messages: &[Box<Message>], stream: usize, compression: &mut Compression) -> Piece {
        let mut packages = BytesMut::with_capacity(messages.iter().map(|it| encoded_bytes_max(it)).sum());
        let data = match compression.is_for(stream) {
            true => compressed(messages, packages, |packages, out| compression.pack(stream, packages, out)),
            false => {
                messages.iter().for_each(|message| encode(message, &mut packages));
                packages
            }
        };
        Piece { data, messages: messages.len(), bytes: messages.iter().map(|it| it.bytes()).sum() }
    }
}

/// The same messages compressed, but for those that gain nothing by it.
fn compressed(
    messages: &[Box<Message>],
    mut packages: BytesMut,
    mut pack: impl FnMut(&[u8], &mut BytesMut),
) -> BytesMut {
    let mut data = BytesMut::new();
    for message in messages {
        let begin = packages.len();
        encode(message, &mut packages);
        let (before, last) = packages.split_at(begin);
        if !pays(last) {
            if !before.is_empty() {
                pack(before, &mut data);
            }
            data.extend_from_slice(last);
            packages.clear();
        }
    }
    if !packages.is_empty() {
        pack(&packages, &mut data);
    }
    data
}

impl From<Message> for Piece {
    fn from(message: Message) -> Piece {
        let mut data = BytesMut::new();
        encode(&message, &mut data);
        Piece { data, ..Piece::default() }
    }
}

/// A message as a package.
pub(super) fn package(message: &Message) -> Bytes {
    Piece::from(message.clone()).data.freeze()
}

/// Writes until there is nothing more to come, and until the peer has it all. Returns the last words, or why one of the streams
/// cannot be written any more: then the others have no use either.
pub(super) async fn write_all(
    writes: Receiver<Vec<Write>>,
    pieces: Pieces,
    (control, to_control): (SendStream, Receiver<Piece>),
    (streams, compression): (impl IntoIterator<Item = (SendStream, Receiver<Piece>)>, Compression),
    (owner, answered): (&impl Owner, &AtomicU64),
) -> Result<(VarInt, &'static str), End> {
    let Pieces { control: answers, messages } = pieces;
    let distribute = async {
        let last = distribute(writes, &answers, (&messages, compression), answered).await;
        // The streams end when they have written what is there; the control lane ends with the connection.
        for stream in &messages {
            stream.close();
        }
        Ok::<_, End>(last)
    };
    let write = try_join_all(streams.into_iter().map(|(stream, pieces)| async {
        let mut stream = stream;
        write_one(&mut stream, pieces, owner)
            .await
            .map_err(|error| broken(&error, Violation::StreamStopped))?;
        if stream.finish().is_ok() {
            // A peer that does not read is not waited for.
            or(async { drop(stream.stopped().await) }, after(GOODBYE_TIMEOUT)).await;
        }
        Ok(())
    }));
    let mut control = control;
    let messages = async { try_zip(distribute, write).await.map(|(last, _)| last) };
    let control = async {
        match write_one(&mut control, to_control, owner).await {
            Err(error) => Err(broken(&error, Violation::ControlLaneClosed)),
            // It has no end of its own.
            Ok(()) => future::pending().await,
        }
    };
    or(messages, control).await
}

/// Why a stream cannot be written: the peer wants no more of it, or there is no connection.
fn broken(error: &WriteError, stopped: Violation) -> End {
    match error {
        WriteError::Stopped(_) => stopped.into(),
        WriteError::ConnectionLost(error) => End { violation: None, why: words(error) },
        other => End { violation: None, why: other.to_string() },
    }
}

/// Writes what comes to one stream.
async fn write_one(
    stream: &mut SendStream,
    pieces: Receiver<Piece>,
    owner: &impl Owner,
) -> Result<(), WriteError> {
    while let Ok(Piece { data, messages, bytes, .. }) = pieces.recv().await {
        stream.write_chunk(data.freeze()).await?;
        if messages > 0 {
            owner.flushed(messages, bytes);
        }
    }
    Ok(())
}

/// Gives each message to its stream, and each ping, with the count of them, to the control lane. The number of the last pong comes from `answered`.
async fn distribute(
    writes: Receiver<Vec<Write>>,
    control: &Sender<Piece>,
    (streams, mut compression): (&[Sender<Piece>; STREAMS], Compression),
    answered: &AtomicU64,
) -> (VarInt, &'static str) {
    let mut written = Written::default();
    while let Ok(batch) = writes.recv().await {
        let mut messages: [Vec<Box<Message>>; STREAMS] = Default::default();
        let mut next = Some(batch);
        let mut last = None;
        while let Some(batch) = next.filter(|_| last.is_none()) {
            written.answered(answered.load(Relaxed));
            for write in batch {
                match write {
                    Write::Message(message) => messages[written.wrote(&message)].push(message),
                    Write::Ping(number) => {
                        // It may overtake what it counts: the peer waits for that.
                        if let Ok(ping) = written.ping(number).to_message() {
                            let _ = control.send(ping.into()).await;
                        }
                    }
                    Write::Close(code, text) => last = Some((VarInt::from_u32(code.into()), text)),
                    // Of another lane's form: the driver asks each link for its own.
                    Write::Frame(_) => {}
                }
            }
            next = writes.try_recv().ok();
        }
        for (stream, (messages, to)) in messages.iter().zip(streams).enumerate() {
            if !messages.is_empty() {
                // Unbounded, and closed only after the last one.
                let _ = to.try_send(Piece::of(messages, stream, &mut compression));
            }
        }
        if let Some(last) = last {
            return last;
        }
    }
    (GOODBYE, "")
}
