//! The reader over streams that end anywhere and come in any pieces.

use super::*;
use edgehub_core::{Content, Draft};
use std::io;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};

/// A peer that said this, in pieces of at most so many bytes, and is gone. What is written to it is taken.
struct Wire {
    said: Vec<u8>,
    at: usize,
    piece: usize,
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let length = room.len().min(self.piece).min(self.said.len() - self.at);
        room[..length].copy_from_slice(&self.said[self.at..self.at + length]);
        self.at += length;
        Poll::Ready(Ok(length))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[derive(Default)]
struct Reads(Mutex<Vec<String>>);

impl Owner for &Reads {
    async fn read(&self, batch: Vec<Read>) -> bool {
        self.0.lock().unwrap().extend(batch.into_iter().map(|read| match read {
            Read::Message(message) => message.msg_id().to_owned(),
            Read::Pong(number) => format!("pong {number}"),
            Read::Malformed(violation) => violation.name().to_owned(),
            Read::Ended(_) => "end".to_owned(),
        }));
        true
    }

    fn flushed(&self, _: usize, _: usize) {}
}

/// What is read of a peer that said this.
fn read(said: &[u8], piece: usize) -> Vec<String> {
    let reads = Reads::default();
    let wire = Wire { said: said.to_vec(), at: 0, piece };
    let role = async_tungstenite::tungstenite::protocol::Role::Client;
    smol::block_on(async {
        let socket = WebSocketStream::from_raw_socket(wire, role, None).await;
        let (_writes, nothing) = async_channel::unbounded();
        pump(socket, nothing, &reads).await;
    });
    reads.0.into_inner().unwrap()
}

/// A frame of a server: its first byte, and a payload with a length of as many bytes as that takes.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = match payload.len() {
        short @ 0..126 => vec![short as u8],
        middle @ 126..0x1_0000 => [&[126], &(middle as u16).to_be_bytes()[..]].concat(),
        long => [&[127], &(long as u64).to_be_bytes()[..]].concat(),
    };
    [&[first], length.as_slice(), payload].concat()
}

fn message(id: &str, bytes: usize) -> Vec<u8> {
    let text = "x".repeat(bytes);
    let draft = Draft { msg_id: id, group: "twin", content: Content::Text(&text), ..Draft::default() };
    draft.encode().unwrap().frame().as_bytes().to_vec()
}

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const TEXT_BEGINS: u8 = 0x01;
const GOES_ON: u8 = 0x00;
const ENDS: u8 = 0x80;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// What a peer says, and by which byte what of it is complete.
fn conversation() -> (Vec<u8>, Vec<(usize, String)>) {
    let pieces = message("in-pieces", 40);
    let parts: [(Vec<u8>, Option<&str>); 9] = [
        (frame(TEXT, &message("text", 0)), Some("text")),
        (frame(PING, b"there?"), None),
        (frame(TEXT, &message("longer", 300)), Some("longer")),
        (frame(PONG, &7_u64.to_be_bytes()), Some("pong 7")),
        (frame(TEXT_BEGINS, &pieces[..10]), None),
        (frame(PING, b""), None),
        (frame(GOES_ON, &pieces[10..30]), None),
        (frame(ENDS, &pieces[30..]), Some("in-pieces")),
        (frame(BINARY, &message("binary", 20)), Some("binary")),
    ];
    let (mut said, mut complete) = (Vec::new(), Vec::new());
    for (part, read) in parts {
        said.extend(part);
        complete.extend(read.map(|read| (said.len(), read.to_owned())));
    }
    (said, complete)
}

/// What was complete before is read, then the end, and nothing else: no half of a message, and no broken rule.
#[test]
fn a_stream_that_is_cut_at_any_byte_gives_what_was_whole() {
    let (said, complete) = conversation();
    for cut in 0..=said.len() {
        let whole = complete.iter().take_while(|(end, _)| *end <= cut).map(|(_, read)| read.clone());
        let expected: Vec<String> = whole.chain([String::from("end")]).collect();
        assert_eq!(read(&said[..cut], usize::MAX), expected, "cut behind {cut} of {} bytes", said.len());
    }
}

#[test]
fn a_stream_in_pieces_of_any_length_gives_the_same() {
    let (said, complete) = conversation();
    let expected: Vec<String> =
        complete.into_iter().map(|(_, read)| read).chain([String::from("end")]).collect();
    for piece in 1..=said.len() {
        assert_eq!(read(&said, piece), expected, "pieces of {piece} bytes");
    }
}
