//! What ends a connection: in codes for the peer, in words for people.

use edgehub_core::Violation;
use quinn::{ConnectError, ConnectionError, ReadError, VarInt, WriteError};
use std::time::Duration;
use std::{fmt, io};

/// Nothing is wrong.
pub(super) const GOODBYE: VarInt = VarInt::from_u32(0);
/// The peer is not let in.
pub(super) const REFUSED: VarInt = VarInt::from_u32(1);
/// The peer's use of a stream is none that we serve; for that stream alone.
pub(super) const NOT_SERVED: VarInt = VarInt::from_u32(2);
/// A connection is cut on purpose.
pub(super) const CUT: VarInt = VarInt::from_u32(3);

/// A node has seen that it gets through.
pub(super) const VISIT: VarInt = VarInt::from_u32(4);

/// The code for a broken rule. Those of 1000 and above are a WebSocket's.
pub(super) fn code(violation: Violation) -> VarInt {
    VarInt::from_u32(match violation {
        Violation::PackageVersion { .. } => 0x10,
        Violation::PackageType { .. } => 0x11,
        Violation::PackageFlags { .. } => 0x12,
        Violation::PackageTooLarge { .. } => 0x13,
        Violation::PackageTruncated => 0x14,
        Violation::NotProtobuf => 0x15,
        Violation::StreamUse => 0x16,
        Violation::ControlLane => 0x17,
        Violation::ControlLaneClosed => 0x18,
        Violation::NotDeflate => 0x19,
        Violation::TooManyStreams => 0x1a,
        Violation::StreamStopped => 0x1b,
        _ => 0x1f,
    })
}

/// Why the node's end of a connection could not be opened.
#[derive(Debug)]
pub(crate) enum QuicError {
    /// The address in the configuration cannot be used.
    BadUrl(String),
    /// The host name has no address.
    NameNotFound(io::Error),
    /// There is no socket for it.
    Socket(io::Error),
    /// The TLS configuration is not one for QUIC.
    Tls(String),
    /// There is somebody, who speaks another protocol by that name.
    OlderQuic,
    /// The machine is there, and nobody listens.
    NobodyThere,
    /// Nothing that can be understood came back: UDP may be blocked.
    NoAnswer,
    /// A proxy is to be passed, which QUIC cannot.
    Proxy(String),
    /// The connection was ended.
    Lost(String),
    /// The cloud does not want this node.
    Refused,
    /// A node only wanted to know whether it gets through.
    Visit,
    /// What the peer says first breaks a rule.
    Violation(Violation),
    /// It was not open in time.
    Timeout(Duration),
}

impl fmt::Display for QuicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            QuicError::BadUrl(problem) => write!(f, "the address cannot be used: {problem}"),
            QuicError::NameNotFound(error) => write!(f, "the host name has no address: {error}"),
            QuicError::Socket(error) => write!(f, "no UDP socket: {error}"),
            QuicError::Tls(problem) => write!(f, "no TLS for QUIC: {problem}"),
            QuicError::OlderQuic => f.write_str(
                "version negotiation failed: the peer speaks a QUIC from before the standard, as KubeEdge's CloudHub \
                 does; use its WebSocket (port 10000) instead",
            ),
            QuicError::NobodyThere => f.write_str("nobody listens on that UDP port: does the CloudHub there serve QUIC?"),
            QuicError::NoAnswer => f.write_str("no answer: is UDP blocked, or nobody there?"),
            QuicError::Proxy(proxy) => {
                write!(f, "QUIC passes no proxy, and {proxy} is on the way: use the WebSocket lane")
            }
            QuicError::Lost(why) => write!(f, "the connection was ended: {why}"),
            QuicError::Refused => f.write_str("the cloud refuses this node: is the certificate of another one?"),
            QuicError::Visit => f.write_str("a node that only looked whether it gets through"),
            QuicError::Violation(violation) => write!(f, "the peer breaks the protocol: {violation}"),
            QuicError::Timeout(limit) => write!(f, "not open within {} s", limit.as_secs_f32()),
        }
    }
}

impl std::error::Error for QuicError {}

impl From<ConnectError> for QuicError {
    fn from(error: ConnectError) -> QuicError {
        QuicError::BadUrl(error.to_string())
    }
}

impl From<ConnectionError> for QuicError {
    fn from(error: ConnectionError) -> QuicError {
        match error {
            ConnectionError::VersionMismatch => QuicError::OlderQuic,
            ConnectionError::TimedOut => QuicError::NoAnswer,
            ConnectionError::ApplicationClosed(close) if close.error_code == REFUSED => QuicError::Refused,
            ConnectionError::ApplicationClosed(close) if close.error_code == VISIT => QuicError::Visit,
            error => QuicError::Lost(words(&error)),
        }
    }
}

impl From<Violation> for QuicError {
    fn from(violation: Violation) -> QuicError {
        QuicError::Violation(violation)
    }
}

impl From<WriteError> for QuicError {
    fn from(error: WriteError) -> QuicError {
        match error {
            WriteError::ConnectionLost(error) => error.into(),
            error => QuicError::Lost(error.to_string()),
        }
    }
}

impl From<ReadError> for QuicError {
    fn from(error: ReadError) -> QuicError {
        match error {
            ReadError::ConnectionLost(error) => error.into(),
            error => QuicError::Lost(error.to_string()),
        }
    }
}

/// Why a connection ended, in one line.
pub(super) fn words(error: &ConnectionError) -> String {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            let text: String =
                String::from_utf8_lossy(&close.reason).chars().filter(|char| !char.is_control()).collect();
            format!("closed by the peer: {} {text}", close.error_code)
        }
        error => error.to_string(),
    }
}
