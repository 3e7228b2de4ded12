//! Nobody gets in who does not belong, and the hub trusts nobody who is not its cloud.

use super::LANE;
use super::bench_of::{NODE, any_port, config, pair_over, serve, server_options};
use async_tungstenite::tungstenite::Message as Frame;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use edgehub::loopback::Loopback;
use edgehub::tls::{self, Pems};
use edgehub::websocket;
use edgehub_core::cloud::CloudConfig;
use edgehub_core::hub::{LinkEnd, Suspicion};
use edgehub_core::{Config, Note};
use futures_util::StreamExt;
use std::time::Duration;

#[test]
fn a_server_of_another_authority_is_not_trusted() {
    smol::block_on(async {
        let (_loopback, server, _edge) = pair_over(LANE, config()).await;
        let stranger = Loopback::new().unwrap();
        let edge = LANE.edge(stranger.ticket(server.address(), NODE).unwrap(), config());
        assert_eq!(edge.link_down().await, LinkEnd::OpenFailed);
        assert_eq!(edge.link_down().await, LinkEnd::OpenFailed);
    });
}

#[test]
fn a_node_cannot_use_the_certificate_of_another() {
    smol::block_on(async {
        let (loopback, server, _edge) = pair_over(LANE, config()).await;
        let mut ticket = loopback.ticket(server.address(), "edge-2").unwrap();
        ticket.node = "edge-3".into();
        let edge = LANE.edge(ticket.clone(), config());
        assert_eq!(edge.link_down().await, LinkEnd::OpenFailed);
        assert_eq!(edge.link_down().await, LinkEnd::OpenFailed);
        ticket.node = "edge-2".into();
        LANE.edge(ticket, config()).link_up().await;
    });
}

#[test]
fn an_expired_certificate_is_named_when_it_is_loaded() {
    let loopback = Loopback::new().unwrap();
    let expired = loopback.authority.node_expired(NODE).unwrap();
    let pems = Pems {
        ca: loopback.authority.certificate_pem(),
        certificate: &expired.certificate_pem,
        key: &expired.key_pem,
    };
    let error = tls::client_config_from_pem(pems).unwrap_err().to_string();
    assert!(error.contains("expired") && !error.contains('\n'), "{error}");
}

#[test]
fn a_node_beyond_the_limit_is_told_and_keeps_trying() {
    smol::block_on(async {
        let loopback = Loopback::new().unwrap();
        let mut options = server_options(&loopback);
        options.config = CloudConfig { node_limit: 1, ..CloudConfig::default() };
        let server = serve(&loopback, any_port(), options).await;
        let first = LANE.edge(loopback.ticket(server.address(), "edge-1").unwrap(), config());
        first.link_up().await;
        let module = first.hub.join("edged", &[]).await.unwrap();
        module.send(module.compose("resource", "update", "x", &0).unwrap()).await.unwrap();
        server.receive().await.unwrap();
        let second = LANE.edge(loopback.ticket(server.address(), "edge-2").unwrap(), config());
        second.link_up().await;
        assert_eq!(second.link_down().await, LinkEnd::Closed);
        let options = loopback.ticket(server.address(), "edge-3").unwrap().options(config()).unwrap();
        let mut third = websocket::connect(&options.targets[0], options.tls).await.unwrap();
        let Some(Ok(Frame::Close(Some(told)))) = third.next().await else { panic!("refused without a word") };
        assert_eq!((told.code, told.reason.as_str()), (CloseCode::Again, "node limit reached"));
        first.hub.shutdown().await.unwrap();
        // With the place free, the second node gets its session and its message through.
        let module = second.hub.join("edged", &[]).await.unwrap();
        module.send(module.compose("resource", "update", "y", &1).unwrap()).await.unwrap();
        let (node, message) = server.receive().await.unwrap();
        assert_eq!((node.as_str(), message.resource()), ("edge-2", "y"));
    });
}

/// CloudHub keeps one link for each name: each hub ends the other's, and both say why.
#[test]
fn two_hubs_of_one_name_find_out() {
    smol::block_on(async {
        let loopback = Loopback::new().unwrap();
        let server = serve(&loopback, any_port(), server_options(&loopback)).await;
        let ticket = loopback.ticket(server.address(), NODE).unwrap();
        let (one, other) = (LANE.edge(ticket.clone(), config()), LANE.edge(ticket, config()));
        for edge in [&one, &other] {
            let links = edge.note(|note| match note {
                Note::Suspected { cause: Suspicion::DuplicateName { links }, .. } => Some(*links),
                _ => None,
            });
            assert_eq!(links.await, 3);
        }
        let health = one.hub.health().await.unwrap();
        assert!(matches!(health.suspicion, Some(Suspicion::DuplicateName { .. })), "{health}");
    });
}

/// A cloud that waits for keepalives for a shorter time than the node takes between two: the node says so when the link opens, and
/// again when the cloud has closed it.
#[test]
fn a_heartbeat_that_does_not_go_with_the_cloud_is_named() {
    smol::block_on(async {
        let loopback = Loopback::new().unwrap();
        let waits = Duration::from_millis(300);
        let mut options = server_options(&loopback);
        options.config = CloudConfig { keepalive_timeout: waits, ..CloudConfig::default() };
        let server = serve(&loopback, any_port(), options).await;
        let ticket = loopback.ticket(server.address(), NODE).unwrap();
        let edge = LANE.edge(ticket, Config { cloud_keepalive: waits, ..config() });
        let suspicion = |note: &Note| match note {
            Note::Suspected { cause, .. } => Some(*cause),
            _ => None,
        };
        assert_eq!(edge.note(suspicion).await, Suspicion::HeartbeatTooSlow);
        assert_eq!(edge.hub.health().await.unwrap().suspicion, Some(Suspicion::HeartbeatTooSlow));
        assert_eq!(edge.note(suspicion).await, Suspicion::KeepaliveUnheard);
        assert_eq!(edge.link_down().await, LinkEnd::Closed);
        assert_eq!(edge.hub.health().await.unwrap().suspicion, Some(Suspicion::KeepaliveUnheard));
        edge.stop().await;
        let (_loopback, _server, edge) = pair_over(LANE, config()).await;
        edge.link_up().await;
        assert_eq!(edge.hub.health().await.unwrap().suspicion, None, "KubeEdge's own defaults go together");
        edge.stop().await;
    });
}
