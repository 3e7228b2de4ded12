//! The node's end: from a target to an open session.

use super::compression::Compression;
use super::congestion::close;
use super::error::{QuicError, VISIT, code};
use super::older::{self, Found};
use super::packets::{any_like, payload_towards};
use super::runtime::LaneRuntime;
use super::session::{LAST_PACKET, Session, after, last_words};
use super::transport::{endpoint, transport};
use super::{compression, protocols, reading, writing};
use crate::reach::names::resolve;
use crate::reach::race::race;
use crate::websocket::Target;
use edgehub_core::Config;
use edgehub_core::package::{Control, Hello, Incoming};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, Endpoint};
use rustls::ClientConfig;
use rustls::client::Resumption;
use smol::Executor;
use smol::future::or;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Sessions that may be resumed: one for each address of a target is plenty.
const SESSIONS: usize = 8;

/// Opens connections. It remembers TLS sessions for as long as the certificates stay the same.
#[derive(Debug)]
pub(crate) struct Client {
    silence: Duration,
    keep_alive: Duration,
    compression: bool,
    config: Mutex<Option<(Arc<ClientConfig>, quinn::ClientConfig)>>,
}

impl Client {
    /// A client for hubs of this configuration, which offers compression or does not.
    pub(crate) fn new(config: &Config, compression: bool) -> Client {
        let silence = config.ping_interval.saturating_mul(config.ping_misses.saturating_add(1));
        Client { silence, keep_alive: config.ping_interval, compression, config: Mutex::new(None) }
    }

    /// The silence after which the hub gives up, and how often the connection is kept alive.
    #[cfg(test)]
    pub(super) fn times(&self) -> (Duration, Duration) {
        (self.silence, self.keep_alive)
    }

    /// Opens a connection and says who the node is. Returns when the cloud has accepted it.
    pub(crate) async fn open(
        &self,
        target: &Target,
        limit: Duration,
        tls: Arc<ClientConfig>,
    ) -> Result<Session, QuicError> {
        if let Some(proxy) = &target.proxy {
            return Err(QuicError::Proxy(proxy.to_string()));
        }
        let (host, port) = host_and_port(&target.url)?;
        let config = self.config_for(tls)?;
        let executor = Arc::new(Executor::new());
        let dial = dial(&executor, &host, port, |payload| self.config_for_packets(&config, payload), target);
        let late = async {
            smol::Timer::after(limit).await;
            Err(QuicError::Timeout(limit))
        };
        executor.run(or(dial, late)).await.map(|session| session.on(executor))
    }

    /// Whether the lane gets through to a target: a handshake that both ends are content with, and not a word more.
    pub(crate) async fn reaches(&self, target: &Target, limit: Duration, tls: Arc<ClientConfig>) -> bool {
        let Ok((host, port)) = host_and_port(&target.url) else { return false };
        let Ok(config) = self.config_for(tls) else { return false };
        let executor = Arc::new(Executor::new());
        let look = async {
            let addresses = resolve(&host, port).await.unwrap_or_default();
            let config = |payload| self.config_for_packets(&config, payload);
            let Ok((endpoint, connection)) = first_of(addresses, &executor, &host, config).await else {
                return false;
            };
            close(&connection, VISIT, b"");
            last_words(&endpoint, LAST_PACKET).await;
            true
        };
        let late = async {
            after(limit).await;
            false
        };
        executor.run(or(look, late)).await
    }

    fn config_for(&self, tls: Arc<ClientConfig>) -> Result<quinn::ClientConfig, QuicError> {
        let mut known = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, config)) = &*known
            && Arc::ptr_eq(of, &tls)
        {
            return Ok(config.clone());
        }
        let mut own = (*tls).clone();
        own.alpn_protocols = protocols(self.compression);
        own.resumption = Resumption::in_memory_sessions(SESSIONS);
        let crypto = QuicClientConfig::try_from(own).map_err(|error| QuicError::Tls(error.to_string()))?;
        let config = quinn::ClientConfig::new(Arc::new(crypto));
        *known = Some((tls, config.clone()));
        Ok(config)
    }

    /// The same for packets of up to this payload.
    fn config_for_packets(&self, config: &quinn::ClientConfig, payload: u16) -> quinn::ClientConfig {
        let mut config = config.clone();
        config.transport_config(transport(self.silence, Some(self.keep_alive), payload));
        config
    }
}

/// Races the host's addresses, and says who the node is to the one that won: a second session of the node would end the first.
async fn dial(
    executor: &Arc<Executor<'static>>,
    host: &str,
    port: u16,
    config: impl Fn(u16) -> quinn::ClientConfig,
    target: &Target,
) -> Result<Session, QuicError> {
    let found = resolve(host, port).await.map_err(QuicError::NameNotFound)?;
    let (endpoint, connection) = first_of(found, executor, host, config).await?;
    let greeted = greet(endpoint.clone(), connection.clone(), target).await;
    if let Err(QuicError::Violation(violation)) = &greeted {
        close(&connection, code(*violation), violation.name().as_bytes());
        last_words(&endpoint, LAST_PACKET).await;
    }
    greeted
}

/// The address that shakes hands first.
pub(super) async fn first_of(
    addresses: Vec<SocketAddr>,
    executor: &Arc<Executor<'static>>,
    host: &str,
    config: impl Fn(u16) -> quinn::ClientConfig,
) -> Result<(Endpoint, Connection), QuicError> {
    let attempt = |address| {
        let payload = payload_towards(address);
        let config = config(payload);
        async move {
            let asked = async {
                Err(match older::ask(address, any_like(address)).await {
                    Found::Older => QuicError::OlderQuic,
                    Found::Nobody => QuicError::NobodyThere,
                })
            };
            or(connect(executor, (address, payload), host, config), asked).await
        }
    };
    let nowhere = || Err(QuicError::NameNotFound(std::io::ErrorKind::NotFound.into()));
    race(addresses, attempt).await.unwrap_or_else(nowhere)
}

/// A connection, on an endpoint of its own.
async fn connect(
    executor: &Arc<Executor<'static>>,
    (address, payload): (SocketAddr, u16),
    host: &str,
    config: quinn::ClientConfig,
) -> Result<(Endpoint, Connection), QuicError> {
    let socket = UdpSocket::bind(any_like(address)).map_err(QuicError::Socket)?;
    let runtime = LaneRuntime::of(executor);
    let endpoint = Endpoint::new(endpoint(payload), None, socket, runtime).map_err(QuicError::Socket)?;
    let connection = endpoint.connect_with(config, address, host)?.await?;
    Ok((endpoint, connection))
}

/// Says who the node is, and hears whether the cloud wants it.
async fn greet(endpoint: Endpoint, connection: Connection, target: &Target) -> Result<Session, QuicError> {
    let (mut send, mut receive) = connection.open_bi().await?;
    let hello = Hello { node: target.node.clone(), project: target.project_id.clone() };
    send.write_chunk(writing::package(&hello.to_message()?)).await?;
    let mut lane = Incoming::control_lane();
    let answer = reading::control_message(&mut receive, &mut lane).await?;
    match Control::of(&answer)? {
        Control::Answer { accepted: true, .. } => {}
        Control::Answer { accepted: false, .. } => return Err(QuicError::Refused),
        _ => return Err(QuicError::Violation(edgehub_core::Violation::ControlLane)),
    }
    let compression = match compression::is_agreed(&connection) {
        true => Compression::Own(Box::default()),
        false => Compression::None,
    };
    Session::open(endpoint, connection, (send, receive, lane), compression).await
}

/// Takes `quic://HOST:PORT` apart.
pub(super) fn host_and_port(url: &str) -> Result<(String, u16), QuicError> {
    let bad = || QuicError::BadUrl(format!("expected quic://HOST:PORT, found {url}"));
    let rest = url.trim().strip_prefix("quic://").ok_or_else(bad)?;
    let (host, port) = rest.trim_end_matches('/').rsplit_once(':').ok_or_else(bad)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(bad)?;
    if host.is_empty() || host.contains('/') {
        return Err(bad());
    }
    Ok((host.into(), port))
}
