//! Both ends against each other, and against peers that misbehave, on loopback sockets.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use async_tungstenite::tungstenite::{Error as WsError, Message, error::CapacityError};
use futures_util::StreamExt;
use rustls::{ClientConfig, ServerConfig};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};

use super::*;
use crate::pki::{Authority, Identity, Profile, Purpose};
use crate::reach::ReachError;
use crate::tls::{Pems, client_config_from_pem, server_config_from_pem};

/// Long enough that no healthy handshake ever meets it.
const PATIENT: Duration = Duration::from_secs(30);
/// For handshakes that are expected to stall.
const IMPATIENT: Duration = Duration::from_millis(50);

fn client(ca: &Authority, own: &Identity) -> Arc<ClientConfig> {
    let pems = Pems { ca: ca.certificate_pem(), certificate: &own.certificate_pem, key: &own.key_pem };
    client_config_from_pem(pems).unwrap()
}

fn server(authority: &Authority, names: &[&str]) -> Arc<ServerConfig> {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let own = authority.server(&names).unwrap();
    let pems = Pems { ca: authority.certificate_pem(), certificate: &own.certificate_pem, key: &own.key_pem };
    server_config_from_pem(pems).unwrap()
}

fn target(port: u16) -> Target {
    Target::new(format!("wss://127.0.0.1:{port}"), "project", "edge-1")
}

async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Lets one client and one cloud hub meet.
fn meet(
    target: impl FnOnce(u16) -> Target,
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    limit: usize,
) -> (Result<Stream, ConnectError>, Result<Accepted, AcceptError>) {
    smol::block_on(async {
        let (listener, port) = listen().await;
        let target = target(port);
        let accepting = async {
            let (tcp, _) = listener.accept().await.unwrap();
            accept(tcp, server, PATIENT, limit).await
        };
        smol::future::zip(connect(&target, client), accepting).await
    })
}

fn meet_as(node: &str, certificate: &str) -> (Result<Stream, ConnectError>, Result<Accepted, AcceptError>) {
    let authority = Authority::generate().unwrap();
    let own = authority.node(certificate).unwrap();
    let target = |port| Target { node: node.to_owned(), ..target(port) };
    meet(target, client(&authority, &own), server(&authority, &["127.0.0.1"]), MESSAGE_BYTES_MAX)
}

#[test]
fn a_node_and_a_cloud_hub_meet() {
    let (connected, accepted) = meet_as("edge-1", "edge-1");
    let (mut node, mut accepted) = (connected.unwrap(), accepted.unwrap());
    assert_eq!(accepted.node, "edge-1");
    assert_eq!(accepted.project, "project");
    assert_eq!(accepted.certificate_node.as_deref(), Some("edge-1"));
    assert_eq!(accepted.connection_use.as_deref(), Some("msg"));
    assert!(accepted.peer.ip().is_loopback());
    assert!(node.get_ref().get_ref().0.nodelay().unwrap());
    smol::block_on(async {
        node.send(Message::text("up")).await.unwrap();
        assert_eq!(accepted.stream.next().await.unwrap().unwrap(), Message::text("up"));
        accepted.stream.send(Message::text("down")).await.unwrap();
        assert_eq!(node.next().await.unwrap().unwrap(), Message::text("down"));
    });
}

#[test]
fn hosts_are_found_by_name_too() {
    let authority = Authority::generate().unwrap();
    let own = authority.node("edge-1").unwrap();
    let target = |port| Target { url: format!("wss://localhost:{port}"), ..target(port) };
    let (connected, accepted) =
        meet(target, client(&authority, &own), server(&authority, &["localhost"]), MESSAGE_BYTES_MAX);
    connected.unwrap();
    accepted.unwrap();
}

#[test]
fn another_nodes_certificate_is_refused() {
    let (connected, accepted) = meet_as("edge-1", "edge-2");
    let error = connected.err().unwrap();
    assert!(matches!(error, ConnectError::Http { status: 403, .. }), "{error}");
    assert_eq!(error.kind(), "http");
    let error = accepted.unwrap_err();
    assert!(matches!(error, AcceptError::Refused { status: 403, .. }), "{error}");
    assert!(error.to_string().contains("edge-2"), "{error}");
}

#[test]
fn a_cloud_hub_of_another_authority_is_not_trusted() {
    let (ours, theirs) = (Authority::generate().unwrap(), Authority::generate().unwrap());
    let own = theirs.node("edge-1").unwrap();
    let (connected, accepted) =
        meet(target, client(&ours, &own), server(&theirs, &["127.0.0.1"]), MESSAGE_BYTES_MAX);
    let error = connected.err().unwrap();
    assert!(matches!(error, ConnectError::Tls(TlsFailure::UnknownIssuer)), "{error}");
    let error = accepted.unwrap_err();
    assert!(matches!(error, AcceptError::Tls { failure: TlsFailure::Refused(_), .. }), "{error}");
}

#[test]
fn a_cloud_hub_of_another_name_is_not_trusted() {
    let authority = Authority::generate().unwrap();
    let own = authority.node("edge-1").unwrap();
    let (connected, _) =
        meet(target, client(&authority, &own), server(&authority, &["192.0.2.1"]), MESSAGE_BYTES_MAX);
    let error = connected.err().unwrap();
    assert!(matches!(error, ConnectError::Tls(TlsFailure::WrongName(_))), "{error}");
    assert!(error.to_string().contains("192.0.2.1"), "{error}");
}

#[test]
fn an_expired_cloud_hub_is_not_trusted() {
    let authority = Authority::generate().unwrap();
    let own = authority.node("edge-1").unwrap();
    let good = authority.server(&["127.0.0.1".into()]).unwrap();
    let purpose = Purpose::Server { names: vec!["127.0.0.1".into()] };
    let day = Duration::from_secs(86_400);
    let epoch = std::time::UNIX_EPOCH;
    let old =
        authority.issue(&Profile { purpose, not_before: epoch + day, not_after: epoch + 2 * day }).unwrap();
    // The loader refuses an expired certificate, so the configuration gets it behind the loader's back.
    let pems =
        Pems { ca: authority.certificate_pem(), certificate: &good.certificate_pem, key: &good.key_pem };
    let mut config = (*server_config_from_pem(pems).unwrap()).clone();
    config.cert_resolver = Arc::new(rustls::sign::SingleCertAndKey::from(unchecked(&old)));
    let (connected, _) = meet(target, client(&authority, &own), Arc::new(config), MESSAGE_BYTES_MAX);
    let error = connected.err().unwrap();
    assert!(matches!(error, ConnectError::Tls(TlsFailure::OutOfDate(_))), "{error}");
}

#[test]
fn an_expired_node_is_refused() {
    let authority = Authority::generate().unwrap();
    let good = authority.node("edge-1").unwrap();
    let old = authority.node_expired("edge-1").unwrap();
    let mut config = (*client(&authority, &good)).clone();
    config.client_auth_cert_resolver = Arc::new(rustls::sign::SingleCertAndKey::from(unchecked(&old)));
    let (connected, accepted) =
        meet(target, Arc::new(config), server(&authority, &["127.0.0.1"]), MESSAGE_BYTES_MAX);
    let error = accepted.unwrap_err();
    assert!(matches!(error, AcceptError::Tls { failure: TlsFailure::OutOfDate(_), .. }), "{error}");
    let error = connected.err().unwrap();
    assert!(matches!(error, ConnectError::Tls(TlsFailure::Refused(_))), "{error}");
}

fn unchecked(identity: &Identity) -> rustls::sign::CertifiedKey {
    use rustls_pki_types::pem::PemObject;
    let certificate = rustls_pki_types::CertificateDer::from_pem_slice(identity.certificate_pem.as_bytes());
    let key = rustls_pki_types::PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes());
    let provider = rustls::crypto::ring::default_provider();
    rustls::sign::CertifiedKey::from_der(vec![certificate.unwrap()], key.unwrap(), &provider).unwrap()
}

#[test]
fn a_node_of_another_authority_is_refused() {
    let (ours, theirs) = (Authority::generate().unwrap(), Authority::generate().unwrap());
    let own = theirs.node("edge-1").unwrap();
    let (connected, accepted) =
        meet(target, client(&ours, &own), server(&ours, &["127.0.0.1"]), MESSAGE_BYTES_MAX);
    let error = accepted.unwrap_err();
    assert!(matches!(error, AcceptError::Tls { failure: TlsFailure::UnknownIssuer, .. }), "{error}");
    let error = connected.err().unwrap();
    assert!(matches!(error, ConnectError::Tls(TlsFailure::Refused(_))), "{error}");
}

#[test]
fn a_message_at_the_limit_passes_and_the_next_larger_does_not() {
    let authority = Authority::generate().unwrap();
    let own = authority.node("edge-1").unwrap();
    let (connected, accepted) =
        meet(target, client(&authority, &own), server(&authority, &["127.0.0.1"]), 1000);
    let (mut node, mut cloud) = (connected.unwrap(), accepted.unwrap().stream);
    smol::block_on(async {
        node.send(Message::text("x".repeat(1000))).await.unwrap();
        assert_eq!(cloud.next().await.unwrap().unwrap().len(), 1000);
        node.send(Message::text("x".repeat(1001))).await.unwrap();
        let error = cloud.next().await.unwrap().unwrap_err();
        assert!(
            matches!(error, WsError::Capacity(CapacityError::MessageTooLong { size: 1001, max_size: 1000 })),
            "{error}"
        );
    });
}

/// Connects to a peer that does this and nothing else.
fn connect_to<F: Future<Output = ()>>(
    limit: Duration,
    peer: impl FnOnce(TcpStream) -> F,
) -> Result<Stream, ConnectError> {
    let authority = Authority::generate().unwrap();
    let tls = client(&authority, &authority.node("edge-1").unwrap());
    smol::block_on(async {
        let (listener, port) = listen().await;
        let target = Target { handshake_timeout: limit, ..target(port) };
        let peer = async {
            let (tcp, _) = listener.accept().await.unwrap();
            peer(tcp).await;
            std::future::pending().await
        };
        connect(&target, tls).or(peer).await
    })
}

#[test]
fn a_silent_peer_is_given_up() {
    let error = connect_to(IMPATIENT, |tcp| async move {
        let _held: TcpStream = tcp;
        std::future::pending().await
    });
    let error = error.err().unwrap();
    assert!(matches!(error, ConnectError::Timeout { limit: IMPATIENT, at: Stage::Tls }), "{error}");
}

#[test]
fn a_peer_without_tls_is_told_apart() {
    let error = connect_to(PATIENT, |mut tcp| async move {
        tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        tcp.read(&mut [0; 1024]).await.unwrap();
    });
    let error = error.err().unwrap();
    assert!(matches!(error, ConnectError::Tls(TlsFailure::Incompatible(_))), "{error}");
    let error = connect_to(PATIENT, |tcp| async move { drop(tcp) }).err().unwrap();
    assert!(matches!(error, ConnectError::Tls(TlsFailure::Broken(_))), "{error}");
}

#[test]
fn nobody_listening_is_refused() {
    let authority = Authority::generate().unwrap();
    let tls = client(&authority, &authority.node("edge-1").unwrap());
    smol::block_on(async {
        let (listener, port) = listen().await;
        drop(listener);
        let error = connect(&target(port), tls).await.err().unwrap();
        assert!(
            matches!(&error, ConnectError::Reach(ReachError::Refused { address }) if address.port() == port),
            "{error}"
        );
    });
}

#[test]
fn addresses_that_cannot_be_dialled_are_told_apart() {
    let authority = Authority::generate().unwrap();
    let tls = client(&authority, &authority.node("edge-1").unwrap());
    let kind = |url: &str, node: &str| {
        let target = Target { url: url.into(), node: node.into(), ..target(1) };
        smol::block_on(connect(&target, tls.clone())).err().unwrap().kind()
    };
    assert_eq!(kind("wss://no-such-host.invalid:1", "edge-1"), "name_not_found");
    assert_eq!(kind("ws://127.0.0.1:1", "edge-1"), "bad_url");
    assert_eq!(kind("wss://127.0.0.1:1/p/n/events", "edge\n1"), "bad_url");
}

/// Lets a raw TLS client say this to a cloud hub; returns what it answers and how the cloud hub ends.
fn say(request: &str) -> (String, Result<Accepted, AcceptError>) {
    let authority = Authority::generate().unwrap();
    let tls = client(&authority, &authority.node("edge-1").unwrap());
    let server = server(&authority, &["127.0.0.1"]);
    smol::block_on(async {
        let (listener, port) = listen().await;
        let saying = async {
            let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
            let name = "127.0.0.1".try_into().unwrap();
            let mut tls = futures_rustls::TlsConnector::from(tls).connect(name, tcp).await.unwrap();
            tls.write_all(request.as_bytes()).await.unwrap();
            tls.flush().await.unwrap();
            let mut answer = vec![0; 4096];
            // A peer that hangs up answers nothing.
            let length = tls.read(&mut answer).await.unwrap_or(0);
            String::from_utf8_lossy(&answer[..length]).into_owned()
        };
        let accepting = async {
            let (tcp, _) = listener.accept().await.unwrap();
            accept(tcp, server, PATIENT, MESSAGE_BYTES_MAX).await
        };
        smol::future::zip(saying, accepting).await
    })
}

const UPGRADE: &str = "Host: cloud\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[test]
fn requests_are_judged_before_they_are_upgraded() {
    let (answer, outcome) = say(&format!("GET /p/edge-1/events HTTP/1.1\r\n{UPGRADE}\r\n"));
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    let accepted = outcome.unwrap();
    assert_eq!((accepted.node.as_str(), accepted.project.as_str()), ("edge-1", "p"));
    assert_eq!(accepted.connection_use, None);

    let (answer, outcome) =
        say(&format!("GET /p/edge-1/events HTTP/1.1\r\n{UPGRADE}Origin: https://evil.example\r\n\r\n"));
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert!(answer.ends_with("origin https://evil.example is not allowed"), "{answer}");
    assert!(matches!(outcome, Err(AcceptError::Refused { status: 403, .. })));

    let (answer, outcome) = say(&format!("GET / HTTP/1.1\r\n{UPGRADE}\r\n"));
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(matches!(outcome, Err(AcceptError::Refused { status: 400, .. })));
}

#[test]
fn what_is_no_upgrade_is_not_accepted() {
    for request in ["GET / HTTP/1.1\r\n\r\n", "POST / HTTP/1.1\r\n\r\n", "\0\0\0\0\r\n\r\n"] {
        let (answer, outcome) = say(request);
        assert_eq!(answer, "");
        let error = outcome.unwrap_err();
        assert!(matches!(error, AcceptError::Handshake { .. }), "{error}");
    }
}

#[test]
fn a_silent_client_is_given_up() {
    let authority = Authority::generate().unwrap();
    let server = server(&authority, &["127.0.0.1"]);
    smol::block_on(async {
        let (listener, port) = listen().await;
        let _held = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let (tcp, _) = listener.accept().await.unwrap();
        let error = accept(tcp, server, IMPATIENT, MESSAGE_BYTES_MAX).await.unwrap_err();
        assert!(matches!(error, AcceptError::Timeout { limit: IMPATIENT, .. }), "{error}");
    });
}
