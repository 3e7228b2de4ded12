//! Two CloudHubs, of which the first is preferred.

use super::LANE;
use super::bench_of::{Edge, NODE, any_port, config, serve, server_options};
use edgehub::Options;
use edgehub::edge::{Memory, RecorderOptions};
use edgehub::loopback::{Loopback, Ticket};
use edgehub::server::CloudServer;
use edgehub::websocket::Target;
use edgehub_core::Config;
use edgehub_core::config::Endpoints;
use edgehub_core::hub::LinkEnd;
use smol::net::TcpListener;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

/// Options for a hub that prefers the first of two, and comes back to it after so long.
fn options(ticket: Ticket, first: SocketAddr, second: SocketAddr, return_after: Duration) -> Options {
    let endpoints = Endpoints { return_after, ..Endpoints::default().fitted(2) };
    let mut options = LANE.options(ticket, Config { endpoints, ..config() });
    let one = options.targets.remove(0);
    let scheme = one.url.split_once("://").unwrap().0.to_owned();
    let at = |address| Target { url: format!("{scheme}://{address}"), ..one.clone() };
    options.targets = [first, second].map(at).into();
    options
}

async fn sends(edge: &Edge, number: u64) {
    let module = edge.hub.join(&format!("sender-{number}"), &[]).await.unwrap();
    module.send(module.compose("resource", "update", "number", &number).unwrap()).await.unwrap();
}

async fn comes(server: &CloudServer, number: u64) {
    assert_eq!(server.receive().await.unwrap().1.content().to_string(), number.to_string());
}

/// Nobody listens at the first: one attempt there, and the next one is the second's.
#[test]
fn where_the_first_is_down_the_second_serves() {
    smol::block_on(async {
        let loopback = Loopback::new().unwrap();
        let reserved = TcpListener::bind(any_port()).await.unwrap();
        let first = reserved.local_addr().unwrap();
        drop(reserved);
        let second = serve(&loopback, any_port(), server_options(&loopback)).await;
        let ticket = loopback.ticket(first, NODE).unwrap();
        let edge = Edge::with(options(ticket, first, second.address(), Duration::from_secs(600)));
        assert_eq!(edge.link_down().await, LinkEnd::OpenFailed);
        edge.link_up().await;
        sends(&edge, 1).await;
        comes(&second, 1).await;
        edge.stop().await;
    });
}

/// The first takes what is sent to it and never says a word: its time is that of one handshake, and the second serves.
#[test]
fn where_the_first_hangs_the_second_serves_after_one_handshake_timeout() {
    smol::block_on(async {
        let loopback = Loopback::new().unwrap();
        let hangs = TcpListener::bind(any_port()).await.unwrap();
        let first = hangs.local_addr().unwrap();
        // On every lane.
        let datagrams = UdpSocket::bind(first).unwrap();
        let second = serve(&loopback, any_port(), server_options(&loopback)).await;
        let ticket = loopback.ticket(first, NODE).unwrap();
        let mut options = options(ticket, first, second.address(), Duration::from_secs(600));
        options.targets[0].handshake_timeout = Duration::from_millis(50);
        let edge = Edge::with(options);
        assert_eq!(edge.link_down().await, LinkEnd::OpenFailed);
        edge.link_up().await;
        sends(&edge, 1).await;
        comes(&second, 1).await;
        drop((hangs, datagrams));
        edge.stop().await;
    });
}

/// The first comes back: the hub moves there when it is time, stays, and nothing is lost or sent twice on the way.
#[test]
fn the_preferred_one_is_returned_to_once() {
    smol::block_on(async {
        let loopback = Loopback::new().unwrap();
        let reserved = TcpListener::bind(any_port()).await.unwrap();
        let address = reserved.local_addr().unwrap();
        drop(reserved);
        let second = serve(&loopback, any_port(), server_options(&loopback)).await;
        let ticket = loopback.ticket(address, NODE).unwrap();
        let mut options = options(ticket, address, second.address(), Duration::from_millis(200));
        let recordings = tempfile::tempdir().unwrap();
        let memory = Some(Memory { bytes: 1 << 20, folder: recordings.path().into() });
        options.recorder = Some(RecorderOptions { memory, ..RecorderOptions::new(NODE) });
        let edge = Edge::with(options);
        edge.link_up().await;
        sends(&edge, 1).await;
        comes(&second, 1).await;
        let first = serve(&loopback, address, server_options(&loopback)).await;
        while edge.link_down().await != LinkEnd::Moved {}
        edge.link_up().await;
        let arrived = edge.hub.account().await.unwrap().links;
        for number in 2..50 {
            sends(&edge, number).await;
            comes(&first, number).await;
        }
        let account = edge.hub.settled().await.unwrap();
        assert_eq!((account.links, account.up.dropped()), (arrived, 0), "it stays there");
        edge.stop().await;
        let dumps = std::fs::read_dir(recordings.path()).unwrap().count();
        assert_eq!(dumps, 0, "a link that is left on purpose is no loss");
    });
}
