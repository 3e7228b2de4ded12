//! The whole way through a proxy on loopback: the link, and the requests for certificates. The addresses that are asked for are
//! served by nobody, and only the proxy knows where the cloud really is: what goes past it arrives nowhere.

use super::bench_of::{Edge, NODE, any_port, config, serve, server_options};
use super::identity::{a_pair, cloud, hears, looks_after};
use async_channel::Receiver;
use edgehub::identity::Service;
use edgehub::loopback::Loopback;
use edgehub::reach::Proxy;
use edgehub_core::hub::LinkEnd;
use smol::future::zip;
use smol::io::{AsyncReadExt, AsyncWriteExt, copy};
use smol::net::{TcpListener, TcpStream};
use std::net::{Shutdown, SocketAddr};

/// Nobody listens there, on any machine that runs tests.
const NOBODY: &str = "localhost:1";

/// What a proxy speaks, with the user `node` and the password `p:w`.
#[derive(Clone, Copy)]
enum Speaks {
    Http,
    Socks5,
}

impl Speaks {
    fn url(self, address: SocketAddr) -> Proxy {
        let scheme = match self {
            Speaks::Http => "http",
            Speaks::Socks5 => "socks5",
        };
        Proxy::parse(&format!("{scheme}://node:p%3Aw@{address}")).unwrap()
    }
}

/// Runs a proxy that leads everybody to `to`; says what it was asked for.
fn run(listener: TcpListener, speaks: Speaks, to: SocketAddr) -> Receiver<String> {
    let (asked, seen) = async_channel::unbounded();
    smol::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let asked = asked.clone();
            smol::spawn(async move {
                // Whoever hangs up in the middle is none of the proxy's business.
                let _ = lead(stream, speaks, to, &asked).await;
            })
            .detach();
        }
    })
    .detach();
    seen
}

async fn lead(
    mut node: TcpStream,
    speaks: Speaks,
    to: SocketAddr,
    asked: &async_channel::Sender<String>,
) -> std::io::Result<()> {
    let wanted = match speaks {
        Speaks::Http => http(&mut node).await?,
        Speaks::Socks5 => socks5(&mut node).await?,
    };
    let cloud = TcpStream::connect(to).await?;
    let _ = asked.try_send(wanted);
    match speaks {
        Speaks::Http => node.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?,
        Speaks::Socks5 => node.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?,
    }
    let up = async {
        let ended = copy(node.clone(), cloud.clone()).await;
        let _ = cloud.shutdown(Shutdown::Write);
        ended
    };
    let down = async {
        let ended = copy(cloud.clone(), node.clone()).await;
        let _ = node.shutdown(Shutdown::Write);
        ended
    };
    let _ = zip(up, down).await;
    Ok(())
}

/// Hears out a CONNECT request with its Basic authentication.
async fn http(node: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        node.read_exact(&mut byte).await?;
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    // node:p:w
    assert!(head.contains("\r\nProxy-Authorization: Basic bm9kZTpwOnc=\r\n"), "{head}");
    let (method, rest) = head.split_once(' ').unwrap();
    assert_eq!(method, "CONNECT");
    Ok(rest.split_once(' ').unwrap().0.to_owned())
}

/// Hears out a SOCKS5 client (RFC 1928) with its user and password (RFC 1929).
async fn socks5(node: &mut TcpStream) -> std::io::Result<String> {
    let ways = piece(node).await?;
    assert!(ways.contains(&2), "user and password are offered: {ways:?}");
    node.write_all(&[5, 2]).await?;
    assert_eq!(piece(node).await?, b"node");
    let mut length = [0];
    node.read_exact(&mut length).await?;
    let mut password = vec![0; usize::from(length[0])];
    node.read_exact(&mut password).await?;
    assert_eq!(password, b"p:w");
    node.write_all(&[1, 0]).await?;
    let mut request = [0; 4];
    node.read_exact(&mut request).await?;
    assert_eq!(request[..3], [5, 1, 0]);
    let host = match request[3] {
        1 => {
            let mut address = [0; 4];
            node.read_exact(&mut address).await?;
            std::net::Ipv4Addr::from(address).to_string()
        }
        3 => {
            node.read_exact(&mut length).await?;
            let mut name = vec![0; usize::from(length[0])];
            node.read_exact(&mut name).await?;
            String::from_utf8(name).unwrap()
        }
        kind => panic!("an address of kind {kind}"),
    };
    let mut port = [0; 2];
    node.read_exact(&mut port).await?;
    Ok(format!("{host}:{}", u16::from_be_bytes(port)))
}

/// A version, then a length and so many bytes.
async fn piece(node: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut head = [0; 2];
    node.read_exact(&mut head).await?;
    let mut piece = vec![0; usize::from(head[1])];
    node.read_exact(&mut piece).await?;
    Ok(piece)
}

/// The proxy is not there at first: nothing goes past it. Then messages go both ways through it.
fn a_link_works_through(speaks: Speaks) {
    smol::block_on(async {
        let loopback = Loopback::new().unwrap();
        let server = serve(&loopback, any_port(), server_options(&loopback)).await;
        let reserved = TcpListener::bind(any_port()).await.unwrap();
        let address = reserved.local_addr().unwrap();
        drop(reserved);
        let mut options = loopback.ticket(server.address(), NODE).unwrap().options(config()).unwrap();
        options.targets[0].proxy = Some(speaks.url(address));
        let edge = Edge::with(options);
        for _ in 0..3 {
            assert_eq!(
                edge.link_down().await,
                LinkEnd::OpenFailed,
                "the cloud is there, and the proxy is not"
            );
        }
        assert!(!edge.hub.health().await.unwrap().is_good());
        let asked = run(TcpListener::bind(address).await.unwrap(), speaks, server.address());
        edge.link_up().await;
        assert_eq!(asked.recv().await.unwrap(), server.address().to_string());
        let module = edge.hub.join("edged", &["resource"]).await.unwrap();
        module.send(module.compose("resource", "update", "x", &1).unwrap()).await.unwrap();
        assert_eq!(server.receive().await.unwrap().1.resource(), "x");
        edge.hub.settled().await.unwrap();
        let question = module.compose("resource", "query", "k8s/ca.crt", &()).unwrap();
        assert_eq!(module.request(&question, None).await.unwrap().source(), "cloudhub");
        assert!(edge.hub.health().await.unwrap().is_good());
        edge.stop().await;
    });
}

#[test]
fn a_link_works_through_an_http_proxy_and_never_past_it() {
    a_link_works_through(Speaks::Http);
}

#[test]
fn a_link_works_through_a_socks_proxy_and_never_past_it() {
    a_link_works_through(Speaks::Socks5);
}

/// The cloud's name is not even looked up here.
#[test]
fn a_name_that_only_the_proxy_knows_is_reached() {
    smol::block_on(async {
        let loopback = Loopback::new().unwrap();
        let server = serve(&loopback, any_port(), server_options(&loopback)).await;
        let listener = TcpListener::bind(any_port()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = run(listener, Speaks::Socks5, server.address());
        let mut options = loopback.ticket(server.address(), NODE).unwrap().options(config()).unwrap();
        options.targets[0].url = format!("wss://{NOBODY}");
        options.targets[0].proxy = Some(Speaks::Socks5.url(address));
        let edge = Edge::with(options);
        edge.link_up().await;
        assert_eq!(asked.recv().await.unwrap(), NOBODY);
        edge.stop().await;
    });
}

/// A node joins: each of its requests takes the way through the proxy.
fn certificates_come_through(speaks: Speaks) {
    smol::block_on(async {
        let mut cloud = cloud(std::time::Duration::from_secs(3600)).await;
        let to = format!("{}:{}", cloud.service.host, cloud.service.port).parse().unwrap();
        let listener = TcpListener::bind(any_port()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = run(listener, speaks, to);
        cloud.service = Service { host: "127.0.0.1".into(), port: 1, proxy: Some(speaks.url(address)) };
        let dir = tempfile::tempdir().unwrap();
        let (_, told, _) = looks_after(&cloud, dir.path(), |config| config);
        hears(&told, a_pair).await;
        let requests = [asked.recv().await.unwrap(), asked.recv().await.unwrap()];
        assert_eq!(requests, ["127.0.0.1:1", "127.0.0.1:1"], "for the authority, and for the certificate");
    });
}

#[test]
fn certificates_come_through_an_http_proxy() {
    certificates_come_through(Speaks::Http);
}

#[test]
fn certificates_come_through_a_socks_proxy() {
    certificates_come_through(Speaks::Socks5);
}
