//! A stream that the peer writes: what it is for, and the messages on it.

use super::decoder::Decoder;
use super::reader::Reader;
use crate::limits::{CONTROL_PACKAGE_BYTES_MAX, MESSAGE_STREAMS_MAX, PACKAGE_BYTES_MAX};
use crate::message::Message;
use crate::violation::Violation;

/// What a stream of messages begins with.
pub const MESSAGES: [u8; 3] = *b"msg";

/// … and one of raw bytes, which we have no use for.
pub const RAW: [u8; 3] = *b"str";

/// What a stream is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Messages.
    Messages,
    /// Something that is not served.
    NotServed,
}

/// One of the peer's streams, however its bytes are split.
#[derive(Debug)]
pub struct Incoming {
    number: usize,
    /// The first octets, and how many of them have come.
    said: [u8; MESSAGES.len()],
    said_bytes: usize,
    decoder: Decoder,
    reader: Reader,
}

impl Incoming {
    /// The stream of this number, in the order in which they were opened, on which packages may be compressed or not.
    pub fn new(number: usize, compressed: bool) -> Incoming {
        let decoder = match compressed {
            true => Decoder::with_compression(PACKAGE_BYTES_MAX),
            false => Decoder::new(PACKAGE_BYTES_MAX),
        };
        let reader = Reader::default();
        Incoming { number, said: [0; MESSAGES.len()], said_bytes: 0, decoder, reader }
    }

    /// The control lane: it has messages without saying so, short and plain ones.
    pub fn control_lane() -> Incoming {
        let decoder = Decoder::new(CONTROL_PACKAGE_BYTES_MAX);
        Incoming { said: MESSAGES, said_bytes: MESSAGES.len(), decoder, ..Incoming::new(0, false) }
    }

    /// Takes the next piece. Call [`next_message`](Incoming::next_message) until it has no more before the next piece.
    pub fn push(&mut self, piece: &[u8]) {
        let wanted = self.said.len() - self.said_bytes;
        let (first, rest) = piece.split_at(wanted.min(piece.len()));
        for octet in first {
            self.said[self.said_bytes] = *octet;
            self.said_bytes += 1;
        }
        // What no messages are expected in is not kept.
        if matches!(self.is_for(), Ok(Some(Use::Messages))) {
            self.decoder.push(rest);
        }
    }

    /// What the stream is for, once it has said so. Fails for a use that there is none of, and for more streams of messages than pings
    /// can count.
    pub fn is_for(&self) -> Result<Option<Use>, Violation> {
        match self.said {
            _ if self.said_bytes < self.said.len() => Ok(None),
            MESSAGES if self.number >= MESSAGE_STREAMS_MAX => Err(Violation::TooManyStreams),
            MESSAGES => Ok(Some(Use::Messages)),
            RAW => Ok(Some(Use::NotServed)),
            _ => Err(Violation::StreamUse),
        }
    }

    /// The next message, or what is wrong with it alone, once it is there as a whole. After a violation of the stream's it has no more.
    pub fn next_message(&mut self) -> Result<Option<Result<Message, Violation>>, Violation> {
        self.is_for()?;
        Ok(self.decoder.next_payload()?.map(|payload| self.reader.message(payload)))
    }

    /// Whether a large message is under way that is not let in: no more of the stream should be read until it is.
    pub fn is_large(&self) -> bool {
        self.decoder.is_large()
    }

    /// Lets the large message in, for as long as it is under way.
    pub fn let_in(&mut self) {
        self.decoder.let_in();
    }

    /// Whether a large message that was let in is under way.
    pub fn is_let_in(&self) -> bool {
        self.decoder.is_let_in()
    }

    /// Bytes that wait for the rest of their package.
    pub fn waiting_bytes(&self) -> usize {
        self.decoder.waiting_bytes()
    }

    /// Whether the stream may end here.
    pub fn finish(&self) -> Result<(), Violation> {
        match self.is_for()? {
            Some(_) => self.decoder.finish(),
            None => Err(Violation::StreamUse),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Draft;
    use crate::package::encode;
    use crate::package::header::Header;
    use bytes::BytesMut;

    fn stream(first: &[u8]) -> Incoming {
        let mut stream = Incoming::new(0, false);
        stream.push(first);
        stream
    }

    #[test]
    fn a_stream_says_first_what_it_is_for() {
        assert_eq!(stream(b"ms").is_for(), Ok(None));
        assert_eq!(stream(b"ms").finish(), Err(Violation::StreamUse));
        assert_eq!(stream(b"msg").is_for(), Ok(Some(Use::Messages)));
        assert_eq!(stream(b"msg").finish(), Ok(()));
        assert_eq!(stream(b"str whatever").is_for(), Ok(Some(Use::NotServed)));
        assert_eq!(stream(b"str whatever").waiting_bytes(), 0);
        assert_eq!(stream(b"xyz").next_message(), Err(Violation::StreamUse));
    }

    /// Whatever a package of another kind is followed by, and however it comes.
    #[test]
    fn nothing_is_read_behind_a_violation() {
        let mut stream = stream(&MESSAGES);
        let mut user = Header { compressed: false, length: 0 }.to_bytes();
        user[4] = 4;
        stream.push(&user);
        let violation = Violation::PackageType { code: 4 };
        for more in [&b""[..], b"what is no header at all"] {
            stream.push(more);
            assert_eq!(stream.next_message(), Err(violation));
            assert_eq!(stream.finish(), Err(violation));
        }
    }

    #[test]
    fn the_control_lane_has_short_messages_from_its_first_octet() {
        let mut bytes = BytesMut::new();
        let message = Draft { msg_id: "1", ..Draft::default() }.encode().unwrap();
        encode(&message, &mut bytes);
        let check = |length: usize, found| {
            let mut control = Incoming::control_lane();
            control.push(&bytes);
            assert_eq!(control.next_message(), Ok(Some(Ok(message.clone()))));
            control.push(&Header { compressed: false, length: length as u32 }.to_bytes());
            assert_eq!(control.next_message(), found);
        };
        let limit = CONTROL_PACKAGE_BYTES_MAX;
        check(limit, Ok(None));
        check(limit + 1, Err(Violation::PackageTooLarge { bytes: limit + 1, limit }));
    }

    #[test]
    fn only_streams_that_pings_count_have_messages() {
        let check = |number, is_for| {
            let mut stream = Incoming::new(number, false);
            stream.push(&MESSAGES);
            assert_eq!(stream.is_for(), is_for);
        };
        check(MESSAGE_STREAMS_MAX - 1, Ok(Some(Use::Messages)));
        check(MESSAGE_STREAMS_MAX, Err(Violation::TooManyStreams));
    }

    #[test]
    fn messages_are_found_however_the_stream_is_split() {
        let message = Draft { msg_id: "1", resource: "r", ..Draft::default() }.encode().unwrap();
        let mut bytes = BytesMut::from(&MESSAGES[..]);
        encode(&message, &mut bytes);
        encode(&message, &mut bytes);
        for size in 1..=bytes.len() {
            let (mut stream, mut found) = (Incoming::new(0, true), 0);
            for piece in bytes.chunks(size) {
                stream.push(piece);
                while let Some(read) = stream.next_message().unwrap() {
                    assert_eq!(read.as_ref(), Ok(&message));
                    found += 1;
                }
            }
            assert_eq!((found, stream.finish()), (2, Ok(())), "in pieces of {size}");
        }
    }
}
