//! Against a certificate service over real sockets, and against servers that are none.

use super::service::{Asker, ask};
use super::{IdentityDriver, Service, Store, TokenSource, Told, facts, http, key};
use crate::pki::token::TokenKey;
use crate::pki::{Authority, Profile, Purpose};
use crate::server::{CertificateOptions, CertificateServer};
use crate::tls::{self, ClientFiles, Pems};
use bytes::Bytes;
use edgehub_core::identity::date::HttpDate;
use edgehub_core::identity::{
    Answer, Failure, IdentityConfig, JoinToken, Problem, Request, Trust, join_command,
};
use futures_rustls::TlsAcceptor;
use smol::future::or;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::TcpListener;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

const ANY_PORT: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

fn names(dir: &Path) -> ClientFiles {
    ClientFiles { ca: dir.join("ca.crt"), certificate: dir.join("own.crt"), key: dir.join("own.key") }
}

fn config() -> IdentityConfig {
    IdentityConfig::new("edge-1", "127.0.0.1", true)
}

fn at_address(address: SocketAddr) -> Service {
    Service { host: address.ip().to_string(), port: address.port(), proxy: None }
}

/// Joins; the first problem ends it.
async fn join(service: Service, dir: &Path, token: &str) -> Result<(), Problem> {
    join_as(config(), service, dir, token).await
}

async fn join_as(config: IdentityConfig, service: Service, dir: &Path, token: &str) -> Result<(), Problem> {
    let token = TokenSource::Given(JoinToken::parse(token).unwrap());
    let (driver, told) = IdentityDriver::new(config, Store::new(names(dir)), [service], token);
    let heard = async {
        loop {
            match told.recv().await.unwrap() {
                Told::Use(_) => return Ok(()),
                Told::Problem(problem) => return Err(problem),
                Told::State(_) | Told::Skew(_) => {}
            }
        }
    };
    let run = async {
        driver.run().await;
        unreachable!("somebody listens")
    };
    or(heard, run).await
}

/// Runs something beside a certificate service.
pub(super) fn with_service<T>(body: impl AsyncFnOnce(&Authority, &TokenKey, Service) -> T) -> T {
    smol::block_on(async {
        let authority = Arc::new(Authority::generate().unwrap());
        let tokens = TokenKey::generate().unwrap();
        let same = tokens.clone();
        let options = CertificateOptions::new(Arc::clone(&authority), tokens);
        let server = CertificateServer::bind(ANY_PORT.into(), options).await.unwrap();
        let serve = async {
            server.run().await;
            unreachable!("it serves as long as it is there")
        };
        or(body(&authority, &same, at_address(server.address())), serve).await
    })
}

#[test]
fn a_node_joins_and_a_second_time_there_is_nothing_to_do() {
    with_service(async |authority, tokens, service| {
        let dir = tempfile::tempdir().unwrap();
        let token = tokens.token(authority, Duration::from_secs(60));
        join(service.clone(), dir.path(), &token).await.unwrap();
        let files = names(dir.path());
        tls::client_config(&files).unwrap();
        let pair = tls::pair_on_disk(&files).unwrap();
        let facts = facts::of(&pair.certificate, None, &pair.roots).unwrap();
        assert!(facts.signed_by.is_some() && facts.node.as_deref() == Some("edge-1"), "{facts:?}");
        assert_eq!(pair.roots, [Bytes::copy_from_slice(authority.certificate_der())]);
        join(service, dir.path(), &token).await.unwrap();
        assert_eq!(tls::pair_on_disk(&files).unwrap().certificate, pair.certificate);
    });
}

#[test]
fn a_token_of_another_cloud_or_of_yesterday_is_refused_and_nothing_is_written() {
    with_service(async |authority, tokens, service| {
        let dir = tempfile::tempdir().unwrap();
        let other = Authority::generate().unwrap();
        let wrong = tokens.token(&other, Duration::from_secs(60));
        let problem = join(service.clone(), dir.path(), &wrong).await.unwrap_err().to_string();
        for authority in [authority, &other] {
            let hash = facts::digest(authority.certificate_der()).to_string();
            assert!(problem.contains(&hash), "{problem} should show {hash}");
        }
        let expired = tokens.token_until(authority, SystemTime::now());
        let problem = join(service.clone(), dir.path(), &expired).await.unwrap_err().to_string();
        assert!(problem.contains("refuses the token (the token has expired)"), "{problem}");
        let forged = TokenKey::generate().unwrap().token(authority, Duration::from_secs(60));
        let problem = join(service, dir.path(), &forged).await.unwrap_err().to_string();
        assert!(problem.contains("not one of this cloud"), "{problem}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(join_command(&config()).contains("--node edge-1"));
    });
}

/// Sends one request with the pair of one node for another subject.
async fn renew(service: &Service, authority: &Authority, dir: &Path, node: &str, asks: &str) -> Answer {
    let (certificate, key) = authority.node(node).unwrap().write(dir, "own").unwrap();
    let ca = dir.join("ca.crt");
    std::fs::write(&ca, authority.certificate_pem()).unwrap();
    let own = tls::pair_on_disk(&ClientFiles { ca, certificate, key }).unwrap().own;
    let request = Request::Renew { request: key::make(asks).unwrap().request };
    let trust = Trust::Roots(vec![Bytes::copy_from_slice(authority.certificate_der())]);
    let asker = Asker { node: asks.into(), own: Some(own), key: None };
    ask(service.connect().await.unwrap(), service, &asker, &request, &trust).await.unwrap()
}

#[test]
fn a_certificate_renews_its_own_node_and_no_other() {
    with_service(async |authority, _, service| {
        let dir = tempfile::tempdir().unwrap();
        let answer = renew(&service, authority, dir.path(), "edge-1", "edge-1").await;
        assert_eq!((answer.status, answer.date.is_some()), (200, true));
        assert_eq!(answer.certificate.unwrap().node.as_deref(), Some("edge-1"));
        let answer = renew(&service, authority, dir.path(), "edge-1", "edge-2").await;
        assert_eq!(answer.status, 403, "{:?}", answer.body);
        assert_eq!(answer.certificate, None);
    });
}

/// What a service of ours answers to a body.
pub(super) async fn posted(
    service: &Service,
    authority: &Authority,
    jwt: &str,
    request: Bytes,
) -> Result<Answer, Failure> {
    let trust = Trust::Roots(vec![Bytes::copy_from_slice(authority.certificate_der())]);
    let asker = Asker { node: "edge-1".into(), own: None, key: None };
    let request = Request::Join { request, jwt: jwt.into() };
    ask(service.connect().await.unwrap(), service, &asker, &request, &trust).await
}

/// A request for a subject, with a key of its own.
fn request_of(organization: &str, name: &str) -> Bytes {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::OrganizationName, organization);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    let request = params.serialize_request(&rcgen::KeyPair::generate().unwrap()).unwrap();
    Bytes::copy_from_slice(request.der())
}

#[test]
fn requests_that_are_none_are_refused() {
    with_service(async |authority, tokens, service| {
        let token = JoinToken::parse(&tokens.token(authority, Duration::from_secs(60))).unwrap();
        let good = key::make("edge-1").unwrap().request;
        for (request, status) in [
            (good.clone(), 200),
            (Bytes::new(), 500),
            (Bytes::from_static(b"-----BEGIN CERTIFICATE REQUEST-----"), 500),
            (Bytes::from(vec![b'x'; 2 << 20]), 500),
            (key::make("edge-2").unwrap().request, 403),
            (request_of("system:masters", "system:node:edge-1"), 403),
            (request_of("system:nodes", "kubernetes-admin"), 403),
        ] {
            let length = request.len();
            let answer = posted(&service, authority, token.jwt(), request).await.unwrap();
            assert_eq!(answer.status, status, "{length} bytes");
        }
        assert_eq!(posted(&service, authority, "no.such.token", good).await.unwrap().status, 401);
    });
}

/// Each version of TLS that a node may speak.
#[test]
fn the_service_speaks_both_versions_of_tls() {
    with_service(async |authority, _, service| {
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(authority.certificate_der().to_vec().into()).unwrap();
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let config = rustls::ClientConfig::builder_with_provider(provider)
                .with_protocol_versions(&[version])
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
            let tcp = service.connect().await.unwrap();
            let name = "127.0.0.1".try_into().unwrap();
            let mut stream =
                futures_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
            let head = "GET /ca.crt HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
            let answer = http::exchange(&mut stream, head, b"").await.unwrap();
            assert_eq!((answer.status, &*answer.body), (200, authority.certificate_der()));
        }
    });
}

/// What a rogue does with a request, after the handshake.
#[derive(Clone)]
enum Rogue {
    /// The same answer to everything.
    Answers(Vec<u8>),
    /// Its authority to whoever asks for that, and this instead of a certificate.
    AnswersInstead(Vec<u8>),
    /// The same, and a certificate for another node.
    SignsFor(&'static str),
    /// This, and then nothing more, on a connection that stays.
    Stalls(Vec<u8>),
}

impl Rogue {
    fn answer(&self, request: &http::Received, authority: &Authority) -> Vec<u8> {
        let of = |body: &[u8]| [b"HTTP/1.1 200 OK\r\n\r\n", body].concat();
        match self {
            Rogue::Answers(answer) | Rogue::Stalls(answer) => answer.clone(),
            _ if request.path == "/ca.crt" => of(authority.certificate_der()),
            Rogue::AnswersInstead(answer) => answer.clone(),
            Rogue::SignsFor(node) => {
                let body = request.body.clone().into();
                let asked = rcgen::CertificateSigningRequestParams::from_der(&body).unwrap();
                of(&authority.sign(node, &asked.public_key, Duration::from_secs(3600)).unwrap())
            }
        }
    }
}

fn with_rogue<T>(rogue: &Rogue, body: impl AsyncFnOnce(&Authority, Service) -> T) -> T {
    smol::block_on(async {
        let authority = Authority::generate().unwrap();
        let identity = authority.server(&["127.0.0.1".to_owned()]).unwrap();
        let pems = Pems {
            ca: authority.certificate_pem(),
            certificate: &identity.certificate_pem,
            key: &identity.key_pem,
        };
        let tls = TlsAcceptor::from(tls::server_config_for_anybody(pems).unwrap());
        let listener = TcpListener::bind(SocketAddr::from(ANY_PORT)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let serve = async {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(mut stream) = tls.accept(stream).await else { continue };
                let Ok(request) = http::request(&mut stream).await else { continue };
                // Whoever has heard enough hangs up.
                let _ = stream.write_all(&rogue.answer(&request, &authority)).await;
                if let Rogue::Stalls(_) = rogue {
                    let _ = stream.flush().await;
                    smol::future::pending::<()>().await;
                }
                let _ = stream.close().await;
            }
        };
        or(body(&authority, at_address(address)), serve).await
    })
}

fn check_rogue(answer: impl Into<Vec<u8>>, words: &str) {
    check_that(Rogue::Answers(answer.into()), config(), words);
}

fn check_that(rogue: Rogue, config: IdentityConfig, words: &str) {
    with_rogue(&rogue, async |authority, service| {
        let dir = tempfile::tempdir().unwrap();
        let token = TokenKey::generate().unwrap().token(authority, Duration::from_secs(60));
        let problem = join_as(config, service, dir.path(), &token).await.unwrap_err().to_string();
        assert!(problem.contains(words) && !problem.contains('\n'), "{problem} should say {words}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    });
}

#[test]
fn every_wrong_answer_has_its_own_words() {
    let body = |bytes: usize| [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &vec![b'x'; bytes]].concat();
    check_rogue(body(2 << 20), "more than 1048576 bytes");
    check_rogue("HTTP/1.1 200 OK\r\nContent-Length: 2097152\r\n\r\n", "more than 1048576 bytes");
    check_rogue("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", "a web page");
    check_rogue("HTTP/1.1 302 Found\r\nLocation: https://x/\r\n\r\n", "points to https://x/");
    check_rogue("HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nbusy", "answers 503 (busy)");
    check_rogue("220 smtp\r\n", "not HTTP");
    check_rogue("", "no answer at all");
}

/// The authority is right, and what should be the certificate is not.
#[test]
fn every_wrong_certificate_has_its_own_words() {
    let check = |rogue: Rogue, words: &str| check_that(rogue, config(), words);
    let instead = |answer: &[u8]| Rogue::AnswersInstead(answer.to_vec());
    check(Rogue::SignsFor("edge-2"), "for the node edge-2");
    check(
        instead(&[b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &vec![b'x'; 2 << 20]].concat()),
        "more than 1048576",
    );
    check(instead(b"HTTP/1.1 200 OK\r\n\r\n<html>"), "a web page");
    check(instead(b"HTTP/1.1 302 Found\r\nLocation: https://x/\r\n\r\n"), "points to https://x/");
    check(instead(b"HTTP/1.1 401 No\r\n\r\ntoo old"), "refuses the token (too old)");
}

/// Before its answer, in its head and in its body: no server keeps a node waiting for longer than it wants to.
#[test]
fn a_server_that_stalls_is_given_up() {
    let config = || IdentityConfig { request_limit: Duration::from_secs(2), ..config() };
    for begun in ["", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\n\r\nx"] {
        check_that(Rogue::Stalls(begun.into()), config(), "took longer than 2 s");
    }
}

#[test]
fn a_server_without_tls_and_a_port_without_a_server_are_named() {
    smol::block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::generate().unwrap();
        let token = TokenKey::generate().unwrap().token(&authority, Duration::from_secs(60));
        let listener = TcpListener::bind(SocketAddr::from(ANY_PORT)).await.unwrap();
        let service = at_address(listener.local_addr().unwrap());
        let plain = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
            stream.close().await.unwrap();
            smol::future::pending().await
        };
        let problem = or(join(service.clone(), dir.path(), &token), plain).await.unwrap_err().to_string();
        assert!(problem.contains("does not speak TLS"), "{problem}");
        drop(listener);
        let problem = join(service.clone(), dir.path(), &token).await.unwrap_err().to_string();
        assert!(problem.contains("cannot be reached") && problem.contains(&service.to_string()), "{problem}");
    });
}

/// A server whose certificate is not valid yet for this machine, or not any more, and whose clock says so.
fn check_clock(certificate_from: i64, clock: i64, found: impl Fn(&Problem) -> bool) {
    smol::block_on(async {
        const DAY: i64 = 86_400;
        let at = |days: i64| {
            let now = SystemTime::now();
            let span = Duration::from_secs((days.abs() * DAY) as u64);
            if days < 0 { now - span } else { now + span }
        };
        let authority = Authority::generate().unwrap();
        let profile = Profile {
            purpose: Purpose::Server { names: vec!["127.0.0.1".into()] },
            not_before: at(certificate_from),
            not_after: at(certificate_from + 20),
        };
        let identity = authority.issue(&profile).unwrap();
        let pems = Pems {
            ca: authority.certificate_pem(),
            certificate: &identity.certificate_pem,
            key: &identity.key_pem,
        };
        let tls = TlsAcceptor::from(tls::server_config_at_any_time(pems).unwrap());
        let listener = TcpListener::bind(SocketAddr::from(ANY_PORT)).await.unwrap();
        let service = at_address(listener.local_addr().unwrap());
        let serve = async {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(mut stream) = tls.accept(stream).await else { continue };
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let der = authority.certificate_der();
                let seconds = at(clock).duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
                let head = format!(
                    "HTTP/1.1 200 OK\r\nDate: {}\r\nContent-Length: {}\r\n\r\n",
                    HttpDate(seconds as i64),
                    der.len()
                );
                let _ = stream.write_all(&[head.as_bytes(), der].concat()).await;
                let _ = stream.close().await;
            }
        };
        let dir = tempfile::tempdir().unwrap();
        let token = TokenKey::generate().unwrap().token(&authority, Duration::from_secs(60));
        let problem = or(join(service, dir.path(), &token), serve).await.unwrap_err();
        assert!(found(&problem), "{problem:?}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    });
}

#[test]
fn a_first_connection_that_the_clocks_do_not_allow_is_told_with_their_difference() {
    let days = |problem: &Problem| match problem {
        // What the request took does not matter here.
        Problem::ClockSkew { ahead_ms } => Some((ahead_ms + 43_200_000).div_euclid(86_400_000)),
        _ => None,
    };
    check_clock(100, 101, |problem| days(problem) == Some(-101));
    check_clock(-100, -99, |problem| days(problem) == Some(99));
    let is_the_servers = |problem: &Problem| matches!(problem, Problem::Unanswered(Failure::OutOfDate(_)));
    check_clock(-100, 0, is_the_servers);
}

/// A cloud that has begun to sign with another authority, and whose server still has its certificate of the old one.
async fn overlapping(old: &Authority, new: &Authority, listener: TcpListener) -> std::convert::Infallible {
    let identity = old.server(&["127.0.0.1".into()]).unwrap();
    let ca = format!("{}{}", old.certificate_pem(), new.certificate_pem());
    let pems = Pems { ca: &ca, certificate: &identity.certificate_pem, key: &identity.key_pem };
    let tls = TlsAcceptor::from(tls::server_config_for_anybody(pems).unwrap());
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let Ok(mut stream) = tls.accept(stream).await else { continue };
        let shown = stream.get_ref().1.peer_certificates().map(|chain| tls::node_name(&chain[0]));
        let request = http::request(&mut stream).await.unwrap();
        let body = match &*request.path {
            "/ca.crt" => new.certificate_der().to_vec(),
            _ => {
                assert_eq!(shown, Some(Some("edge-1".into())), "the present pair is shown");
                let asked = rcgen::CertificateSigningRequestParams::from_der(&request.body.into()).unwrap();
                new.sign("edge-1", &asked.public_key, Duration::from_secs(3600)).unwrap()
            }
        };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
        let _ = stream.close().await;
    }
}

/// The new authority comes through the old one, and both lie in the file afterwards, from which a link trusts both.
#[test]
fn a_new_authority_is_accepted_through_the_old_one_and_both_are_trusted() {
    check_overlap(|old, _| old, true);
}

/// The one authority vouches for servers alone, and the other one signs nodes alone: a file that names the first is enough, and
/// what somebody put there does not leave with the next renewal.
#[test]
fn a_node_that_knows_only_who_vouches_for_the_servers_hears_who_signs_nodes() {
    check_overlap(|_, new| new, false);
}

fn check_overlap(signer: for<'a> fn(&'a Authority, &'a Authority) -> &'a Authority, leaves: bool) {
    smol::block_on(async {
        let [old, new] = [(); 2].map(|()| Authority::generate().unwrap());
        let dir = tempfile::tempdir().unwrap();
        let day = Duration::from_secs(86_400);
        let profile = Profile {
            purpose: Purpose::Node { name: "edge-1".into() },
            // In the last tenth of its life: it is to be renewed at once.
            not_before: SystemTime::now() - 99 * day,
            not_after: SystemTime::now() + day,
        };
        signer(&old, &new).issue(&profile).unwrap().write(dir.path(), "own").unwrap();
        std::fs::write(dir.path().join("ca.crt"), old.certificate_pem()).unwrap();
        let listener = TcpListener::bind(SocketAddr::from(ANY_PORT)).await.unwrap();
        let service = at_address(listener.local_addr().unwrap());
        let files = names(dir.path());
        let store = Store::new(files.clone());
        let (driver, told) = IdentityDriver::new(config(), store, [service], TokenSource::Nowhere);
        let heard = async {
            for _ in ["the old pair", "the new one"] {
                while !matches!(told.recv().await.unwrap(), Told::Use(_)) {}
            }
        };
        let run = async {
            or(driver.run(), async { match overlapping(&old, &new, listener).await {} }).await;
            unreachable!("somebody listens")
        };
        or(heard, run).await;
        let pair = tls::pair_on_disk(&files).unwrap();
        let der = |authority: &Authority| Bytes::copy_from_slice(authority.certificate_der());
        assert_eq!(pair.roots, [der(&new), der(&old)]);
        let facts = facts::of(&pair.certificate, None, &pair.roots).unwrap();
        assert_eq!(facts.signed_by.unwrap().der, der(&new));
        let superseded = leaves.then(|| old.certificate_der().to_vec());
        assert_eq!(Store::new(files.clone()).superseded(), superseded);
        // Whoever is signed by one of the two is trusted on a link.
        for authority in [&old, &new] {
            let server = authority.server(&["127.0.0.1".into()]).unwrap();
            let ca = new.certificate_pem();
            let pems = Pems { ca, certificate: &server.certificate_pem, key: &server.key_pem };
            let acceptor = TlsAcceptor::from(tls::server_config_from_pem(pems).unwrap());
            let listener = TcpListener::bind(SocketAddr::from(ANY_PORT)).await.unwrap();
            let stream = smol::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let connector = futures_rustls::TlsConnector::from(tls::client_config(&files).unwrap());
            let accepted = async { acceptor.accept(listener.accept().await.unwrap().0).await.unwrap() };
            let connected =
                async { connector.connect("127.0.0.1".try_into().unwrap(), stream).await.unwrap() };
            smol::future::zip(accepted, connected).await;
        }
    });
}

/// What is told to be used is what was written, and nothing that is there by the time somebody looks.
#[test]
fn what_is_used_is_what_was_judged_whatever_the_files_are_by_then() {
    with_service(async |authority, tokens, service| {
        let dir = tempfile::tempdir().unwrap();
        let token = tokens.token(authority, Duration::from_secs(60));
        let token = TokenSource::Given(JoinToken::parse(&token).unwrap());
        let store = Store::new(names(dir.path()));
        let (driver, told) = IdentityDriver::new(config(), store.clone(), [service], token);
        let heard = async {
            loop {
                if let Told::Use(pair) = told.recv().await.unwrap() {
                    return pair;
                }
            }
        };
        let run = async {
            driver.run().await;
            unreachable!("somebody listens")
        };
        let pair = or(heard, run).await;
        let written = store.load().unwrap();
        assert!(pair.is_same(&written));
        let stranger = Authority::generate().unwrap();
        stranger.node("edge-1").unwrap().write(dir.path(), "own").unwrap();
        assert!(!pair.is_same(&store.load().unwrap()));
        // A link with it reaches a server of the cloud, as who belongs to it.
        let server = authority.server(&["127.0.0.1".into()]).unwrap();
        let ca = authority.certificate_pem();
        let pems = Pems { ca, certificate: &server.certificate_pem, key: &server.key_pem };
        let acceptor = TlsAcceptor::from(tls::server_config_from_pem(pems).unwrap());
        let listener = TcpListener::bind(SocketAddr::from(ANY_PORT)).await.unwrap();
        let stream = smol::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let connector = futures_rustls::TlsConnector::from(pair.client_config().unwrap());
        let accepted = async { acceptor.accept(listener.accept().await.unwrap().0).await.unwrap() };
        let connected = async { connector.connect("127.0.0.1".try_into().unwrap(), stream).await.unwrap() };
        smol::future::zip(accepted, connected).await;
    });
}
