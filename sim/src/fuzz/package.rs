//! Any bytes as a stream of packages.

use bytes::{Bytes, BytesMut};
use edgehub_core::limits::{CHUNK_BYTES_MAX, FRAME_BYTES_MAX, PACKAGE_BYTES_MAX};
use edgehub_core::package::{
    Arrived, Compressor, Control, Decoder, HEADER_BYTES, Header, Reader, answer, encode,
};
use edgehub_core::{Message, Violation};

/// Bytes of the input that say how the stream is split; the rest is the stream.
const CUTS: usize = 4;

/// Takes the stream apart twice, whole and in pieces, and reads what is found: both ways find the same, and what is accepted
/// survives another journey.
pub fn package(data: &[u8]) {
    let (cuts, stream) = data.split_at(data.len().min(CUTS));
    let whole = packages(&[stream], stream.len());
    let mut pieces = Vec::new();
    let mut rest = stream;
    for cut in cuts.iter().cycle().map(|&cut| usize::from(cut) % 37 + 1) {
        let (piece, after) = rest.split_at(cut.min(rest.len()));
        pieces.push(piece);
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    assert_eq!(packages(&pieces, stream.len()), whole, "found depends on how the stream is split");
    compression(stream);
    let mut reader = Reader::default();
    for payload in &whole.0 {
        let read = reader.message(payload.clone());
        assert_eq!(Reader::default().message(payload.clone()), read, "a reader remembers");
        if let Ok(message) = read {
            accepted(&message);
        }
    }
}

/// The same where packages may be compressed: however the stream is split, it becomes no more than each package may, and what is compressed here
/// comes back.
fn compression(stream: &[u8]) {
    let found = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut decoder = Decoder::with_compression(PACKAGE_BYTES_MAX);
        let (mut found, mut taken) = (Vec::new(), 0);
        for piece in pieces {
            decoder.push(piece);
            taken += piece.len();
            loop {
                match decoder.next_payload() {
                    Ok(Some(payload)) => found.push(payload),
                    Ok(None) if decoder.is_large() => decoder.let_in(),
                    _ => break,
                }
            }
            assert!(
                decoder.waiting_bytes() <= taken + CHUNKS_AT_ONCE * CHUNK_BYTES_MAX,
                "more waits than may"
            );
        }
        (found, decoder.finish())
    };
    let whole = found(&mut [stream].into_iter());
    assert_eq!(found(&mut stream.chunks(7)), whole, "found depends on how the stream is split");
    let (mut compressor, mut packages, mut out) = (Compressor::default(), BytesMut::new(), BytesMut::new());
    for payload in stream.chunks(50) {
        let length = payload.len() as u32;
        packages.extend_from_slice(&Header { compressed: false, length }.to_bytes());
        packages.extend_from_slice(payload);
    }
    for _ in 0..2 {
        compressor.compress(&packages, &mut out);
    }
    let (back, end) = found(&mut out.chunks(1000));
    assert_eq!(end, Ok(()));
    let payloads = || stream.chunks(50);
    assert!(back.iter().map(|payload| &**payload).eq(payloads().chain(payloads())), "not what was written");
}

/// A chunk is taken apart before the next one is looked at, but for the rest of a package.
const CHUNKS_AT_ONCE: usize = PACKAGE_BYTES_MAX / CHUNK_BYTES_MAX + 2;

/// What is in the packages of a stream, and how it ended.
fn packages(pieces: &[&[u8]], bytes: usize) -> (Vec<Bytes>, Result<(), Violation>) {
    let mut decoder = Decoder::new(PACKAGE_BYTES_MAX);
    let mut found = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        while let Ok(Some(payload)) = decoder.next_payload() {
            found.push(payload);
        }
    }
    let taken: usize = found.iter().map(|payload| payload.len() + HEADER_BYTES).sum();
    assert!(taken + decoder.waiting_bytes() <= bytes, "more comes out than went in");
    (found, decoder.finish())
}

fn accepted(message: &Message) {
    assert!(message.bytes() <= FRAME_BYTES_MAX);
    let read = Message::decode(message.frame().clone());
    assert!(read.is_ok(), "a WebSocket would refuse it: {read:?}");
    let there = travelled(message);
    if let Ok(there) = &there {
        same_fields(message, there);
    }
    // Members may have come in another order, and once only.
    let again = there.as_ref().map_err(|violation| *violation).and_then(travelled);
    assert!(again.is_ok() && again == there, "{there:?} becomes {again:?}");
    control(message);
}

/// What the other end has of a message.
fn travelled(message: &Message) -> Result<Message, Violation> {
    let mut out = BytesMut::new();
    encode(message, &mut out);
    let mut decoder = Decoder::new(PACKAGE_BYTES_MAX);
    decoder.push(&out);
    let payload = decoder.next_payload()?;
    assert_eq!((decoder.finish(), decoder.waiting_bytes()), (Ok(()), 0));
    Reader::default().message(payload.unwrap_or_default())
}

fn same_fields(one: &Message, other: &Message) {
    let texts = |message: &Message| {
        [
            message.msg_id().to_owned(),
            message.parent_msg_id().to_owned(),
            message.resource_version().to_owned(),
            message.message_type().to_owned(),
            message.source().to_owned(),
            message.destination().to_owned(),
            message.group().to_owned(),
            message.operation().to_owned(),
            message.resource().to_owned(),
            message.content().to_owned(),
        ]
    };
    assert_eq!(texts(one), texts(other));
    assert_eq!((one.timestamp(), one.is_sync()), (other.timestamp(), other.is_sync()));
}

/// On the control lane, whatever is understood is bounded and can be answered.
fn control(message: &Message) {
    if let Ok(Control::Ping(ping)) = Control::of(message) {
        let mut arrived = Arrived::default();
        let complete = ping.written.iter().all(|&written| written == 0);
        if arrived.asked(ping.clone()).is_ok() {
            assert_eq!(arrived.next_pong(), complete.then_some(ping.number));
        }
        let told = ping.to_message().map(|message| Control::of(&message));
        assert_eq!(told, Ok(Ok(Control::Ping(ping))));
    }
    if let Ok(answered) = answer(message, true)
        && answered.is_response()
    {
        assert_eq!(
            Control::of(&answered),
            Ok(Control::Answer { to: message.msg_id().into(), accepted: true })
        );
    }
}
