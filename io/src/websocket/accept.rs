//! The cloud hub's end: TLS with a client certificate, and the upgrade, judged before it is answered.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_tungstenite::accept_hdr_async_with_config;
use async_tungstenite::tungstenite as ws;
use async_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use futures_rustls::TlsAcceptor;
use rustls::ServerConfig;
use smol::net::TcpStream;

use super::upgrade::{self, Claim, Refusal};
use super::{AcceptError, ServerStream, TlsFailure, websocket_config, within};
use crate::tls::node_name;

/// An open link, and who is at its other end.
#[derive(Debug)]
pub struct Accepted {
    /// The link.
    pub stream: ServerStream,
    /// The node that the request names. When the certificate names a node, it is this one.
    pub node: String,
    /// The project that the request names; empty when it names none.
    pub project: String,
    /// The node that the client's certificate names; `None` for a certificate of another form.
    pub certificate_node: Option<String>,
    /// The header `ConnectionUse`; a node sends `msg`. What to do about another value is the caller's to decide.
    pub connection_use: Option<String>,
    /// The client's address.
    pub peer: SocketAddr,
}

/// Opens the cloud hub's end of a link on a fresh TCP connection.
///
/// `handshake_timeout` covers TLS and the upgrade together. The upgrade is answered with 403 to a foreign `Origin` and
/// to a node that comes with another node's certificate, and with 400 when no node is named at all.
pub async fn accept(
    tcp: TcpStream,
    tls: Arc<ServerConfig>,
    handshake_timeout: Duration,
    message_bytes_max: usize,
) -> Result<Accepted, AcceptError> {
    let peer = tcp.peer_addr().map_err(AcceptError::Tcp)?;
    tcp.set_nodelay(true).map_err(AcceptError::Tcp)?;
    let limit = handshake_timeout;
    within(limit, open(tcp, tls, message_bytes_max, peer), || AcceptError::Timeout { peer, limit }).await
}

async fn open(
    tcp: TcpStream,
    tls: Arc<ServerConfig>,
    message_bytes_max: usize,
    peer: SocketAddr,
) -> Result<Accepted, AcceptError> {
    let tls = TlsAcceptor::from(tls)
        .accept(tcp)
        .await
        .map_err(|error| AcceptError::Tls { peer, failure: TlsFailure::of_handshake(&error) })?;
    let certificate_node = tls
        .get_ref()
        .1
        .peer_certificates()
        .and_then(|certificates| certificates.first())
        .and_then(|certificate| node_name(certificate));

    let mut judged = None;
    let judge = Judge { certificate_node: certificate_node.as_deref(), judged: &mut judged };
    let outcome = accept_hdr_async_with_config(tls, judge, Some(websocket_config(message_bytes_max))).await;
    match (outcome, judged) {
        (Ok(stream), Some(Ok(Claim { node, project, connection_use }))) => {
            Ok(Accepted { stream, node, project, certificate_node, connection_use, peer })
        }
        // Also when the client hung up while it was being told.
        (_, Some(Err(Refusal { status, reason }))) => {
            Err(AcceptError::Refused { peer, status: status.as_u16(), reason })
        }
        (Err(error), _) => Err(upgrade_error(peer, error)),
        (Ok(_), None) => Err(AcceptError::Handshake { peer, problem: "the request was never judged".into() }),
    }
}

fn upgrade_error(peer: SocketAddr, error: ws::Error) -> AcceptError {
    match error {
        ws::Error::Io(error) => match TlsFailure::inside(&error) {
            Some(failure) => AcceptError::Tls { peer, failure },
            None if error.kind() == io::ErrorKind::UnexpectedEof => {
                AcceptError::Handshake { peer, problem: "the client closed the connection".into() }
            }
            None => AcceptError::Handshake { peer, problem: error.to_string() },
        },
        other => AcceptError::Handshake { peer, problem: other.to_string() },
    }
}

/// Answers the upgrade request, and keeps the judgement for afterwards.
struct Judge<'a> {
    certificate_node: Option<&'a str>,
    judged: &'a mut Option<Result<Claim, Refusal>>,
}

impl ws::handshake::server::Callback for Judge<'_> {
    fn on_request(self, request: &Request, response: Response) -> Result<Response, ErrorResponse> {
        let judgement = upgrade::judge(request, self.certificate_node);
        let answer = match &judgement {
            Ok(_) => Ok(response),
            Err(refusal) => Err(refusal.clone().response()),
        };
        *self.judged = Some(judgement);
        answer
    }
}
