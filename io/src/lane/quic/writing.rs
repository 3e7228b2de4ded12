//! From batches onto streams.

use super::super::{Owner, Write};
use super::compression::Compression;
use super::error::{GOODBYE, words};
use super::reading::End;
use super::session::after;
use async_channel::{Receiver, Sender};
use bytes::{Bytes, BytesMut};
use edgehub_core::package::{Class, Encoder, STREAMS, Written, pays};
use edgehub_core::{Message, Violation};
use futures_util::future::try_join_all;
use quinn::{SendStream, VarInt, WriteError};
use smol::future::{self, or, try_zip};
use std::time::Duration;

/// Answers and pings that may wait for the control lane: a peer that asks and does not read is not read any more.
const CONTROL_WAITING: usize = 256;

/// How long a peer may take to acknowledge what was written before a goodbye.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

/// Some packages, and what their owner wants to know when they are written.
#[derive(Debug, Default)]
pub(super) struct Piece {
    data: BytesMut,
    /// Packages that are to be compressed together, behind those.
    together: BytesMut,
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
    pub(super) fn channels() -> (Pieces, [Receiver<Piece>; 1 + STREAMS]) {
        let (control, to_control) = async_channel::bounded(CONTROL_WAITING);
        let (urgent, to_urgent) = async_channel::unbounded();
        let (bulk, to_bulk) = async_channel::unbounded();
        (Pieces { control, messages: [urgent, bulk] }, [to_control, to_urgent, to_bulk])
    }
}

impl Piece {
    /// Appends a message.
    fn add(&mut self, message: &Message, encoder: &mut Encoder, compression: &mut Compression) {
        self.messages += 1;
        self.bytes += message.bytes();
        if !compression.is_for(Class::of(message)) {
            return encoder.encode(message, &mut self.data);
        }
        let begin = self.together.len();
        encoder.encode(message, &mut self.together);
        if !pays(&self.together[begin..]) {
            let alone = self.together.split_off(begin);
            self.pack(compression);
            self.data.extend_from_slice(&alone);
        }
    }

    /// Compresses what is to be.
    fn pack(&mut self, compression: &mut Compression) {
        if !self.together.is_empty() {
            compression.pack(&self.together, &mut self.data);
            self.together.clear();
        }
    }
}

impl From<Message> for Piece {
    fn from(message: Message) -> Piece {
        let mut data = BytesMut::new();
        Encoder::default().encode(&message, &mut data);
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
    (streams, compression): ([(SendStream, Receiver<Piece>); STREAMS], Compression),
    owner: &impl Owner,
) -> Result<(VarInt, &'static str), End> {
    let Pieces { control: answers, messages } = pieces;
    let distribute = async {
        let last = distribute(writes, &answers, &messages, compression).await;
        // The streams end when they have written what is there; the control lane ends with the connection.
        for stream in &messages {
            stream.close();
        }
        Ok::<_, End>(last)
    };
    let write = try_join_all(streams.map(|(stream, pieces)| async {
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

/// Gives each message to its stream, and each ping, with the count of them, to the control lane.
async fn distribute(
    writes: Receiver<Vec<Write>>,
    control: &Sender<Piece>,
    streams: &[Sender<Piece>; STREAMS],
    mut compression: Compression,
) -> (VarInt, &'static str) {
    let mut encoder = Encoder::default();
    let mut written = Written::default();
    while let Ok(batch) = writes.recv().await {
        let mut pieces: [Piece; STREAMS] = Default::default();
        let mut next = Some(batch);
        while let Some(batch) = next {
            for write in batch {
                match write {
                    Write::Message(message) => {
                        let class = Class::of(&message);
                        let piece = &mut pieces[class as usize];
                        piece.add(&message, &mut encoder, &mut compression);
                        written.wrote(class);
                    }
                    Write::Ping(number) => {
                        // It may overtake what it counts: the peer waits for that.
                        if let Ok(ping) = written.ping(number).to_message() {
                            let _ = control.send(ping.into()).await;
                        }
                    }
                    Write::Close(code, text) => {
                        hand_over(pieces, streams, &mut compression);
                        return (VarInt::from_u32(code.into()), text);
                    }
                    // Of another lane's form: the driver asks each link for its own.
                    Write::Frame(_) => {}
                }
            }
            next = writes.try_recv().ok();
        }
        hand_over(pieces, streams, &mut compression);
    }
    (GOODBYE, "")
}

fn hand_over(pieces: [Piece; STREAMS], streams: &[Sender<Piece>; STREAMS], compression: &mut Compression) {
    for (mut piece, stream) in pieces.into_iter().zip(streams) {
        if piece.messages > 0 {
            piece.pack(compression);
            // Unbounded, and closed only after the last one.
            let _ = stream.try_send(piece);
        }
    }
}
