//! A node that joins, and whose certificate is renewed while messages flow, over real sockets.

use super::bench_of::{Edge, any_port, config};
use async_channel::Receiver;
use edgehub::Options;
use edgehub::identity::{IdentityDriver, IdentityWatch, Service, Store, TokenSource, Told};
use edgehub::loopback::PROJECT;
use edgehub::pki::Authority;
use edgehub::pki::token::TokenKey;
use edgehub::server::{CertificateOptions, CertificateServer, CloudServer, ServerOptions};
use edgehub::tls::{self, ClientFiles, Pems};
use edgehub::websocket::Target;
use edgehub_core::identity::{IdentityConfig, IdentityState, JoinToken, Problem};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const NODE: &str = "edge-1";

/// A cloud: its link and its certificate service.
pub(super) struct Cloud {
    authority: Arc<Authority>,
    tokens: TokenKey,
    server: CloudServer,
    pub(super) service: Service,
}

pub(super) async fn cloud(node_life: Duration) -> Cloud {
    let authority = Arc::new(Authority::generate().unwrap());
    let tokens = TokenKey::generate().unwrap();
    let identity = authority.server(&["localhost".into(), "127.0.0.1".into()]).unwrap();
    let pems = Pems {
        ca: authority.certificate_pem(),
        certificate: &identity.certificate_pem,
        key: &identity.key_pem,
    };
    let options =
        ServerOptions { quic: true, ..ServerOptions::new(tls::server_config_from_pem(pems).unwrap()) };
    let (server, driver) = CloudServer::bind(any_port(), options).await.unwrap();
    smol::spawn(driver.run()).detach();
    let options =
        CertificateOptions { node_life, ..CertificateOptions::new(Arc::clone(&authority), tokens.clone()) };
    let certificates = CertificateServer::bind(any_port(), options).await.unwrap();
    let address = certificates.address();
    smol::spawn(async move { certificates.run().await }).detach();
    let service = Service { host: address.ip().to_string(), port: address.port(), proxy: None };
    Cloud { authority, tokens, server, service }
}

/// Looks after the files in a directory from now on.
fn identity(cloud: &Cloud, dir: &Path) -> (ClientFiles, Receiver<Told>) {
    let (files, told, _) = looks_after(cloud, dir, |config| config);
    (files, told)
}

/// The same with other settings, and somebody who can be asked how it is.
pub(super) fn looks_after(
    cloud: &Cloud,
    dir: &Path,
    change: impl FnOnce(IdentityConfig) -> IdentityConfig,
) -> (ClientFiles, Receiver<Told>, IdentityWatch) {
    let files = ClientFiles {
        ca: dir.join("ca/rootCA.crt"),
        certificate: dir.join("certs/server.crt"),
        key: dir.join("certs/server.key"),
    };
    let token = cloud.tokens.token(&cloud.authority, Duration::from_secs(60));
    let token = TokenSource::Given(JoinToken::parse(&token).unwrap());
    let config = change(IdentityConfig::new(NODE, cloud.service.to_string(), true));
    let store = Store::new(files.clone());
    let (driver, told) = IdentityDriver::new(config, store, [cloud.service.clone()], token);
    let watch = driver.watch();
    smol::spawn(driver.run()).detach();
    (files, told, watch)
}

/// Waits for something to be told.
pub(super) async fn hears(told: &Receiver<Told>, is_wanted: impl Fn(&Told) -> bool) {
    while !is_wanted(&told.recv().await.expect("the identity runs")) {}
}

/// A pair that is to be used.
pub(super) fn a_pair(told: &Told) -> bool {
    matches!(told, Told::Use(_))
}

fn state(wanted: IdentityState) -> impl Fn(&Told) -> bool {
    move |told| matches!(told, Told::State(state) if *state == wanted)
}

fn edge(cloud: &Cloud, files: &ClientFiles) -> Edge {
    edge_over("wss", cloud, files)
}

/// A hub that goes to the cloud by URLs of this scheme.
fn edge_over(scheme: &str, cloud: &Cloud, files: &ClientFiles) -> Edge {
    let url = format!("{scheme}://{}", cloud.server.address());
    let tls = tls::client_config(files).unwrap();
    Edge::with(Options::new(config(), vec![Target::new(url, PROJECT, NODE)], tls))
}

#[test]
fn a_joined_node_gets_a_link() {
    smol::block_on(async {
        let cloud = cloud(Duration::from_secs(3600)).await;
        let dir = tempfile::tempdir().unwrap();
        let (files, told) = identity(&cloud, dir.path());
        hears(&told, a_pair).await;
        let edge = edge(&cloud, &files);
        edge.link_up().await;
        edge.stop().await;
    });
}

/// Somebody accepts the connection and never says a word: the attempt ends in an error of its own when its time is over, and
/// another one follows.
#[test]
fn a_certificate_service_that_stalls_has_its_own_error() {
    smol::block_on(async {
        let mut cloud = cloud(Duration::from_secs(3600)).await;
        let stalls = smol::net::TcpListener::bind(any_port()).await.unwrap();
        let real = std::mem::replace(&mut cloud.service.port, stalls.local_addr().unwrap().port());
        let held = smol::spawn(async move {
            let mut held = Vec::new();
            while let Ok((stream, _)) = stalls.accept().await {
                held.push(stream);
            }
        });
        let dir = tempfile::tempdir().unwrap();
        let limit = Duration::from_millis(50);
        let slow = |config| IdentityConfig { request_limit: limit, ..config };
        let (files, told, watch) = looks_after(&cloud, dir.path(), slow);
        hears(&told, |told| matches!(told, Told::Problem(problem) if *problem == Problem::TooLate { limit }))
            .await;
        let health = watch.health();
        assert_eq!(
            (health.problem.clone(), health.command.clone()),
            (Some(Problem::TooLate { limit }), None)
        );
        assert!(health.to_string().contains("took longer than 0.05 s"), "{health}");
        assert!(!files.certificate.exists() && !files.key.exists(), "nothing is written");
        drop((held, real));
    });
}

/// The token is for another cloud: both hashes are shown, nothing is written, and whoever asks is told what to run.
#[test]
fn a_node_that_needs_a_person_says_what_to_run() {
    smol::block_on(async {
        let (mut mine, other) = (cloud(Duration::from_secs(60)).await, cloud(Duration::from_secs(60)).await);
        mine.service = other.service.clone();
        let dir = tempfile::tempdir().unwrap();
        let (files, told, watch) = looks_after(&mine, dir.path(), |config| config);
        hears(&told, state(IdentityState::NeedsToken)).await;
        let health = watch.health();
        let Some(Problem::WrongHash { expected, found }) = &health.problem else { panic!("{health}") };
        let text = health.to_string();
        assert!(text.contains(&expected.to_string()) && text.contains(&found.to_string()), "{text}");
        let command = format!("edgehub join --cloud {} --node {NODE} --token TOKEN", other.service);
        assert_eq!(health.command.as_deref(), Some(&*command));
        assert!(!files.certificate.exists() && !files.ca.exists(), "nothing is written");
    });
}

/// A certificate of some seconds, a module that never pauses: the link is opened anew with the next certificate, and every
/// message comes once, in its order.
fn renews_over(scheme: &str) {
    smol::block_on(async {
        let cloud = cloud(Duration::from_secs(4)).await;
        let dir = tempfile::tempdir().unwrap();
        let (files, told) = identity(&cloud, dir.path());
        hears(&told, a_pair).await;
        let first = std::fs::read(&files.certificate).unwrap();
        let edge = edge_over(scheme, &cloud, &files);
        edge.link_up().await;
        let module = edge.hub.join("meter", &[]).await.unwrap();
        let hub = edge.hub.clone();
        let renewed = async {
            hears(&told, state(IdentityState::Rotating)).await;
            hears(&told, a_pair).await;
            hub.renew(tls::client_config(&files).unwrap()).await.unwrap();
            edge.link_down().await;
            edge.link_up().await;
        };
        let send = async {
            for number in 0_u64.. {
                module.send(module.compose("resource", "update", "number", &number).unwrap()).await.unwrap();
                let (_, message) = cloud.server.receive().await.unwrap();
                assert_eq!(message.content().to_string(), number.to_string());
            }
        };
        smol::future::or(renewed, send).await;
        assert_ne!(std::fs::read(&files.certificate).unwrap(), first);
        // What was under way when the link came up again, and one more.
        let last = module.compose("resource", "update", "number", &"last").unwrap();
        module.send(last).await.unwrap();
        let mut left = 0;
        while cloud.server.receive().await.unwrap().1.content() != "\"last\"" {
            left += 1;
        }
        assert!(left <= 1, "{left} messages came that nobody waited for");
        edge.stop().await;
    });
}

#[test]
fn a_renewal_loses_nothing_and_sends_nothing_twice() {
    renews_over("wss");
}

#[test]
fn a_renewal_over_quic_loses_nothing_and_sends_nothing_twice() {
    renews_over("quic");
}

/// Nobody renews, and the certificate runs out while the node runs: the next one comes of the token.
#[test]
fn a_certificate_that_runs_out_is_followed_by_another_join() {
    smol::block_on(async {
        let cloud = cloud(Duration::from_secs(2)).await;
        let dir = tempfile::tempdir().unwrap();
        let by_hand = |config| IdentityConfig { rotate: false, ..config };
        let (files, told, watch) = looks_after(&cloud, dir.path(), by_hand);
        hears(&told, a_pair).await;
        let first = std::fs::read(&files.certificate).unwrap();
        hears(&told, state(IdentityState::NoIdentity)).await;
        hears(&told, a_pair).await;
        assert_ne!(std::fs::read(&files.certificate).unwrap(), first);
        assert!(watch.health().problem.is_none(), "{}", watch.health());
        let edge = edge(&cloud, &files);
        edge.link_up().await;
        edge.stop().await;
    });
}
