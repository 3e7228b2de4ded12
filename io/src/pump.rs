//! Moves frames between a WebSocket and its owner, in batches, for both ends of a link.
//!
//! Reading stops by itself while the owner takes no batch; writing flushes once per drain of its channel.

use crate::lane::{Owner, Read, Write};
use async_channel::Receiver;
use async_tungstenite::tungstenite::protocol::CloseFrame;
use async_tungstenite::tungstenite::protocol::frame::Frame as RawFrame;
use async_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use async_tungstenite::tungstenite::{Bytes, Error, Message as Frame, Utf8Bytes};
use async_tungstenite::{WebSocketReceiver, WebSocketSender, WebSocketStream};
use bytestring::ByteString;
use edgehub_core::{Message, Violation};
use futures_util::future::Either;
use futures_util::stream::FuturesUnordered;
use futures_util::{SinkExt, StreamExt};
use smol::future;
use smol::io::{AsyncRead, AsyncWrite};
use std::time::Duration;

/// Frames in one batch, and their bytes; a batch holds at least one frame.
const BATCH_FRAMES: usize = 128;
const BATCH_BYTES: usize = 256 * 1024;

/// How long a link may take to say goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs a link until either side ends it. Ends when `writes` is closed, after saying goodbye.
pub(crate) async fn pump<S: AsyncRead + AsyncWrite + Unpin>(
    socket: WebSocketStream<S>,
    writes: Receiver<Vec<Write>>,
    owner: impl Owner,
) {
    let (sink, stream) = socket.split();
    let write = async {
        if write_all(sink, writes, &owner).await.is_err() {
            // The reader finds the same broken link; it only needs the time to say so.
            smol::Timer::after(CLOSE_TIMEOUT).await;
        }
    };
    // Each half is polled when it is woken itself, and not for the other's sake: an idle read costs a system call.
    let mut halves = FuturesUnordered::new();
    halves.push(Either::Left(read_all(stream, &owner)));
    halves.push(Either::Right(write));
    halves.next().await;
}

async fn write_all<S: AsyncRead + AsyncWrite + Unpin>(
    mut sink: WebSocketSender<S>,
    writes: Receiver<Vec<Write>>,
    owner: &impl Owner,
) -> Result<(), Error> {
    while let Ok(batch) = writes.recv().await {
        let (mut messages, mut bytes) = (0, 0);
        let mut next = Some(batch);
        while let Some(batch) = next {
            for write in batch {
                match write {
                    Write::Frame(frame) => {
                        messages += 1;
                        bytes += frame.len();
                        sink.feed(text_frame(frame)).await?;
                    }
                    // Of another lane's form: the driver asks each link for its own.
                    Write::Message(_) => {}
                    Write::Ping(number) => {
                        sink.feed(Frame::Ping(Bytes::copy_from_slice(&number.to_be_bytes()))).await?;
                    }
                    Write::Close(code, text) => {
                        let frame =
                            CloseFrame { code: CloseCode::from(code), reason: Utf8Bytes::from_static(text) };
                        return goodbye(&mut sink, Frame::Close(Some(frame))).await;
                    }
                }
            }
            next = writes.try_recv().ok();
        }
        sink.flush().await?;
        if messages > 0 {
            owner.flushed(messages, bytes);
        }
    }
    goodbye(&mut sink, Frame::Close(None)).await
}

/// Sends a close frame and ends the stream, with TLS's own goodbye; a peer that does not read is not waited for.
async fn goodbye<S: AsyncRead + AsyncWrite + Unpin>(
    sink: &mut WebSocketSender<S>,
    last: Frame,
) -> Result<(), Error> {
    let end = async {
        sink.send(last).await?;
        SinkExt::close(sink).await
    };
    let give_up = async {
        smol::Timer::after(CLOSE_TIMEOUT).await;
        Ok(())
    };
    future::or(end, give_up).await
}

/// A text frame as it goes out: its text is known to be UTF-8 and need not be looked at again.
fn text_frame(text: ByteString) -> Frame {
    Frame::Frame(RawFrame::message(text.into_bytes(), OpCode::Data(Data::Text), true))
}

async fn read_all<S: AsyncRead + AsyncWrite + Unpin>(mut stream: WebSocketReceiver<S>, owner: &impl Owner) {
    let mut ended = false;
    while !ended {
        let mut batch = Vec::new();
        let mut bytes = 0;
        let mut next = Some(stream.next().await);
        while let Some(frame) = next.take() {
            bytes += frame.as_ref().map_or(0, |frame| frame.as_ref().map_or(0, Frame::len));
            ended = take_frame(frame, &mut batch);
            if !ended && batch.len() < BATCH_FRAMES && bytes < BATCH_BYTES {
                next = future::poll_once(stream.next()).await;
            }
        }
        if !batch.is_empty() && !owner.read(batch).await {
            return;
        }
    }
}

/// Turns a frame into what it means; returns whether it was the last.
fn take_frame(frame: Option<Result<Frame, Error>>, batch: &mut Vec<Read>) -> bool {
    let bytes = match frame {
        Some(Ok(Frame::Text(text))) => Bytes::from(text),
        Some(Ok(Frame::Binary(bytes))) => bytes,
        Some(Ok(Frame::Pong(payload))) => {
            // A pong of another length answers no ping of ours.
            batch.extend(<[u8; 8]>::try_from(&*payload).map(|number| Read::Pong(u64::from_be_bytes(number))));
            return false;
        }
        Some(Ok(Frame::Ping(_) | Frame::Frame(_))) => return false,
        Some(Ok(Frame::Close(frame))) => {
            let why = frame
                .map_or_else(|| "closed by the peer".into(), |frame| format!("closed by the peer: {frame}"));
            batch.push(Read::Ended(why));
            return true;
        }
        Some(Err(error)) => {
            batch.extend(violation(&error).map(Read::Malformed));
            batch.push(Read::Ended(error.to_string()));
            return true;
        }
        None => {
            batch.push(Read::Ended("closed by the peer".into()));
            return true;
        }
    };
    batch.push(Message::decode_bytes(bytes).map_or_else(Read::Malformed, Read::Message));
    false
}

/// The rule that a peer broke, where the error is one.
fn violation(error: &Error) -> Option<Violation> {
    use async_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
    match error {
        Error::Capacity(CapacityError::MessageTooLong { size, .. }) => {
            Some(Violation::FrameTooLarge { bytes: *size })
        }
        Error::Utf8(_) => Some(Violation::NotUtf8),
        // An abrupt end of the connection breaks no rule.
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        Error::Protocol(_) | Error::Capacity(_) => Some(Violation::Framing),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
