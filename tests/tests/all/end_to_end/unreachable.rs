//! Nobody is there, or nobody who stays.

use super::bench_of::{Edge, NODE, any_port, config, serve, server_options};
use edgehub::config::Lane;
use edgehub::loopback::Loopback;
use edgehub::server::CloudServer;
use edgehub_core::Config;
use edgehub_core::config::Lanes;
use edgehub_core::hub::LinkEnd;
use smol::future::or;
use smol::net::TcpListener;
use std::net::{SocketAddr, UdpSocket};
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

/// A listener as KubeEdge's, who names his versions to whoever asks in his own dialect. He is recognised: nobody waits for the time that QUIC has.
#[test]
fn where_an_older_quic_listens_a_websocket_takes_its_place() {
    smol::block_on(async {
        let loopback = Loopback::new().unwrap();
        let server = serve(&loopback, any_port(), loopback.server_options().unwrap()).await;
        let older = smol::net::UdpSocket::bind(any_port()).await.unwrap();
        let address = older.local_addr().unwrap();
        let answering = async {
            let mut packet = [0; 2048];
            loop {
                let (_, node) = older.recv_from(&mut packet).await.unwrap();
                if packet[0] & 0x89 == 0x09 && packet[9] == b'Q' {
                    let versions = [&[0x09], &packet[1..9], b"Q044Q043Q039"].concat();
                    older.send_to(&versions, node).await.unwrap();
                }
            }
        };
        let never = Duration::from_secs(3600);
        let lanes = Lanes { trial: never, ..Lanes::default() };
        let patient = Config { lanes, open_timeout: never, ping_interval: never, ..config() };
        let edge = auto(&loopback, &server, address, patient);
        let linked = async {
            assert_eq!(edge.link_down().await, LinkEnd::OpenFailed);
            edge.link_up().await;
        };
        or(linked, answering).await;
        let module = edge.hub.join("edged", &[]).await.unwrap();
        module.send(module.compose("resource", "update", "x", &1).unwrap()).await.unwrap();
        server.receive().await.unwrap();
    });
}

#[test]
fn where_both_lanes_get_through_the_link_is_over_quic() {
    smol::block_on(async {
        let loopback = Loopback::new().unwrap();
        let websocket = serve(&loopback, any_port(), loopback.server_options().unwrap()).await;
        let quic = serve(&loopback, any_port(), server_options(&loopback)).await;
        let edge = auto(&loopback, &websocket, quic.address(), config());
        edge.link_up().await;
        let module = edge.hub.join("edged", &[]).await.unwrap();
        module.send(module.compose("resource", "update", "x", &1).unwrap()).await.unwrap();
        let over = async |lane, server: &CloudServer| server.receive().await.map(|_| lane);
        assert_eq!(or(over("QUIC", &quic), over("a WebSocket", &websocket)).await, Some("QUIC"));
        assert_eq!(edge.hub.settled().await.unwrap().links, 1, "the first one");
    });
}

/// A hub for both lanes: its WebSocket leads to this server, and its QUIC to this address.
fn auto(loopback: &Loopback, server: &CloudServer, quic: SocketAddr, config: Config) -> Edge {
    let ticket = loopback.ticket(server.address(), NODE).unwrap().over(Lane::Auto);
    let mut options = ticket.options(config).unwrap();
    for target in options.targets.iter_mut().filter(|target| target.url.starts_with("quic")) {
        target.url = format!("quic://{quic}");
        target.handshake_timeout = Duration::from_secs(3600);
    }
    Edge::with(options)
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
        let lanes = Lanes {
            retry_after: Duration::from_millis(50),
            trial: Duration::from_secs(1),
            ..Lanes::default()
        };
        let edge = auto(&loopback, &server, later, Config { lanes, ..config() });
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
