//! The cloud's end: from a datagram to an open session.

use super::compression::Compression;
use super::congestion::close;
use super::error::{CUT, QuicError, REFUSED, code};
use super::packets::PAYLOAD_BYTES_MAX;
use super::runtime::LaneRuntime;
use super::session::{Session, after, last_words};
use super::transport::{endpoint, transport};
use super::{compression, protocols, reading, writing};
use crate::tls::node_name;
use edgehub_core::Violation;
use edgehub_core::package::{self, Compressor, Control, Hello, answer};
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Connection, Endpoint, Incoming};
use rustls::ServerConfig;
use rustls::server::ServerSessionMemoryCache;
use rustls_pki_types::CertificateDer;
use smol::Executor;
use smol::future::{self, or};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Sessions that may be resumed, of all nodes together.
const SESSIONS: usize = 1024;

/// How long the last words of all connections may take to leave.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// Handshakes with addresses that have not been heard from before. Datagrams can bear any address: beyond this number a node has
/// to show first that it is where it says, which takes a round trip and no memory here.
const UNPROVEN_MAX: usize = 64;

/// Listens on a UDP port.
#[derive(Debug)]
pub(crate) struct Server {
    executor: Arc<Executor<'static>>,
    endpoint: Endpoint,
    /// Held by each handshake with an address that is not proven.
    unproven: Arc<()>,
    /// For all connections.
    compressor: Arc<Mutex<Compressor>>,
}

/// A connection before its handshake.
#[derive(Debug)]
pub(crate) struct Arrival {
    incoming: Incoming,
    unproven: Option<Arc<()>>,
    connection: Arc<OnceLock<Connection>>,
    compressor: Arc<Mutex<Compressor>>,
}

impl Server {
    /// Listens; a connection of which nothing was heard for longer than `silence` is dead.
    pub(crate) fn bind(
        address: SocketAddr,
        tls: &ServerConfig,
        silence: Duration,
        compression: bool,
    ) -> io::Result<Server> {
        let mut tls = tls.clone();
        tls.alpn_protocols = protocols(compression);
        tls.session_storage = ServerSessionMemoryCache::new(SESSIONS);
        tls.send_tls13_tickets = 1;
        let crypto = QuicServerConfig::try_from(tls).map_err(io::Error::other)?;
        let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
        // What each node can receive, it says itself.
        config.transport_config(transport(silence, None, PAYLOAD_BYTES_MAX));
        let executor = Arc::new(Executor::new());
        let socket = UdpSocket::bind(address)?;
        let runtime = LaneRuntime::of(&executor);
        let endpoint = Endpoint::new(endpoint(PAYLOAD_BYTES_MAX), Some(config), socket, runtime)?;
        Ok(Server { executor, endpoint, unproven: Arc::default(), compressor: Arc::default() })
    }

    /// Where it listens.
    #[cfg(test)]
    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.endpoint.local_addr()
    }

    /// Moves packets, for as long as it is polled.
    pub(crate) fn work(&self) -> impl Future<Output = ()> + Send + use<> {
        let executor = self.executor.clone();
        async move { executor.run(future::pending::<()>()).await }
    }

    /// The next connection.
    pub(crate) async fn accept(&self) -> io::Result<Arrival> {
        loop {
            let incoming = self.endpoint.accept().await.ok_or(io::ErrorKind::NotConnected)?;
            let proven = incoming.remote_address_validated();
            if !proven && Arc::strong_count(&self.unproven) > UNPROVEN_MAX && incoming.may_retry() {
                // One that cannot be asked is dropped.
                let _ = incoming.retry();
                continue;
            }
            return Ok(Arrival {
                incoming,
                unproven: (!proven).then(|| self.unproven.clone()),
                connection: Arc::default(),
                compressor: self.compressor.clone(),
            });
        }
    }

    /// Lets last words leave.
    pub(crate) async fn settle(&self) {
        last_words(&self.endpoint, CLOSE_TIMEOUT).await;
    }
}

impl Arrival {
    pub(crate) fn peer(&self) -> SocketAddr {
        self.incoming.remote_address()
    }

    /// What will cut this connection, once there is one.
    pub(crate) fn cut(&self) -> Cut {
        Cut(self.connection.clone())
    }

    /// Finishes the handshake and learns who it is.
    pub(crate) async fn accept(self, limit: Duration) -> Result<(Session, Hello), QuicError> {
        let Arrival { incoming, unproven, connection, compressor } = self;
        let open = async {
            let opened = incoming.accept()?.await?;
            drop(unproven);
            let _ = connection.set(opened.clone());
            let welcomed = welcome(&opened, compressor).await;
            if let Err(error) = &welcomed {
                let code = match error {
                    QuicError::Violation(violation) => code(*violation),
                    _ => REFUSED,
                };
                close(&opened, code, error.to_string().as_bytes());
            }
            welcomed
        };
        let late = async {
            smol::Timer::after(limit).await;
            if let Some(connection) = connection.get() {
                close(connection, code(Violation::StreamUse), b"not open in time");
            }
            Err(QuicError::Timeout(limit))
        };
        or(open, late).await
    }
}

/// Hears on the control lane who the node is, and compares it with its certificate.
async fn welcome(
    connection: &Connection,
    compressor: Arc<Mutex<Compressor>>,
) -> Result<(Session, Hello), QuicError> {
    let certificate = connection
        .peer_identity()
        .and_then(|identity| identity.downcast::<Vec<CertificateDer<'static>>>().ok())
        .and_then(|chain| chain.first().cloned());
    let (mut send, mut receive) = connection.accept_bi().await?;
    let mut lane = package::Incoming::control_lane();
    let first = reading::control_message(&mut receive, &mut lane).await?;
    let Control::Hello(hello) = Control::of(&first)? else { return Err(Violation::ControlLane.into()) };
    let certified = certificate.as_ref().and_then(|certificate| node_name(certificate));
    let known = !hello.node.is_empty() && certified.is_none_or(|node| node == hello.node);
    // A resumed session brings the certificate of the first one, which may have expired since.
    let welcome = known && certificate.is_some_and(|certificate| is_in_force(&certificate));
    let answer = writing::package(&answer(&first, welcome)?);
    if !welcome {
        send.write_chunk(answer).await?;
        // The answer has to arrive before the connection ends.
        let _ = send.finish();
        or(async { drop(send.stopped().await) }, after(CLOSE_TIMEOUT)).await;
        return Err(QuicError::Refused);
    }
    let compression = match compression::is_agreed(connection) {
        true => Compression::Shared(compressor),
        false => Compression::None,
    };
    let mut session = Session::accepted(connection.clone(), (send, receive, lane), compression).await?;
    // The last step: once the node knows, this end must be ready.
    session.say(answer).await?;
    Ok((session, hello))
}

fn is_in_force(certificate: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(certificate).is_ok_and(|(_, certificate)| certificate.validity().is_valid())
}

/// Cuts a connection.
#[derive(Debug)]
pub(crate) struct Cut(Arc<OnceLock<Connection>>);

impl Cut {
    /// Ends it at once. Without a word the peer would only notice after the idle timeout.
    pub(crate) fn cut(&self) {
        if let Some(connection) = self.0.get() {
            close(connection, CUT, b"");
        }
    }
}
