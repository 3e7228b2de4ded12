//! Why a link could not be opened, as seen from either end, in words that an operator can act on.

use std::net::SocketAddr;
use std::time::Duration;
use std::{fmt, io};

use rustls::{AlertDescription, CertificateError};

use crate::reach::ReachError;

/// Why the node's end of a link could not be opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address in the configuration cannot be used.
    BadUrl {
        /// The address.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// There is no way to the host.
    Reach(ReachError),
    /// No secure connection: one side does not accept the other's certificate, or the peer does not speak TLS.
    Tls(TlsFailure),
    /// The peer answered the upgrade with an HTTP error.
    Http {
        /// The status code.
        status: u16,
        /// The beginning of the answer's body, one line; may be empty.
        reason: String,
    },
    /// The upgrade broke off or was not understood.
    Handshake(String),
    /// The link was not open in time.
    Timeout {
        /// The time it had.
        limit: Duration,
        /// How far it came.
        at: Stage,
    },
}

/// A stage on the way to an open link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The addresses of a name are looked up.
    Name,
    /// A TCP connection is made, through the proxy if there is one.
    Connection,
    /// The TLS handshake.
    Tls,
    /// The HTTP upgrade.
    Upgrade,
}

impl Stage {
    /// All, in their order.
    pub const ALL: [Stage; 4] = [Stage::Name, Stage::Connection, Stage::Tls, Stage::Upgrade];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Stage::Name => "name",
            Stage::Connection => "connection",
            Stage::Tls => "TLS",
            Stage::Upgrade => "upgrade",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Why there is no secure connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsFailure {
    /// The peer's certificate is not signed by the configured authority.
    UnknownIssuer,
    /// The peer's certificate is for other names; the text says which.
    WrongName(String),
    /// The peer's certificate is not valid at this time; the text says since or until when.
    OutOfDate(String),
    /// The peer's certificate has another flaw.
    BadCertificate(String),
    /// The peer wants a certificate and got none.
    NoCertificate,
    /// The peer refused this side's certificate; the text is the alert it sent.
    Refused(String),
    /// The peer does not speak TLS, or no version or cipher suite in common.
    Incompatible(String),
    /// The connection broke during the handshake.
    Broken(String),
}

/// Why the cloud hub's end of a link could not be opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum AcceptError {
    /// The connection was gone before anything was read.
    Tcp(io::Error),
    /// No secure connection.
    Tls {
        /// The client's address.
        peer: SocketAddr,
        /// Why not.
        failure: TlsFailure,
    },
    /// The upgrade was answered with an HTTP error.
    Refused {
        /// The client's address.
        peer: SocketAddr,
        /// The status code of the answer.
        status: u16,
        /// The body of the answer: who was refused, and why.
        reason: String,
    },
    /// The upgrade broke off or was not understood.
    Handshake {
        /// The client's address.
        peer: SocketAddr,
        /// What was wrong.
        problem: String,
    },
    /// The client was too slow.
    Timeout {
        /// The client's address.
        peer: SocketAddr,
        /// The time it had.
        limit: Duration,
    },
}

impl ConnectError {
    /// The stage at which it failed.
    pub fn stage(&self) -> Stage {
        match self {
            Self::BadUrl { .. } | Self::Reach(ReachError::NameNotFound { .. }) => Stage::Name,
            Self::Reach(_) => Stage::Connection,
            Self::Tls(_) => Stage::Tls,
            Self::Http { .. } | Self::Handshake(_) => Stage::Upgrade,
            Self::Timeout { at, .. } => *at,
        }
    }

    /// A short, stable name of the variant, for metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::BadUrl { .. } => "bad_url",
            Self::Reach(error) => error.kind(),
            Self::Tls(_) => "tls",
            Self::Http { .. } => "http",
            Self::Handshake(_) => "handshake",
            Self::Timeout { .. } => "timeout",
        }
    }
}

impl TlsFailure {
    /// Reads the cause out of the I/O error that the TLS layer wraps it in; `None` when it is not about TLS.
    pub(super) fn inside(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref::<rustls::Error>().map(Self::from)
    }

    /// The cause of a failed handshake.
    pub(super) fn of_handshake(error: &io::Error) -> Self {
        Self::inside(error).unwrap_or_else(|| Self::Broken(error.to_string()))
    }
}

impl From<&rustls::Error> for TlsFailure {
    fn from(error: &rustls::Error) -> Self {
        use CertificateError as C;
        match error {
            rustls::Error::InvalidCertificate(flaw) => match flaw {
                C::UnknownIssuer | C::BadSignature => Self::UnknownIssuer,
                C::NotValidForName | C::NotValidForNameContext { .. } => Self::WrongName(flaw.to_string()),
                C::Expired | C::ExpiredContext { .. } | C::NotValidYet | C::NotValidYetContext { .. } => {
                    Self::OutOfDate(flaw.to_string())
                }
                other => Self::BadCertificate(other.to_string()),
            },
            rustls::Error::NoCertificatesPresented => Self::NoCertificate,
            rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => Self::NoCertificate,
            rustls::Error::AlertReceived(alert) if is_about_certificates(*alert) => {
                Self::Refused(format!("{alert:?}"))
            }
            rustls::Error::AlertReceived(alert) => Self::Incompatible(format!("the peer sent {alert:?}")),
            rustls::Error::InvalidMessage(_) => Self::Incompatible("the peer does not speak TLS".into()),
            other => Self::Incompatible(other.to_string()),
        }
    }
}

fn is_about_certificates(alert: AlertDescription) -> bool {
    use AlertDescription as A;
    matches!(
        alert,
        A::BadCertificate
            | A::UnsupportedCertificate
            | A::CertificateRevoked
            | A::CertificateExpired
            | A::CertificateUnknown
            | A::UnknownCA
            | A::AccessDenied
            | A::DecryptError
    )
}

impl From<ReachError> for ConnectError {
    fn from(error: ReachError) -> Self {
        Self::Reach(error)
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadUrl { url, problem } => write!(f, "the address `{url}` cannot be used: {problem}"),
            Self::Reach(error) => error.fmt(f),
            Self::Tls(failure) => write!(f, "no secure connection: {failure}"),
            Self::Http { status, reason } if reason.is_empty() => {
                write!(f, "the cloud answered the upgrade with HTTP {status}")
            }
            Self::Http { status, reason } => {
                write!(f, "the cloud answered the upgrade with HTTP {status}: {reason}")
            }
            Self::Handshake(problem) => write!(f, "the upgrade to WebSocket failed: {problem}"),
            Self::Timeout { limit, at } => {
                write!(f, "the link was not open within {} s, and came as far as: {at}", limit.as_secs_f64())
            }
        }
    }
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownIssuer => {
                write!(
                    f,
                    "the peer's certificate is not signed by the configured authority; check the CA file"
                )
            }
            Self::WrongName(text) | Self::OutOfDate(text) => write!(f, "the peer's {text}"),
            Self::BadCertificate(text) => write!(f, "the peer's certificate is not acceptable: {text}"),
            Self::NoCertificate => write!(f, "a client certificate is required and none was presented"),
            Self::Refused(alert) => {
                write!(f, "the peer refused our certificate ({alert}); check its authority and validity")
            }
            Self::Incompatible(text) | Self::Broken(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(error) => write!(f, "the connection was lost at once: {error}"),
            Self::Tls { peer, failure } => write!(f, "{peer}: no secure connection: {failure}"),
            Self::Refused { peer, status, reason } => {
                write!(f, "{peer}: refused with HTTP {status}: {reason}")
            }
            Self::Handshake { peer, problem } => {
                write!(f, "{peer}: the upgrade to WebSocket failed: {problem}")
            }
            Self::Timeout { peer, limit } => {
                write!(f, "{peer}: the link was not open within {} s", limit.as_secs_f64())
            }
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Reach(error) => error.source(),
            _ => None,
        }
    }
}

impl std::error::Error for TlsFailure {}

impl std::error::Error for AcceptError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Tcp(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: rustls::Error, expected: TlsFailure) {
        let wrapped = io::Error::new(io::ErrorKind::InvalidData, error);
        assert_eq!(TlsFailure::of_handshake(&wrapped), expected);
        assert!(!expected.to_string().contains('\n'));
    }

    #[test]
    fn the_cause_is_read_out_of_the_layers() {
        use rustls::Error;
        check(Error::InvalidCertificate(CertificateError::UnknownIssuer), TlsFailure::UnknownIssuer);
        check(Error::InvalidCertificate(CertificateError::BadSignature), TlsFailure::UnknownIssuer);
        check(Error::AlertReceived(AlertDescription::UnknownCA), TlsFailure::Refused("UnknownCA".into()));
        check(Error::AlertReceived(AlertDescription::CertificateRequired), TlsFailure::NoCertificate);
        check(Error::NoCertificatesPresented, TlsFailure::NoCertificate);
        let broken = io::Error::new(io::ErrorKind::ConnectionReset, "gone");
        assert_eq!(TlsFailure::of_handshake(&broken), TlsFailure::Broken("gone".into()));
        assert_eq!(TlsFailure::inside(&broken), None);
    }
}
