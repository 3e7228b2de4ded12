//! What a CloudHub that has a WebSocket alone sees of a node that would like more.

use super::*;
use crate::loopback::Loopback;
use futures_rustls::LazyConfigAcceptor;
use rustls::server::Acceptor;
use smol::future::or;
use smol::io::AsyncReadExt;
use smol::net::TcpListener;
use std::net::Ipv4Addr;

/// No protocol inside TLS, and no header beside those of a WebSocket and KubeEdge's own.
const HEADERS: [&str; 8] = [
    "connection",
    "connectionuse",
    "host",
    "node_id",
    "project_id",
    "sec-websocket-key",
    "sec-websocket-version",
    "upgrade",
];

/// The node would take QUIC, and compression, and has tried both with the same settings of TLS before.
#[test]
fn nothing_of_ours_is_offered_over_a_websocket() {
    smol::block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let loopback = Loopback::new().unwrap();
        let ticket = loopback.ticket(listener.local_addr().unwrap(), "edge-1").unwrap();
        let options = ticket.over(crate::config::Lane::Auto).options(Config::default()).unwrap();
        let dialer = Dialer::new(&options.config, &options.targets, true);
        let way = |lane| dialer.way(0, lane, Duration::from_secs(30)).unwrap();
        let quic = dialer.open(&way(Lane::Quic), options.tls.clone()).await;
        assert!(matches!(quic, Err(OpenError::Quic(_))), "{quic:?}");
        let way = way(Lane::WebSocket);
        let node = async { panic!("it does not open: {:?}", dialer.open(&way, options.tls.clone()).await) };
        let cloud = async {
            let (tcp, _) = listener.accept().await.unwrap();
            let hello = LazyConfigAcceptor::new(Acceptor::default(), tcp).await.unwrap();
            assert!(hello.client_hello().alpn().is_none(), "a protocol is offered");
            let mut tls = hello.into_stream(loopback.server_options().unwrap().tls).await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut octet = [0];
                tls.read_exact(&mut octet).await.unwrap();
                head.extend(octet);
            }
            let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
            let mut names: Vec<&str> =
                head.lines().skip(1).filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
            names.sort_unstable();
            assert_eq!(names, HEADERS);
        };
        or(cloud, node).await;
    });
}
