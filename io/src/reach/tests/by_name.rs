//! A hub whose cloud has a name: the name's address changes, or one of its addresses swallows whatever comes.

use crate::config::Lane;
use crate::edge::{EdgeHub, Options};
use crate::identity::Service;
use crate::loopback::Loopback;
use crate::pki::token::TokenKey;
use crate::reach::names::table;
use crate::server::{CertificateOptions, CertificateServer, CloudServer, ServerOptions};
use async_channel::Receiver;
use edgehub_core::hub::LinkEnd;
use edgehub_core::{Config, Note};
use smol::net::TcpListener;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

/// A cloud that is known by this name, at some port of an address.
async fn cloud(loopback: &Loopback, name: &str, at: IpAddr) -> CloudServer {
    let options = loopback.server_options_for(&[name.to_owned()]).unwrap();
    let options = ServerOptions { quic: true, ..options };
    let (server, driver) = loopback.serve_on((at, 0).into(), options).await.unwrap();
    smol::spawn(driver.run()).detach();
    server
}

/// A hub that goes there by name, and what becomes of its links: up, or why not.
fn hub(loopback: &Loopback, name: &str, lane: Lane) -> (EdgeHub, Receiver<Option<LinkEnd>>) {
    let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let config = Config {
        backoff_base: Duration::from_millis(1),
        backoff_max: Duration::from_millis(1),
        ..Config::default()
    };
    let ticket = loopback.ticket(nowhere, "edge-1").unwrap().over(lane);
    let mut options: Options = ticket.options(config).unwrap();
    options.targets[0].url = options.targets[0].url.replace(&nowhere.to_string(), &format!("{name}:10000"));
    let (told, links) = async_channel::unbounded();
    options.observer = Some(Box::new(move |_, note| {
        let link = match note {
            Note::LinkUp { .. } => None,
            Note::LinkDown { end, .. } => Some(*end),
            _ => return,
        };
        let _ = told.try_send(link);
    }));
    let (hub, driver) = EdgeHub::new(options);
    smol::spawn(driver.run()).detach();
    (hub, links)
}

/// Sends a message, which arrives at this cloud.
async fn serves(server: &CloudServer, hub: &EdgeHub) {
    let module = hub.join(&format!("to-{}", server.address().port()), &[]).await.unwrap();
    module.send(module.compose("resource", "update", "x", &1).unwrap()).await.unwrap();
    assert_eq!(server.receive().await.unwrap().1.resource(), "x");
    hub.settled().await.unwrap();
}

/// The first cloud goes, then nobody has the name, then the second one has it.
fn a_name_is_followed(name: &str, lane: Lane) {
    smol::block_on(async {
        let loopback = Loopback::new().unwrap();
        let [first, second] =
            [cloud(&loopback, name, LOCALHOST).await, cloud(&loopback, name, LOCALHOST).await];
        table::set(name, &[first.address()]);
        let (hub, links) = hub(&loopback, name, lane);
        assert_eq!(links.recv().await.unwrap(), None);
        serves(&first, &hub).await;
        table::set(name, &[]);
        first.shutdown().await.unwrap();
        assert_eq!(links.recv().await.unwrap(), Some(LinkEnd::Closed));
        assert_eq!(links.recv().await.unwrap(), Some(LinkEnd::OpenFailed));
        table::set(name, &[second.address()]);
        while links.recv().await.unwrap().is_some() {}
        serves(&second, &hub).await;
        hub.shutdown().await.unwrap();
    });
}

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[test]
fn a_name_whose_address_changes_is_followed() {
    a_name_is_followed("moves.test", Lane::WebSocket);
}

#[test]
fn a_name_whose_address_changes_is_followed_over_quic() {
    a_name_is_followed("moves-quic.test", Lane::Quic);
}

#[test]
fn a_certificate_service_whose_address_changes_is_followed() {
    smol::block_on(async {
        let authority = Arc::new(Loopback::new().unwrap().authority);
        let service = async || {
            let options = CertificateOptions::new(Arc::clone(&authority), TokenKey::generate().unwrap());
            CertificateServer::bind((LOCALHOST, 0).into(), options).await.unwrap()
        };
        let asked = Service { host: "moves-service.test".into(), port: 10002, proxy: None };
        for server in [service().await, service().await] {
            table::set(&asked.host, &[server.address()]);
            let serving = smol::spawn(async move { server.run().await });
            assert!(asked.time().await.unwrap().is_some());
            serving.cancel().await;
        }
    });
}

/// Somebody at an address who lets nothing through: one connection waits to be accepted, and there is no place for another one.
struct Swallows {
    address: SocketAddr,
    _listener: TcpListener,
    _waits: TcpStream,
    _datagrams: UdpSocket,
}

impl Swallows {
    fn at(address: IpAddr) -> Swallows {
        let listener = std::net::TcpListener::bind((address, 0)).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let address = listener.local_addr().unwrap();
        Swallows {
            address,
            _waits: TcpStream::connect(address).unwrap(),
            _listener: listener.try_into().unwrap(),
            _datagrams: UdpSocket::bind(address).unwrap(),
        }
    }
}

/// The first attempt reaches the cloud.
fn is_reached(name: &str, swallows: IpAddr, answers: IpAddr, lane: Lane) {
    smol::block_on(async {
        let loopback = Loopback::new().unwrap();
        let swallows = Swallows::at(swallows);
        let server = cloud(&loopback, name, answers).await;
        table::set(name, &[swallows.address, server.address()]);
        let (hub, links) = hub(&loopback, name, lane);
        assert_eq!(links.recv().await.unwrap(), None);
        serves(&server, &hub).await;
        hub.shutdown().await.unwrap();
    });
}

/// Another one of this machine where it has no IPv6.
fn localhost_v6() -> IpAddr {
    match UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)) {
        Ok(_) => Ipv6Addr::LOCALHOST.into(),
        Err(_) => Ipv4Addr::new(127, 0, 0, 2).into(),
    }
}

#[test]
fn an_address_that_swallows_everything_does_not_keep_the_other_waiting() {
    is_reached("v6-swallows.test", localhost_v6(), LOCALHOST, Lane::WebSocket);
    is_reached("v4-swallows.test", LOCALHOST, localhost_v6(), Lane::WebSocket);
}

#[test]
fn an_address_that_swallows_everything_does_not_keep_the_other_waiting_over_quic() {
    is_reached("v6-swallows-quic.test", localhost_v6(), LOCALHOST, Lane::Quic);
    is_reached("v4-swallows-quic.test", LOCALHOST, localhost_v6(), Lane::Quic);
}
