//! Several CloudHubs of which each node draws its own, from a configuration file to the sockets: as often as the weights say, kept while
//! it is there, and left for another one when it is not.

use super::bench_of::{Edge, NODE, any_port, config, serve, server_options};
use edgehub::Options;
use edgehub::config::NodeConfig;
use edgehub::loopback::Loopback;
use edgehub::server::CloudServer;
use edgehub_core::Config;
use edgehub_core::hub::LinkEnd;
use futures_util::future::select_all;
use std::fs;
use std::future::pending;
use std::time::Duration;

/// CloudHubs, and a node's configuration file that names them.
struct Site {
    dir: tempfile::TempDir,
    loopback: Loopback,
    servers: Vec<CloudServer>,
}

impl Site {
    async fn new(servers: usize, endpoints: &str) -> Site {
        let (dir, loopback) = (tempfile::tempdir().unwrap(), Loopback::new().unwrap());
        let mut site = Site { dir, loopback, servers: Vec::new() };
        for _ in 0..servers {
            let server = serve(&site.loopback, any_port(), server_options(&site.loopback)).await;
            site.servers.push(server);
        }
        let path = |name: &str| site.dir.path().join(name).display().to_string();
        let addresses: Vec<String> = site.servers.iter().map(|server| server.address().to_string()).collect();
        site.loopback.authority.node(NODE).unwrap().write(site.dir.path(), "own").unwrap();
        fs::write(path("ca.crt"), site.loopback.authority.certificate_pem()).unwrap();
        let text = format!(
            "apiVersion: edgecore.config.kubeedge.io/v1alpha2\nkind: EdgeCore\nmodules:\n  edged:\n    hostnameOverride: \
             {NODE}\n  edgeHub:\n    tlsCaFile: {}\n    tlsCertFile: {}\n    tlsPrivateKeyFile: {}\n    websocket:\n      \
             enable: true\n      server: {addresses:?}\nedgehub:\n  proxy: none\n  recorder: {{enabled: false}}\n  \
             endpoints: {endpoints}\n",
            path("ca.crt"),
            path("own.crt"),
            path("own.key"),
        );
        fs::write(path("edgecore.yaml"), text).unwrap();
        site
    }

    /// The node with this seed.
    fn edge(&self, seed: u64) -> Edge {
        let (node, warnings) = NodeConfig::load(&self.dir.path().join("edgecore.yaml")).unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        let mut options = Options { seed, ..Options::from_config(&node).unwrap() };
        // What comes back quickly, and whose links count as soon as they are open.
        let endpoints = options.config.endpoints;
        options.config = Config { endpoints, stable_after: Duration::ZERO, ..config() };
        Edge::with(options)
    }

    /// Which of the servers a message of the node comes to.
    async fn serving(&self, edge: &Edge, message: u64) -> usize {
        let module = edge.hub.join(&format!("sender-{message}"), &[]).await.unwrap();
        module.send(module.compose("resource", "update", "x", &message).unwrap()).await.unwrap();
        let come = self.servers.iter().map(|server| {
            Box::pin(async move {
                while let Some((_, arrived)) = server.receive().await {
                    if arrived.content() == message.to_string() {
                        return;
                    }
                }
                // One that has stopped serves nobody.
                pending().await
            })
        });
        select_all(come).await.1
    }
}

/// How many of 80 nodes come to each server.
fn shares(endpoints: &str) -> Vec<u64> {
    smol::block_on(async {
        let site = Site::new(3, endpoints).await;
        let mut shares = vec![0; 3];
        for seed in 0..80 {
            let edge = site.edge(seed);
            shares[site.serving(&edge, seed).await] += 1;
            edge.stop().await;
        }
        shares
    })
}

#[test]
fn nodes_are_shared_out_as_the_weights_say() {
    let shares = shares("{choice: weighted, weights: [1, 2, 5]}");
    let expected = [5..=15, 12..=28, 40..=60];
    assert!(shares.iter().zip(expected).all(|(share, wanted)| wanted.contains(share)), "{shares:?}");
}

#[test]
fn nodes_are_shared_out_evenly_where_they_choose_at_random() {
    let shares = shares("{choice: random, weights: [1, 2, 5]}");
    assert!(shares.iter().all(|share| (17..=37).contains(share)), "{shares:?}");
}

/// It is dialled again after each cut; another one serves when it is gone, and goes on when it is back.
#[test]
fn a_drawn_server_is_kept_and_so_is_the_one_that_takes_its_place() {
    smol::block_on(async {
        let mut site = Site::new(2, "{choice: weighted, weights: [1, 1000000], returnAfter: 0.05}").await;
        let edge = site.edge(1);
        let mut message = 0..;
        for _ in 0..3 {
            assert_eq!(site.serving(&edge, message.next().unwrap()).await, 1);
            site.servers[1].cut_all().await.unwrap();
            assert_ne!(edge.link_down().await, LinkEnd::OpenFailed);
        }
        let address = site.servers[1].address();
        edge.link_up().await;
        site.servers[1].shutdown().await.unwrap();
        assert_eq!(edge.link_down().await, LinkEnd::Closed);
        assert_eq!(edge.link_down().await, LinkEnd::OpenFailed, "one attempt");
        edge.link_up().await;
        site.servers[1] = serve(&site.loopback, address, server_options(&site.loopback)).await;
        for _ in 0..3 {
            assert_eq!(site.serving(&edge, message.next().unwrap()).await, 0);
            site.servers[0].cut_all().await.unwrap();
            assert_ne!(edge.link_down().await, LinkEnd::OpenFailed);
        }
        edge.stop().await;
    });
}
