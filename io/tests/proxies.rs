//! `edgehub run` and `check` as processes where only a proxy leads to the cloud: one of the configuration or of the environment, for the
//! link and for certificates, and never passed by.
#![allow(clippy::unwrap_used, reason = "a test ends with its first surprise")]

mod process;

use edgehub::pki::Authority;
use edgehub::pki::token::TokenKey;
use edgehub::server::{CertificateOptions, CertificateServer, CloudServer, ServerOptions};
use edgehub::tls::{self, Pems};
use process::{Process, edgehub};
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// The cloud's name, which no resolver knows.
const NAME: &str = "cloud.test";
/// What is asked for the link, and for certificates.
const ASKED: [&str; 2] = ["cloud.test:10000", "cloud.test:10002"];

/// A cloud in this process: where its link and its certificates really are.
struct Cloud {
    link: SocketAddr,
    service: SocketAddr,
    token: String,
    _server: CloudServer,
}

fn cloud() -> Cloud {
    smol::block_on(async {
        let names = [NAME.to_owned(), "127.0.0.1".to_owned()];
        let authority = Arc::new(Authority::generate().unwrap());
        let own = authority.server(&names).unwrap();
        let ca = authority.certificate_pem();
        let pems = Pems { ca, certificate: &own.certificate_pem, key: &own.key_pem };
        let options = ServerOptions::new(tls::server_config_from_pem(pems).unwrap());
        let any_port = (Ipv4Addr::LOCALHOST, 0).into();
        let (server, driver) = CloudServer::bind(any_port, options).await.unwrap();
        smol::spawn(driver.run()).detach();
        let tokens = TokenKey::generate().unwrap();
        let token = tokens.token(&authority, Duration::from_secs(60));
        let options =
            CertificateOptions { names: names.into(), ..CertificateOptions::new(authority, tokens) };
        let certificates = CertificateServer::bind(any_port, options).await.unwrap();
        let service = certificates.address();
        smol::spawn(async move { certificates.run().await }).detach();
        Cloud { link: server.address(), service, token, _server: server }
    })
}

/// What a proxy speaks; each wants the user `node` and the password `p:w`.
#[derive(Clone, Copy)]
enum Speaks {
    Http,
    Socks5,
}

/// A proxy that leads to this cloud: its URL, and what it is asked for by whoever says the password.
fn proxy(speaks: Speaks, cloud: &Cloud) -> (String, Receiver<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let (link, service) = (cloud.link, cloud.service);
    let (asked, seen) = channel();
    thread::spawn(move || {
        for node in listener.incoming() {
            let asked = asked.clone();
            thread::spawn(move || {
                // Whoever hangs up in the middle is none of the proxy's business.
                let _ = lead(node.unwrap(), speaks, [link, service], &asked);
            });
        }
    });
    let scheme = match speaks {
        Speaks::Http => "http",
        Speaks::Socks5 => "socks5",
    };
    (format!("{scheme}://node:p%3Aw@{address}"), seen)
}

fn lead(mut node: TcpStream, speaks: Speaks, to: [SocketAddr; 2], asked: &Sender<String>) -> io::Result<()> {
    let wanted = match speaks {
        Speaks::Http => http(&mut node)?,
        Speaks::Socks5 => socks5(&mut node)?,
    };
    let place = ASKED.iter().position(|known| *known == wanted).unwrap();
    // The test may have heard enough.
    let _ = asked.send(wanted);
    let cloud = TcpStream::connect(to[place])?;
    match speaks {
        Speaks::Http => node.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?,
        Speaks::Socks5 => node.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?,
    }
    let (mut up, mut above) = (node.try_clone()?, cloud.try_clone()?);
    thread::spawn(move || io::copy(&mut up, &mut above).map(|_| above.shutdown(Shutdown::Write)));
    let (mut down, mut below) = (cloud, node);
    io::copy(&mut down, &mut below).map(|_| below.shutdown(Shutdown::Write))?
}

/// Hears out a CONNECT request with its Basic authentication.
fn http(node: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(some::<1>(node)?);
    }
    let head = String::from_utf8(head).unwrap();
    // node:p:w
    assert!(head.contains("\r\nProxy-Authorization: Basic bm9kZTpwOnc=\r\n"), "{head}");
    Ok(head.strip_prefix("CONNECT ").unwrap().split(' ').next().unwrap().to_owned())
}

/// Hears out a SOCKS5 client (RFC 1928) with its user and password (RFC 1929).
fn socks5(node: &mut TcpStream) -> io::Result<String> {
    let [version, ways] = some(node)?;
    assert_eq!(version, 5);
    assert!((0..ways).map(|_| some(node)).any(|way| matches!(way, Ok([2]))), "user and password are offered");
    node.write_all(&[5, 2])?;
    assert_eq!(&some::<10>(node)?, b"\x01\x04node\x03p:w");
    node.write_all(&[1, 0])?;
    // A name: it is for the proxy to look up.
    let [head @ .., length] = some::<5>(node)?;
    assert_eq!(head, [5, 1, 0, 3]);
    let mut name = vec![0; length.into()];
    node.read_exact(&mut name)?;
    Ok(format!("{}:{}", String::from_utf8(name).unwrap(), u16::from_be_bytes(some(node)?)))
}

fn some<const COUNT: usize>(stream: &mut TcpStream) -> io::Result<[u8; COUNT]> {
    let mut bytes = [0; COUNT];
    stream.read_exact(&mut bytes).map(|()| bytes)
}

/// The configuration of a node without files, with a token.
fn configuration(dir: &Path, link: &str, service: &str, token: &str, more: &str) -> String {
    let path = |name: &str| dir.join(name).display().to_string();
    let text = format!(
        "apiVersion: edgecore.config.kubeedge.io/v1alpha2\nkind: EdgeCore\nmodules:\n  edged:\n    hostnameOverride: \
         edge-1\n  edgeHub:\n    httpServer: https://{service}\n    token: {token}\n    tlsCaFile: {}\n    tlsCertFile: \
         {}\n    tlsPrivateKeyFile: {}\n    websocket:\n      enable: true\n      server: {link}\nedgehub:\n  backoff: {{base: \
         0.01, max: 0.02}}\n{more}",
        path("ca.crt"),
        path("own.crt"),
        path("own.key"),
    );
    let file = path("node.yaml");
    fs::write(&file, text).unwrap();
    file
}

/// A node that runs with this environment.
fn start(config: &str, environment: &[(&str, &str)]) -> Process {
    Process::start(edgehub(&["run", "--config", config]).envs(environment.iter().copied()))
}

/// An address of this machine at which nobody listens.
fn nobody() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// Where a node finds its proxy.
enum From {
    Configuration,
    Environment(&'static str),
}

/// A node gets its certificate and its link, and `check` finds nothing, all by way of the proxy.
fn leads_to_the_cloud(speaks: Speaks, from: From) {
    let (dir, cloud) = (tempfile::tempdir().unwrap(), cloud());
    let (url, asked) = proxy(speaks, &cloud);
    // What counts less is of no use.
    let useless = format!("http://{}", nobody());
    let (environment, more) = match from {
        From::Configuration => (vec![("HTTPS_PROXY", &*useless)], format!("  proxy: '{url}'\n")),
        From::Environment("HTTPS_PROXY") => {
            (vec![("HTTPS_PROXY", &*url), ("ALL_PROXY", &useless)], String::new())
        }
        From::Environment(name) => (vec![(name, &*url)], String::new()),
    };
    let config = configuration(dir.path(), ASKED[0], ASKED[1], &cloud.token, &more);
    let mut node = start(&config, &environment);
    node.until(&["link up"]);
    drop(node);
    let wanted: BTreeSet<String> = asked.try_iter().collect();
    assert_eq!(wanted, ASKED.map(str::to_owned).into());
    let checked = edgehub(&["check", "--config", &config]).envs(environment).output().unwrap();
    let said = String::from_utf8(checked.stdout).unwrap();
    let way = said.lines().find(|line| line.starts_with("✓ keepalive"));
    assert!(way.is_some() && said.contains("by way of") && !said.contains("p%3Aw"), "{said}");
    assert!(said.contains("✓ certificates") && !said.contains("✗ connection"), "{said}");
    assert!(asked.try_iter().count() >= 2, "for certificates and for a link: {said}");
}

#[test]
fn an_http_proxy_of_the_configuration_leads_to_the_cloud() {
    leads_to_the_cloud(Speaks::Http, From::Configuration);
}

#[test]
fn a_socks_proxy_of_the_configuration_leads_to_the_cloud() {
    leads_to_the_cloud(Speaks::Socks5, From::Configuration);
}

#[test]
fn an_http_proxy_of_the_environment_leads_to_the_cloud() {
    leads_to_the_cloud(Speaks::Http, From::Environment("HTTPS_PROXY"));
    leads_to_the_cloud(Speaks::Http, From::Environment("all_proxy"));
}

#[test]
fn a_socks_proxy_of_the_environment_leads_to_the_cloud() {
    leads_to_the_cloud(Speaks::Socks5, From::Environment("https_proxy"));
    leads_to_the_cloud(Speaks::Socks5, From::Environment("ALL_PROXY"));
}

/// The proxy is of no use, and somebody has said that it is not for this cloud.
#[test]
fn who_is_excepted_is_reached_without_the_proxy() {
    let useless = format!("http://{}", nobody());
    let by_environment = [("HTTPS_PROXY", &*useless), ("NO_PROXY", "example.org, 127.0.0.0/8")];
    let by_file = format!("  proxy: '{useless}'\n  noProxy: [127.0.0.1]\n");
    for (environment, more) in [(&by_environment[..], ""), (&[], &*by_file)] {
        let (dir, cloud) = (tempfile::tempdir().unwrap(), cloud());
        let (link, service) = (cloud.link.to_string(), cloud.service.to_string());
        let config = configuration(dir.path(), &link, &service, &cloud.token, more);
        start(&config, environment).until(&["link up"]);
    }
}

/// A proxy that is not there, one that refuses, and one that hangs up: nobody comes to the cloud, which is there.
#[test]
fn a_proxy_is_never_passed_by() {
    let refuses = |answer: &'static [u8]| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for node in listener.incoming() {
                let _ = node.unwrap().write_all(answer);
            }
        });
        address
    };
    for proxy in [nobody(), refuses(b"HTTP/1.1 403 Forbidden\r\n\r\n"), refuses(b"")] {
        let dir = tempfile::tempdir().unwrap();
        let [link, service] = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let [at_link, at_service] = [&link, &service].map(|at| at.local_addr().unwrap().to_string());
        let authority = Authority::generate().unwrap();
        let token = TokenKey::generate().unwrap().token(&authority, Duration::from_secs(60));
        authority.node("edge-1").unwrap().write(dir.path(), "own").unwrap();
        fs::write(dir.path().join("ca.crt"), authority.certificate_pem()).unwrap();
        let config = configuration(dir.path(), &at_link, &at_service, &token, "");
        let environment = [("HTTPS_PROXY", &*format!("http://{proxy}"))];
        let mut node = start(&config, &environment);
        node.until(&["running offline", "no way through the proxy"]);
        drop(node);
        // And for a certificate, which it does not have now.
        fs::remove_file(dir.path().join("own.crt")).unwrap();
        let mut node = start(&config, &environment);
        node.until(&["no way through the proxy", &at_service]);
        drop(node);
        for listener in [link, service] {
            listener.set_nonblocking(true).unwrap();
            assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
    }
}
