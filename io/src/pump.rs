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
use smol::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use std::time::Duration;

/// Frames in one batch, and their bytes; a batch holds at least one frame.
const BATCH_FRAMES: usize = 128;
const BATCH_BYTES: usize = 256 * 1024;

/// How long a link may take to say goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// What is left to be said on a link that ends.
enum Goodbye {
    /// Nothing can be: the connection is gone, or its owner.
    None,
    /// The answer to the peer's close, which the library has ready.
    Answer,
    /// A close of our own.
    Close(Option<CloseFrame>),
}

/// Runs a link until either side ends it. Ends when `writes` is closed, after saying goodbye.
pub(crate) async fn pump<S: AsyncRead + AsyncWrite + Unpin>(
    socket: WebSocketStream<S>,
    writes: Receiver<Vec<Write>>,
    owner: impl Owner,
) {
    let (mut sink, mut stream) = socket.split();
    // Each half is polled when it is woken itself, and not for the other's sake: an idle read costs a system call.
    let mut halves = FuturesUnordered::new();
    halves.push(Either::Left(read_all(&mut stream, &owner)));
    halves.push(Either::Right(write_all(&mut sink, writes, &owner)));
    let goodbye = halves.next().await.unwrap_or(Goodbye::None);
    drop(halves);
    let last = match goodbye {
        Goodbye::None => return,
        Goodbye::Answer => None,
        Goodbye::Close(frame) => Some(Frame::Close(frame)),
    };
    let say = async {
        // A peer that is gone hears nothing.
        let _ = part(sink, stream, last).await;
    };
    let give_up = async {
        smol::Timer::after(CLOSE_TIMEOUT).await;
    };
    future::or(say, give_up).await;
}

/// Writes until there is nothing more to be written.
async fn write_all<S: AsyncRead + AsyncWrite + Unpin>(
    sink: &mut WebSocketSender<S>,
    writes: Receiver<Vec<Write>>,
    owner: &impl Owner,
) -> Goodbye {
    match write_until_close(sink, writes, owner).await {
        Ok(frame) => Goodbye::Close(frame),
        Err(_) => {
            // The reader finds the same broken link; it only needs the time to say so.
            smol::Timer::after(CLOSE_TIMEOUT).await;
            Goodbye::None
        }
    }
}

async fn write_until_close<S: AsyncRead + AsyncWrite + Unpin>(
    sink: &mut WebSocketSender<S>,
    writes: Receiver<Vec<Write>>,
    owner: &impl Owner,
) -> Result<Option<CloseFrame>, Error> {
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
                    Write::Close(code, text) => return Ok(Some(close_frame(CloseCode::from(code), text))),
                }
            }
            next = writes.try_recv().ok();
        }
        sink.flush().await?;
        if messages > 0 {
            owner.flushed(messages, bytes);
        }
    }
    Ok(None)
}

fn close_frame(code: CloseCode, text: &'static str) -> CloseFrame {
    CloseFrame { code, reason: Utf8Bytes::from_static(text) }
}

/// Says the last thing, ends the own direction with TLS's own goodbye, and hears the peer out: to a peer that still sends,
/// an end without that is a reset, which takes back what was said.
async fn part<S: AsyncRead + AsyncWrite + Unpin>(
    mut sink: WebSocketSender<S>,
    stream: WebSocketReceiver<S>,
    last: Option<Frame>,
) -> Result<(), Error> {
    if let Some(last) = last {
        sink.send(last).await?;
    }
    SinkExt::close(&mut sink).await?;
    let Ok(mut socket) = WebSocketStream::reunite(sink, stream) else { return Ok(()) };
    let connection = socket.get_mut();
    connection.close().await?;
    let mut unread = [0; 4096];
    while connection.read(&mut unread).await? > 0 {}
    Ok(())
}

/// A text frame as it goes out: its text is known to be UTF-8 and need not be looked at again.
fn text_frame(text: ByteString) -> Frame {
    Frame::Frame(RawFrame::message(text.into_bytes(), OpCode::Data(Data::Text), true))
}

/// Reads until the end.
async fn read_all<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut WebSocketReceiver<S>,
    owner: &impl Owner,
) -> Goodbye {
    let mut ended = None;
    while ended.is_none() {
        let mut batch = Vec::new();
        let mut bytes = 0;
        let mut next = Some(stream.next().await);
        while let Some(frame) = next.take() {
            bytes += frame.as_ref().map_or(0, |frame| frame.as_ref().map_or(0, Frame::len));
            ended = take_frame(frame, &mut batch);
            if ended.is_none() && batch.len() < BATCH_FRAMES && bytes < BATCH_BYTES {
                next = future::poll_once(stream.next()).await;
            }
        }
        if !batch.is_empty() && !owner.read(batch).await {
            return Goodbye::None;
        }
    }
    ended.unwrap_or(Goodbye::None)
}

/// Turns a frame into what it means; returns what is to be said if it was the last.
fn take_frame(frame: Option<Result<Frame, Error>>, batch: &mut Vec<Read>) -> Option<Goodbye> {
    let bytes = match frame {
        Some(Ok(Frame::Text(text))) => Bytes::from(text),
        Some(Ok(Frame::Binary(bytes))) => bytes,
        Some(Ok(Frame::Pong(payload))) => {
            // A pong of another length answers no ping of ours.
            batch.extend(<[u8; 8]>::try_from(&*payload).map(|number| Read::Pong(u64::from_be_bytes(number))));
            return None;
        }
        Some(Ok(Frame::Ping(_) | Frame::Frame(_))) => return None,
        Some(Ok(Frame::Close(frame))) => {
            let why = frame
                .map_or_else(|| "closed by the peer".into(), |frame| format!("closed by the peer: {frame}"));
            batch.push(Read::Ended(why));
            return Some(Goodbye::Answer);
        }
        Some(Err(error)) => {
            let violation = violation(&error);
            batch.extend(violation.map(Read::Malformed));
            batch.push(Read::Ended(error.to_string()));
            return Some(
                violation.map_or(Goodbye::None, |violation| Goodbye::Close(Some(refusal(violation)))),
            );
        }
        None => {
            batch.push(Read::Ended("closed by the peer".into()));
            return Some(Goodbye::None);
        }
    };
    batch.push(Message::decode_bytes(bytes).map_or_else(Read::Malformed, Read::Message));
    None
}

/// What a peer is told that broke a rule with which nothing more can be read.
fn refusal(violation: Violation) -> CloseFrame {
    match violation {
        Violation::FrameTooLarge { .. } => close_frame(CloseCode::Size, "message too large"),
        Violation::NotUtf8 => close_frame(CloseCode::Invalid, "not UTF-8"),
        _ => close_frame(CloseCode::Protocol, "not a WebSocket frame"),
    }
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
