//! A CloudHub on loopback with throwaway certificates, and what a node needs to reach it: for demos and tests.

use crate::config::Lane;
use crate::edge::Options;
use crate::pki::{Authority, Identity, PkiError};
use crate::server::{CloudServer, ServerDriver, ServerOptions};
use crate::tls::{self, Pems, TlsError};
use crate::websocket::Target;
use edgehub_core::Config;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};
use std::{fmt, io};

/// The project that every loopback node belongs to.
pub const PROJECT: &str = "e632aba927ea4ac2b575ec1603d56f10";

/// Why a loopback CloudHub could not be set up.
#[derive(Debug)]
pub enum LoopbackError {
    /// Its certificates could not be made.
    Pki(PkiError),
    /// They could not be used.
    Tls(TlsError),
    /// It could not listen.
    Io(io::Error),
}

impl fmt::Display for LoopbackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoopbackError::Pki(error) => error.fmt(f),
            LoopbackError::Tls(error) => error.fmt(f),
            LoopbackError::Io(error) => write!(f, "cannot listen on loopback: {error}"),
        }
    }
}

impl std::error::Error for LoopbackError {}

impl From<PkiError> for LoopbackError {
    fn from(error: PkiError) -> LoopbackError {
        LoopbackError::Pki(error)
    }
}

impl From<TlsError> for LoopbackError {
    fn from(error: TlsError) -> LoopbackError {
        LoopbackError::Tls(error)
    }
}

/// What a node needs to reach a CloudHub, in one piece that can be handed to another process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ticket {
    /// Where the CloudHub listens.
    pub address: SocketAddr,
    /// The lane to take.
    #[serde(default)]
    pub lane: Lane,
    /// The node's name.
    pub node: String,
    /// PEM: the authority, the node's certificate, its key.
    pub ca: String,
    /// PEM: the node's certificate.
    pub certificate: String,
    /// PEM: its key.
    pub key: String,
}

impl Ticket {
    /// The same for another lane.
    pub fn over(self, lane: Lane) -> Ticket {
        Ticket { lane, ..self }
    }

    /// Options for a hub that goes there.
    pub fn options(&self, config: Config) -> Result<Options, TlsError> {
        let tls = tls::client_config_from_pem(Pems {
            ca: &self.ca,
            certificate: &self.certificate,
            key: &self.key,
        })?;
        let schemes: &[&str] = match self.lane {
            Lane::WebSocket => &["wss"],
            Lane::Quic => &["quic"],
            Lane::Auto => &["quic", "wss"],
        };
        let target = |scheme| Target::new(format!("{scheme}://{}", self.address), PROJECT, &self.node);
        let targets = schemes.iter().map(target).collect();
        Ok(Options::new(config, targets, tls))
    }
}

/// An authority that lives as long as this value, and the server side of it.
#[derive(Debug)]
pub struct Loopback {
    /// The authority, for further certificates.
    pub authority: Authority,
}

impl Loopback {
    /// A new authority.
    pub fn new() -> Result<Loopback, LoopbackError> {
        Ok(Loopback { authority: Authority::generate()? })
    }

    /// Options for a server with a certificate for this machine's loopback names.
    pub fn server_options(&self) -> Result<ServerOptions, LoopbackError> {
        self.server_options_for(&["localhost".into(), "127.0.0.1".into(), "::1".into()])
    }

    /// Options for a server with a certificate for these names and addresses.
    pub fn server_options_for(&self, names: &[String]) -> Result<ServerOptions, LoopbackError> {
        let identity = self.authority.server(names)?;
        let tls = tls::server_config_from_pem(self.pems(&identity))?;
        Ok(ServerOptions::new(tls))
    }

    /// Listens on a free port of 127.0.0.1.
    pub async fn serve(&self, options: ServerOptions) -> Result<(CloudServer, ServerDriver), LoopbackError> {
        self.serve_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), options).await
    }

    /// Listens on a given address, for a server that comes back where it was.
    pub async fn serve_on(
        &self,
        address: SocketAddr,
        options: ServerOptions,
    ) -> Result<(CloudServer, ServerDriver), LoopbackError> {
        CloudServer::bind(address, options).await.map_err(LoopbackError::Io)
    }

    /// What a node of this name needs.
    pub fn ticket(&self, address: SocketAddr, node: &str) -> Result<Ticket, LoopbackError> {
        let identity = self.authority.node(node)?;
        Ok(Ticket {
            address,
            lane: Lane::WebSocket,
            node: node.into(),
            ca: self.authority.certificate_pem().into(),
            certificate: identity.certificate_pem,
            key: identity.key_pem,
        })
    }

    fn pems<'a>(&'a self, identity: &'a Identity) -> Pems<'a> {
        Pems {
            ca: self.authority.certificate_pem(),
            certificate: &identity.certificate_pem,
            key: &identity.key_pem,
        }
    }
}
