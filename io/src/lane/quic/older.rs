//! A QUIC from before the standard, as KubeEdge's CloudHub speaks it: found out, so that the error can name it.
//!
//! Such a listener does not answer a packet of RFC 9000 at all. It answers one of its own kind that names a version it does not know, with those
//! that it does: a flag, the connection's id, and four letters each (`Q043`). So while a handshake is not answered, somebody asks.

use super::session::after;
use smol::Async;
use smol::future::or;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

/// How long a handshake may be without an answer before somebody asks, and how long until he asks again.
const PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 1_000 });

/// The flags of a packet that names a version and has an id of eight octets.
const FLAGS: u8 = 0x09;

/// A version that never was.
const UNKNOWN: [u8; 4] = *b"Q999";

/// Such listeners ignore shorter questions: whoever asks must send as much as he can make others receive.
const QUESTION_BYTES: usize = 1200;

/// What is found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Somebody speaks a QUIC from before the standard.
    Older,
    /// The machine says that nobody listens on that port.
    Nobody,
}

/// Asks, once a handshake would long have been answered, until something is found out.
pub(super) async fn ask(address: SocketAddr, any: SocketAddr) -> Found {
    loop {
        after(PATIENCE).await;
        // Without a socket nothing can be found out.
        if let Ok(Some(found)) = ask_once(address, any).await {
            return found;
        }
    }
}

async fn ask_once(address: SocketAddr, any: SocketAddr) -> io::Result<Option<Found>> {
    let socket = UdpSocket::bind(any)?;
    socket.connect(address)?;
    let socket = Async::new(socket)?;
    let id = fastrand::u64(..).to_be_bytes();
    let mut question = [0; QUESTION_BYTES];
    question[0] = FLAGS;
    question[1..9].copy_from_slice(&id);
    question[9..13].copy_from_slice(&UNKNOWN);
    question[13] = 1;
    let answered = async {
        socket.send(&question).await?;
        let mut answer = [0; 2048];
        loop {
            let length = socket.recv(&mut answer).await?;
            if names_older_versions(answer.get(..length).unwrap_or_default(), id) {
                return Ok(Some(Found::Older));
            }
        }
    };
    let none = async {
        after(PATIENCE).await;
        Ok(None)
    };
    let outcome: io::Result<Option<Found>> = or(answered, none).await;
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(Some(Found::Nobody)),
        other => other,
    }
}

/// Whether this is an answer to the question with this id.
fn names_older_versions(answer: &[u8], id: [u8; 8]) -> bool {
    let Some((head, versions)) = answer.split_at_checked(1 + id.len()) else { return false };
    let is_version = |version: &[u8]| version[0] == b'Q' && version[1..].iter().all(u8::is_ascii_digit);
    head[0] & FLAGS == FLAGS
        && head[1..] == id
        && versions.len().is_multiple_of(4)
        && versions.chunks_exact(4).any(is_version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_is_one() {
        let id = *b"12345678";
        let check = |flags: u8, id: &[u8], versions: &[u8], is| {
            let answer = [&[flags], id, versions].concat();
            assert_eq!(names_older_versions(&answer, *b"12345678"), is, "{answer:?}");
        };
        check(0x09, &id, b"Q044Q043Q039", true);
        check(0x0d, &id, b"\x1a\x2a\x3a\x4aQ043", true);
        check(0x09, &id, b"", false);
        check(0x09, &id, b"Q04", false);
        check(0x09, &id, b"\0\0\0\x01", false);
        check(0x08, &id, b"Q043", false);
        check(0x09, b"87654321", b"Q043", false);
        assert!(!names_older_versions(b"", id));
    }
}
