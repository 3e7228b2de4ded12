//! How a proxy is asked for a way to a host, as a machine without a socket: HTTP CONNECT and SOCKS5.
//!
//! ```text
//! let mut tunnel = Tunnel::…;
//! loop { send(tunnel.to_send()); if tunnel.received(read())? { break } }    // from now on the socket leads to the host
//! ```
//!
//! Answers come from somebody on the way: they are bounded, and whatever is not the one right answer is an error with
//! words for an operator. Nothing may follow the answer, since nobody has spoken to the host yet.

mod http;
mod socks5;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Longest answer of an HTTP proxy, headers included, in bytes.
pub const ANSWER_BYTES_MAX: usize = 8 * 1024;

/// Longest name, user or password that can be said to a SOCKS5 proxy, in bytes.
pub const TEXT_BYTES_MAX: usize = 255;

/// Who asks, where a proxy wants to know.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    /// Shows the user, and not the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Why there is no way through the proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyError {
    /// It wants to know who asks, or does not believe it.
    Authentication,
    /// It refuses, with the status and the reason of HTTP.
    Http {
        /// The status.
        status: u16,
        /// Its words, one line; may be empty.
        reason: Box<str>,
    },
    /// It refuses, with a code of SOCKS5.
    Socks(u8),
    /// Its answer is none.
    Garbage(&'static str),
    /// Its answer is longer than [`ANSWER_BYTES_MAX`].
    TooLong,
    /// It closed the connection before its answer was complete.
    Closed,
    /// A host, user or password cannot be said in its protocol.
    Unsayable(&'static str),
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProxyError::Authentication => f.write_str(
                "the proxy wants a user and password, or does not accept the one it got; set them in its URL",
            ),
            ProxyError::Http { status, reason } if reason.is_empty() => {
                write!(f, "the proxy refuses: HTTP {status}")
            }
            ProxyError::Http { status, reason } => write!(f, "the proxy refuses: HTTP {status} {reason}"),
            ProxyError::Socks(code) => write!(f, "the proxy refuses: {}", socks5::reason(*code)),
            ProxyError::Garbage(what) => write!(f, "the proxy does not speak its protocol: {what}"),
            ProxyError::TooLong => write!(f, "the proxy's answer is longer than {ANSWER_BYTES_MAX} bytes"),
            ProxyError::Closed => f.write_str("the proxy closed the connection before it had answered"),
            ProxyError::Unsayable(what) => write!(f, "{what} cannot be said to this proxy"),
        }
    }
}

impl core::error::Error for ProxyError {}

/// The conversation with a proxy.
pub struct Tunnel {
    protocol: Protocol,
    to_send: Vec<u8>,
    heard: Vec<u8>,
}

enum Protocol {
    Http,
    Socks5(socks5::Stage),
}

impl fmt::Debug for Tunnel {
    /// Shows what is spoken; what is said holds the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::Http => "HTTP",
            Protocol::Socks5(_) => "SOCKS5",
        };
        f.debug_struct("Tunnel").field("protocol", &protocol).finish_non_exhaustive()
    }
}

impl Tunnel {
    /// Asks an HTTP proxy for a way to `host:port`; `authorization` is the value of the header `Proxy-Authorization`.
    pub fn http(host: &str, port: u16, authorization: Option<&str>) -> Result<Tunnel, ProxyError> {
        let to_send = http::request(host, port, authorization)?;
        Ok(Tunnel { protocol: Protocol::Http, to_send, heard: Vec::new() })
    }

    /// Asks a SOCKS5 proxy for a way to `host:port`. The proxy resolves a name itself.
    pub fn socks5(host: &str, port: u16, credentials: Option<&Credentials>) -> Result<Tunnel, ProxyError> {
        let (stage, to_send) = socks5::Stage::begin(host, port, credentials)?;
        Ok(Tunnel { protocol: Protocol::Socks5(stage), to_send, heard: Vec::new() })
    }

    /// What is to be sent now; empty if nothing.
    pub fn to_send(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.to_send)
    }

    /// Takes what was read; nothing, if the proxy has closed. Returns whether the way is open.
    pub fn received(&mut self, bytes: &[u8]) -> Result<bool, ProxyError> {
        if bytes.is_empty() {
            return Err(ProxyError::Closed);
        }
        if self.heard.len() + bytes.len() > ANSWER_BYTES_MAX {
            return Err(ProxyError::TooLong);
        }
        self.heard.extend_from_slice(bytes);
        match &mut self.protocol {
            Protocol::Http => http::answer(&self.heard),
            Protocol::Socks5(stage) => stage.received(&mut self.heard, &mut self.to_send),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::ToString;

    /// The outcome of an answer that comes in pieces of every size.
    fn check(tunnel: impl Fn() -> Tunnel, answers: &[&[u8]], expected: &Result<bool, ProxyError>) {
        for size in 1..64 {
            let mut tunnel = tunnel();
            let mut outcome = Ok(false);
            for answer in answers {
                assert!(!tunnel.to_send().is_empty(), "it is our turn");
                for piece in answer.chunks(size) {
                    outcome = tunnel.received(piece);
                    if outcome.is_err() {
                        break;
                    }
                }
            }
            assert_eq!(outcome, *expected, "in pieces of {size}");
        }
    }

    fn http(answer: &str, expected: Result<bool, ProxyError>) {
        check(|| Tunnel::http("cloud", 10000, None).unwrap(), &[answer.as_bytes()], &expected);
    }

    #[test]
    fn an_http_proxy_is_asked_by_name() {
        let mut tunnel = Tunnel::http("cloud", 10000, Some("Basic dTpw")).unwrap();
        let asked =
            "CONNECT cloud:10000 HTTP/1.1\r\nHost: cloud:10000\r\nProxy-Authorization: Basic dTpw\r\n\r\n";
        assert_eq!(String::from_utf8(tunnel.to_send()).unwrap(), asked);
        let v6 = String::from_utf8(Tunnel::http("::1", 1, None).unwrap().to_send()).unwrap();
        assert!(v6.starts_with("CONNECT [::1]:1 HTTP/1.1\r\n"), "{v6}");
        for host in ["", "a b", "a\r\nX: y", "ü"] {
            assert!(matches!(Tunnel::http(host, 1, None), Err(ProxyError::Unsayable(_))), "{host}");
        }
        assert!(matches!(Tunnel::http("a", 1, Some("x\ny")), Err(ProxyError::Unsayable(_))));
    }

    #[test]
    fn only_a_plain_yes_of_an_http_proxy_opens_the_way() {
        http("HTTP/1.1 200 Connection established\r\n\r\n", Ok(true));
        http("HTTP/1.0 299\r\nVia: x\r\n\r\n", Ok(true));
        http("HTTP/1.1 200 OK\r\nVia", Ok(false));
        http("HTTP/1.1 407 Who\r\nA: b\r\n\r\n", Err(ProxyError::Authentication));
        http(
            "HTTP/1.1 403 Not \u{7}you\r\n\r\n",
            Err(ProxyError::Http { status: 403, reason: "Not  you".into() }),
        );
        http("HTTP/1.1 300 \r\n\r\n", Err(ProxyError::Http { status: 300, reason: "".into() }));
        http("HTTP/1.1 199 \r\n\r\n", Err(ProxyError::Http { status: 199, reason: "".into() }));
        http("HTTP/2 200\r\n\r\n", Err(ProxyError::Garbage("no status line of HTTP/1")));
        http("SSH-2.0-OpenSSH\r\n\r\n", Err(ProxyError::Garbage("no status line of HTTP/1")));
        http("HTTP/1.1 20 x\r\n\r\n", Err(ProxyError::Garbage("no status line of HTTP/1")));
    }

    #[test]
    fn nothing_may_follow_the_answer() {
        let mut tunnel = Tunnel::http("cloud", 1, None).unwrap();
        let early = tunnel.received(b"HTTP/1.1 200 OK\r\n\r\n\x16");
        assert_eq!(early, Err(ProxyError::Garbage("more than the answer")));
        let mut tunnel = Tunnel::socks5("cloud", 1, None).unwrap();
        assert_eq!(tunnel.received(&[5, 0, 5]), Err(ProxyError::Garbage("more than the answer")));
    }

    #[test]
    fn a_long_answer_is_cut_off() {
        let head = "HTTP/1.1 200 OK\r\nX: ";
        let answer = |length: usize| head.to_string() + &"x".repeat(length - head.len() - 4) + "\r\n\r\n";
        http(&answer(ANSWER_BYTES_MAX), Ok(true));
        let mut tunnel = Tunnel::http("cloud", 1, None).unwrap();
        assert_eq!(tunnel.received(answer(ANSWER_BYTES_MAX + 1).as_bytes()), Err(ProxyError::TooLong));
    }

    fn socks(credentials: Option<(&str, &str)>, answers: &[&[u8]], expected: Result<bool, ProxyError>) {
        let credentials =
            credentials.map(|(user, password)| Credentials { user: user.into(), password: password.into() });
        check(|| Tunnel::socks5("cloud", 10000, credentials.as_ref()).unwrap(), answers, &expected);
    }

    #[test]
    fn a_tunnel_does_not_show_the_password() {
        let credentials = Credentials { user: "u".into(), password: "pw".into() };
        let socks = Tunnel::socks5("cloud", 1, Some(&credentials)).unwrap();
        let http = Tunnel::http("cloud", 1, Some("Basic pw")).unwrap();
        let (socks, http) = (format!("{socks:?}"), format!("{http:?}"));
        let secret = format!("{:?}", b"pw").trim_matches(['[', ']']).to_string();
        assert!(socks.contains("SOCKS5") && !socks.contains(&secret) && !socks.contains("pw"), "{socks}");
        assert!(http.contains("HTTP") && !http.contains(&secret) && !http.contains("pw"), "{http}");
    }

    #[test]
    fn a_socks_proxy_is_asked_step_by_step() {
        let credentials = Credentials { user: "u".into(), password: "pw".into() };
        let mut tunnel = Tunnel::socks5("cloud", 10000, Some(&credentials)).unwrap();
        assert_eq!(tunnel.to_send(), [5, 2, 0, 2]);
        assert_eq!(tunnel.received(&[5, 2]), Ok(false));
        assert_eq!(tunnel.to_send(), *b"\x01\x01u\x02pw");
        assert_eq!(tunnel.received(&[1, 0]), Ok(false));
        assert_eq!(tunnel.to_send(), *b"\x05\x01\x00\x03\x05cloud\x27\x10");
        assert_eq!(tunnel.received(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]), Ok(true));
        let asked = |host: &str| {
            let mut tunnel = Tunnel::socks5(host, 1, None).unwrap();
            assert_eq!(tunnel.to_send(), [5, 1, 0]);
            tunnel.received(&[5, 0]).unwrap();
            tunnel.to_send()
        };
        assert_eq!(asked("192.0.2.7"), [5, 1, 0, 1, 192, 0, 2, 7, 0, 1]);
        assert_eq!(asked("::1")[..5], [5, 1, 0, 4, 0]);
        assert_eq!(asked(&"x".repeat(255)).len(), 4 + 1 + 255 + 2);
        assert_eq!(Tunnel::socks5(&"x".repeat(256), 1, None).err(), Some(ProxyError::Unsayable("the host")));
        assert_eq!(Tunnel::socks5("", 1, None).err(), Some(ProxyError::Unsayable("the host")));
        let long = Credentials { password: "x".repeat(256), ..credentials };
        assert_eq!(
            Tunnel::socks5("a", 1, Some(&long)).err(),
            Some(ProxyError::Unsayable("the user or password"))
        );
    }

    #[test]
    fn each_refusal_of_a_socks_proxy_is_told() {
        let (hello, yes) = ([5, 0], [5, 0, 0, 3, 2, b'a', b'b', 0, 1]);
        socks(None, &[&hello, &yes], Ok(true));
        socks(Some(("u", "p")), &[&[5, 2], &[1, 0], &yes], Ok(true));
        socks(Some(("u", "p")), &[&hello, &yes], Ok(true));
        socks(None, &[&[5, 255]], Err(ProxyError::Authentication));
        socks(None, &[&[5, 2]], Err(ProxyError::Authentication));
        socks(Some(("u", "p")), &[&[5, 2], &[1, 1]], Err(ProxyError::Authentication));
        socks(None, &[&hello, &[5, 2, 0, 1, 0, 0, 0, 0, 0, 0]], Err(ProxyError::Socks(2)));
        socks(None, &[&[4, 0]], Err(ProxyError::Garbage("another version than 5")));
        socks(None, &[&[5, 1]], Err(ProxyError::Garbage("a way to authenticate that was not offered")));
        socks(None, &[&hello, &[5, 0, 0, 9]], Err(ProxyError::Garbage("an address of an unknown kind")));
        assert!(ProxyError::Socks(2).to_string().contains("not allowed"));
    }

    #[test]
    fn an_end_before_the_answer_is_an_error() {
        assert_eq!(Tunnel::http("cloud", 1, None).unwrap().received(&[]), Err(ProxyError::Closed));
    }

    #[test]
    fn the_password_is_not_shown() {
        let credentials = Credentials { user: "u".into(), password: "secret".into() };
        assert!(!std::format!("{credentials:?}").contains("secret"));
    }
}
