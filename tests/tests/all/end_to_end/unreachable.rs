//! Nobody is there, or nobody who stays.

use super::bench_of::{Edge, NODE, any_port, config, serve, server_options};
use edgehub::config::Lane;
use edgehub::loopback::Loopback;
use edgehub_core::Config;
use edgehub_core::config::Lanes;
use edgehub_core::hub::LinkEnd;
use smol::net::TcpListener;
use std::net::UdpSocket;
use std::time::Duration;

#[test]
fn a_server_that_hangs_up_during_the_handshake_is_tried_again() {
    smol::block_on(async {
        let listener = TcpListener::bind(any_port()).await.unwrap();
        let loopback = Loopback::new().unwrap();
        let address = listener.local_addr().unwrap();
        let edge = Edge::start(&loopback.ticket(address, NODE).unwrap(), config());
        for _ in 0..3 {
            drop(listener.accept().await.unwrap());
            assert_eq!(edge.link_down().await, LinkEnd::OpenFailed);
        }
        drop(listener);
        let server = serve(&loopback, address, loopback.server_options().unwrap()).await;
        edge.link_up().await;
        drop(server);
    });
}

/// Nothing answers on UDP, as behind a firewall: the WebSocket gets through.
#[test]
fn where_quic_is_blocked_a_websocket_takes_its_place() {
    smol::block_on(async {
        let loopback = Loopback::new().unwrap();
        let server = serve(&loopback, any_port(), loopback.server_options().unwrap()).await;
        let ticket = loopback.ticket(server.address(), NODE).unwrap().over(Lane::Auto);
        let mut options = ticket.options(config()).unwrap();
        options.targets[0].handshake_timeout = Duration::from_millis(50);
        let edge = Edge::with(options);
        assert_eq!(edge.link_down().await, LinkEnd::OpenFailed);
        edge.link_up().await;
        let module = edge.hub.join("edged", &[]).await.unwrap();
        module.send(module.compose("resource", "update", "x", &1).unwrap()).await.unwrap();
        server.receive().await.unwrap();
    });
}

/// The cloud serves QUIC later, while the WebSocket's link is alive: the hub sees it, and moves there.
#[test]
fn where_quic_gets_through_later_the_link_moves_there() {
    smol::block_on(async {
        let loopback = Loopback::new().unwrap();
        let server = serve(&loopback, any_port(), loopback.server_options().unwrap()).await;
        let reserved = UdpSocket::bind(any_port()).unwrap();
        let later = reserved.local_addr().unwrap();
        drop(reserved);
        let ticket = loopback.ticket(server.address(), NODE).unwrap().over(Lane::Auto);
        let lanes = Lanes {
            retry_after: Duration::from_millis(50),
            trial: Duration::from_secs(1),
            ..Lanes::default()
        };
        let mut options = ticket.options(Config { lanes, ..config() }).unwrap();
        let quic = options.targets.iter_mut().find(|target| target.url.starts_with("quic")).unwrap();
        quic.url = format!("quic://{later}");
        let edge = Edge::with(options);
        edge.link_up().await;
        let module = edge.hub.join("edged", &[]).await.unwrap();
        module.send(module.compose("resource", "update", "x", &1).unwrap()).await.unwrap();
        server.receive().await.unwrap();
        let quic = serve(&loopback, later, server_options(&loopback)).await;
        assert_eq!(edge.link_down().await, LinkEnd::Renewed);
        edge.link_up().await;
        module.send(module.compose("resource", "update", "x", &2).unwrap()).await.unwrap();
        assert_eq!(quic.receive().await.unwrap().1.content(), "2", "once, and nothing of before");
        let account = edge.hub.settled().await.unwrap();
        assert_eq!(account.up.dropped(), 0);
    });
}

#[test]
fn without_a_server_the_hub_runs_offline() {
    smol::block_on(async {
        let listener = TcpListener::bind(any_port()).await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let loopback = Loopback::new().unwrap();
        let edge = Edge::start(&loopback.ticket(address, NODE).unwrap(), config());
        assert_eq!(edge.link_down().await, LinkEnd::OpenFailed);
        let module = edge.hub.join("edged", &[]).await.unwrap();
        module.send(module.compose("resource", "update", "x", &0).unwrap()).await.unwrap();
        let account = edge.hub.shutdown().await.unwrap();
        assert_eq!((account.up.accepted, account.up.dropped()), (1, 1), "dropped with the reason, not lost");
    });
}
