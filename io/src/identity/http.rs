//! HTTP/1.1 for one exchange on one connection: a head, a body of bounded length, and the end.
//!
//! Both sides are here. A GET carries a body, which is unusual and allowed; nothing is kept alive, redirected, compressed
//! or cached.

use edgehub_core::identity::BODY_BYTES_MAX;
use smol::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use std::{fmt, io};

/// The longest head, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// The most header lines.
const HEADERS_MAX: usize = 64;
/// The longest line that begins a chunk, in bytes.
const CHUNK_LINE_BYTES_MAX: usize = 1024;

/// A head as it was sent: its first line in parts, and its headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Received {
    /// Of a request: the method. Empty for a response.
    pub(crate) method: String,
    /// Of a request: the path.
    pub(crate) path: String,
    /// Of a response: the status. Zero for a request.
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Received {
    /// The value of a header; the first, if it is there more than once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// Why nothing useful was received.
#[derive(Debug)]
pub(crate) enum HttpError {
    /// The body is longer than [`BODY_BYTES_MAX`].
    TooLarge,
    /// It is not HTTP.
    NotHttp(&'static str),
    /// The connection.
    Io(io::Error),
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HttpError::TooLarge => write!(f, "a body of more than {BODY_BYTES_MAX} bytes"),
            HttpError::NotHttp(why) => f.write_str(why),
            HttpError::Io(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for HttpError {
    fn from(error: io::Error) -> HttpError {
        HttpError::Io(error)
    }
}

/// Sends a request and reads its response.
pub(crate) async fn exchange<S>(stream: &mut S, head: &str, body: &[u8]) -> Result<Received, HttpError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // In one piece: in two, the second would wait for an acknowledgement of the first.
    let mut request = Vec::with_capacity(head.len() + body.len());
    request.extend_from_slice(head.as_bytes());
    request.extend_from_slice(body);
    stream.write_all(&request).await?;
    stream.flush().await?;
    read(stream, Side::Response).await
}

/// Reads a request.
pub(crate) async fn request<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Received, HttpError> {
    read(stream, Side::Request).await
}

/// What is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Request,
    Response,
}

/// What is read, and what of it is not used yet.
struct Reader<'a, S> {
    stream: &'a mut S,
    buffer: Vec<u8>,
}

impl<S: AsyncRead + Unpin> Reader<'_, S> {
    /// Reads some more; `false` at the end.
    async fn more(&mut self) -> Result<bool, HttpError> {
        let mut piece = [0; 8 * 1024];
        let count = match self.stream.read(&mut piece).await {
            // A TLS peer that closes without saying so: what is missing is found out by the caller.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            read => read?,
        };
        self.buffer.extend_from_slice(piece.get(..count).unwrap_or_default());
        Ok(count > 0)
    }

    /// Takes so many bytes.
    async fn take(&mut self, count: usize) -> Result<Vec<u8>, HttpError> {
        while self.buffer.len() < count {
            if !self.more().await? {
                return Err(HttpError::NotHttp("the body ends too early"));
            }
        }
        let rest = self.buffer.split_off(count);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }

    /// Takes everything up to the end of the connection.
    async fn take_all(&mut self) -> Result<Vec<u8>, HttpError> {
        while self.more().await? {
            if self.buffer.len() > BODY_BYTES_MAX {
                return Err(HttpError::TooLarge);
            }
        }
        Ok(std::mem::take(&mut self.buffer))
    }

    /// Takes a body in chunks. Trailers are left unread.
    async fn take_chunks(&mut self) -> Result<Vec<u8>, HttpError> {
        let mut body = Vec::new();
        loop {
            let (skip, size) = loop {
                match httparse::parse_chunk_size(&self.buffer) {
                    Ok(httparse::Status::Complete(found)) => break found,
                    Ok(httparse::Status::Partial) if self.buffer.len() <= CHUNK_LINE_BYTES_MAX => {}
                    _ => return Err(HttpError::NotHttp("a chunk without a size")),
                }
                if !self.more().await? {
                    return Err(HttpError::NotHttp("the body ends too early"));
                }
            };
            self.take(skip).await?;
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            if size == 0 {
                return Ok(body);
            }
            if size > BODY_BYTES_MAX - body.len() {
                return Err(HttpError::TooLarge);
            }
            body.extend(self.take(size).await?);
            if self.take(2).await? != b"\r\n" {
                return Err(HttpError::NotHttp("a chunk without an end"));
            }
        }
    }
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S, side: Side) -> Result<Received, HttpError> {
    let mut reader = Reader { stream, buffer: Vec::new() };
    loop {
        let mut received = head(&mut reader, side).await?;
        // Interim responses come before the real one.
        if (100..200).contains(&received.status) {
            continue;
        }
        received.body = body(&mut reader, &received, side).await?;
        return Ok(received);
    }
}

async fn head<S: AsyncRead + Unpin>(reader: &mut Reader<'_, S>, side: Side) -> Result<Received, HttpError> {
    loop {
        if let Some((length, received)) = parse(&reader.buffer, side)? {
            reader.take(length).await?;
            return Ok(received);
        }
        if reader.buffer.len() > HEAD_BYTES_MAX {
            return Err(HttpError::NotHttp("a head that does not end"));
        }
        if !reader.more().await? {
            let nothing = reader.buffer.is_empty();
            return Err(HttpError::NotHttp(if nothing {
                "no answer at all"
            } else {
                "the head ends too early"
            }));
        }
    }
}

/// The head at the beginning of the bytes and its length; `None` if it is not complete yet.
fn parse(bytes: &[u8], side: Side) -> Result<Option<(usize, Received)>, HttpError> {
    let not_http = |_| HttpError::NotHttp("not HTTP");
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut received = Received::default();
    let status = match side {
        Side::Request => {
            let mut request = httparse::Request::new(&mut headers);
            let status = request.parse(bytes).map_err(not_http)?;
            received.method = request.method.unwrap_or_default().to_owned();
            received.path = request.path.unwrap_or_default().to_owned();
            status
        }
        Side::Response => {
            let mut response = httparse::Response::new(&mut headers);
            let status = response.parse(bytes).map_err(not_http)?;
            received.status = response.code.unwrap_or_default();
            status
        }
    };
    let httparse::Status::Complete(length) = status else { return Ok(None) };
    let named = headers.iter().filter(|header| !header.name.is_empty());
    received.headers = named
        .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).trim().to_owned()))
        .collect();
    Ok(Some((length, received)))
}

async fn body<S: AsyncRead + Unpin>(
    reader: &mut Reader<'_, S>,
    head: &Received,
    side: Side,
) -> Result<Vec<u8>, HttpError> {
    if head.header("Transfer-Encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        return reader.take_chunks().await;
    }
    match head.header("Content-Length").map(str::parse::<usize>) {
        Some(Ok(length)) if length > BODY_BYTES_MAX => Err(HttpError::TooLarge),
        Some(Ok(length)) => reader.take(length).await,
        Some(Err(_)) => Err(HttpError::NotHttp("a length that is no number")),
        None if side == Side::Response && !matches!(head.status, 204 | 304) => reader.take_all().await,
        None => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smol::io::Cursor;

    fn check(text: &[u8], expected: Result<(u16, &[u8]), &str>) {
        let read = smol::block_on(read(&mut Cursor::new(text), Side::Response));
        match (read, expected) {
            (Ok(received), Ok((status, body))) => {
                assert_eq!((received.status, &*received.body), (status, body))
            }
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}, not {words}"),
            (read, expected) => panic!("{read:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn bodies_of_every_kind_are_read() {
        check(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef", Ok((200, b"abc")));
        check(b"HTTP/1.1 200 OK\r\n\r\nabc", Ok((200, b"abc")));
        check(b"HTTP/1.1 204 No\r\n\r\nabc", Ok((204, b"")));
        check(
            b"HTTP/1.1 401 No\r\ntransfer-encoding: Chunked\r\n\r\n3;x=y\r\nabc\r\n1\r\nd\r\n0\r\n\r\n",
            Ok((401, b"abcd")),
        );
        check(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\n\r\nx", Ok((200, b"x")));
    }

    #[test]
    fn what_is_broken_or_too_large_is_named() {
        check(b"", Err("no answer"));
        check(b"HTTP/1.1 200", Err("too early"));
        check(b"SSH-2.0-OpenSSH_9\r\n", Err("not HTTP"));
        check(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", Err("too early"));
        check(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", Err("no number"));
        check(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Err("without a size"));
        check(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc", Err("without an end"));
        let endless = [b"HTTP/1.1 200 OK\r\nX: ", vec![b'x'; 2 * HEAD_BYTES_MAX].as_slice()].concat();
        check(&endless, Err("does not end"));
    }

    #[test]
    fn a_body_has_a_longest_length() {
        let of =
            |head: &str, length: usize| [head.as_bytes(), &vec![b'x'; length], b"\r\n0\r\n\r\n"].concat();
        let most = BODY_BYTES_MAX;
        let declared = |length| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        check(&of(&declared(most), most), Ok((200, &vec![b'x'; most])));
        check(&of(&declared(most + 1), most + 1), Err("more than 1048576"));
        check(&of("HTTP/1.1 200 OK\r\n\r\n", 2 * most), Err("more than 1048576"));
        let chunk = |length| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n");
        check(&of(&chunk(most), most), Ok((200, &vec![b'x'; most])));
        check(&of(&chunk(most + 1), most + 1), Err("more than 1048576"));
        check(&of(&chunk(usize::MAX), 1), Err("more than 1048576"));
    }

    #[test]
    fn a_request_is_read() {
        let text = b"GET /edge.crt HTTP/1.1\r\nNodename: edge-1\r\nContent-Length: 2\r\n\r\nok";
        let received = smol::block_on(request(&mut Cursor::new(text))).unwrap();
        assert_eq!((&*received.method, &*received.path, &*received.body), ("GET", "/edge.crt", &b"ok"[..]));
        assert_eq!(received.header("NodeName"), Some("edge-1"));
    }
}
