//! The way to a host: its name resolved anew, its addresses raced, or a proxy in between.
//!
//! [`connect`] is the one function that leads to a TCP stream, for every lane. It decides nothing: with a [`Proxy`] it takes the
//! way through it and no other, whatever happens there; without one it takes none.

use std::net::SocketAddr;
use std::{fmt, io};

use edgehub_core::proxy::{Credentials, ProxyError, Tunnel};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::TcpStream;

mod choose;
pub(crate) mod names;
mod proxy;
pub(crate) mod race;

pub use choose::{Environment, ProxyChoice};
pub use proxy::{Proxy, ProxyKind};

/// What is read of a proxy's answer at a time.
const PIECE_BYTES: usize = 512;

/// Why there is no connection to a host.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReachError {
    /// The name has no address.
    NameNotFound {
        /// The name.
        host: String,
        /// What the resolver says.
        error: io::Error,
    },
    /// Nobody listens at the address.
    Refused {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be reached.
    Unreachable {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// The way to the proxy, or through it, is closed.
    Proxy {
        /// The proxy, without user and password.
        proxy: String,
        /// Why.
        problem: String,
    },
}

impl fmt::Display for ReachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReachError::NameNotFound { host, error } => {
                write!(f, "no address found for host `{host}`: {error}")
            }
            ReachError::Refused { address } => {
                write!(f, "{address} refused the connection: nobody listens there")
            }
            ReachError::Unreachable { address, error } => write!(f, "{address} cannot be reached: {error}"),
            ReachError::Proxy { proxy, problem } => write!(f, "no way through the proxy {proxy}: {problem}"),
        }
    }
}

impl std::error::Error for ReachError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ReachError::NameNotFound { error, .. } | ReachError::Unreachable { error, .. } => Some(error),
            ReachError::Refused { .. } | ReachError::Proxy { .. } => None,
        }
    }
}

impl ReachError {
    /// A short, stable name of the variant, for metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            ReachError::NameNotFound { .. } => "name_not_found",
            ReachError::Refused { .. } => "refused",
            ReachError::Unreachable { .. } => "unreachable",
            ReachError::Proxy { .. } => "proxy",
        }
    }
}

/// Connects to `host:port`, through the proxy if there is one. Names are resolved anew each time, by the proxy if there is one.
///
/// It may take as long as a proxy or the network likes: the caller limits the time.
pub async fn connect(host: &str, port: u16, proxy: Option<&Proxy>) -> Result<TcpStream, ReachError> {
    connect_telling(host, port, proxy, || {}).await
}

/// The same; tells when the name has its addresses, the proxy's name if there is one.
pub(crate) async fn connect_telling(
    host: &str,
    port: u16,
    proxy: Option<&Proxy>,
    named: impl Fn(),
) -> Result<TcpStream, ReachError> {
    let Some(proxy) = proxy else { return direct(host, port, named).await };
    let failed = |problem: String| ReachError::Proxy { proxy: proxy.to_string(), problem };
    let mut stream = direct(&proxy.host, proxy.port, named)
        .await
        .map_err(|error| failed(format!("it cannot be reached: {error}")))?;
    let mut tunnel = tunnel(proxy, host, port).map_err(|error| failed(error.to_string()))?;
    let mut piece = [0; PIECE_BYTES];
    loop {
        stream.write_all(&tunnel.to_send()).await.map_err(|error| failed(error.to_string()))?;
        let read = stream.read(&mut piece).await.map_err(|error| failed(error.to_string()))?;
        let heard = piece.get(..read).unwrap_or_default();
        if tunnel.received(heard).map_err(|error| failed(error.to_string()))? {
            return Ok(stream);
        }
    }
}

fn tunnel(proxy: &Proxy, host: &str, port: u16) -> Result<Tunnel, ProxyError> {
    let credentials = proxy.credentials.as_ref();
    match proxy.kind {
        ProxyKind::Http => Tunnel::http(host, port, credentials.map(basic).as_deref()),
        ProxyKind::Socks5 => Tunnel::socks5(host, port, credentials),
    }
}

/// The value of `Proxy-Authorization` (RFC 7617).
fn basic(Credentials { user, password }: &Credentials) -> String {
    format!("Basic {}", data_encoding::BASE64.encode(format!("{user}:{password}").as_bytes()))
}

async fn direct(host: &str, port: u16, named: impl Fn()) -> Result<TcpStream, ReachError> {
    let not_found = |error| ReachError::NameNotFound { host: host.to_owned(), error };
    let addresses = names::resolve(host, port).await.map_err(not_found)?;
    named();
    let outcome = race::race(addresses, one).await;
    outcome
        .unwrap_or_else(|| Err(not_found(io::Error::new(io::ErrorKind::NotFound, "the name has no address"))))
}

async fn one(address: SocketAddr) -> Result<TcpStream, ReachError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::ConnectionRefused => ReachError::Refused { address },
        _ => ReachError::Unreachable { address, error },
    };
    let stream = TcpStream::connect(address).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    Ok(stream)
}

#[cfg(test)]
mod tests;
