//! Messages both ways.

use super::LANE;
use super::bench_of::{NODE, any_port, config, from_cloud, pair_over, serve, server_options};
use edgehub::EdgeHub;
use edgehub::loopback::Loopback;
use edgehub_core::cloud::Delivery;
use edgehub_core::hub::{DropReason, Stage};
use edgehub_core::{Content, Draft};
use std::time::Duration;

#[test]
fn a_module_sends_and_everything_is_confirmed() {
    smol::block_on(async {
        let (_loopback, server, edge) = pair_over(LANE, config()).await;
        let module = edge.hub.join("edged", &["meta"]).await.unwrap();
        for number in 0..500 {
            module
                .send(module.compose("resource", "update", "default/podstatus/web", &number).unwrap())
                .await
                .unwrap();
        }
        for number in 0..500 {
            let (node, message) = server.receive().await.unwrap();
            assert_eq!(
                (node.as_str(), message.content()),
                (NODE, number.to_string().as_str()),
                "in order, once"
            );
        }
        let account = edge.hub.settled().await.unwrap();
        assert_eq!((account.up.pending, account.up.dropped()), (0, 0));
        assert!(account.up.confirmed >= 500, "the messages");
    });
}

#[test]
fn an_acknowledged_message_is_sent_until_the_module_acknowledges_it() {
    smol::block_on(async {
        let (_loopback, server, edge) = pair_over(LANE, config()).await;
        let module = edge.hub.join("metamanager", &["meta"]).await.unwrap();
        // Who joins once the link is up is not told of it.
        let next = async || loop {
            let message = module.receive().await.unwrap();
            if message.operation() != "connect" {
                break message;
            }
        };
        let messages: Vec<_> =
            (0..5).map(|id| from_cloud(id, "edgecontroller", "resource", "default/configmap/a")).collect();
        for message in &messages {
            server.send(NODE, message.clone(), Delivery::Acknowledged).await.unwrap();
        }
        for message in &messages {
            let received = next().await;
            assert_eq!(received.msg_id(), message.msg_id(), "one in flight, in order");
            module.send(module.acknowledgement(&received).unwrap()).await.unwrap();
        }
        edge.hub.settled().await.unwrap();
        while server.account().await.unwrap().up.acknowledgements < 5 {}
        let account = server.account().await.unwrap();
        assert_eq!((account.down.pending, account.resends), (0, 0));
    });
}

#[test]
fn a_request_is_answered_to_its_module_alone() {
    smol::block_on(async {
        let (_loopback, server, edge) = pair_over(LANE, config()).await;
        let module = edge.hub.join("metamanager", &["meta"]).await.unwrap();
        let answering = async {
            let (node, request) = server.receive().await.unwrap();
            assert!(!request.is_sync(), "sync is local and does not travel");
            let draft = Draft::response_to(&request, "answer-1", request.timestamp());
            let answer = Draft { content: Content::Text("value"), ..draft }.encode().unwrap();
            server.send(&node, answer, Delivery::Unacknowledged).await.unwrap();
        };
        let request = module.compose("resource", "query", "default/configmap/a", &()).unwrap();
        let (answer, ()) = smol::future::zip(module.request(&request, None), answering).await;
        assert_eq!(answer.unwrap().content(), "\"value\"");
    });
}

#[test]
fn a_request_without_an_answer_ends_once_with_an_error() {
    smol::block_on(async {
        let (_loopback, _server, edge) = pair_over(LANE, config()).await;
        let module = edge.hub.join("metamanager", &[]).await.unwrap();
        let request = module.compose("resource", "query", "default/configmap/a", &()).unwrap();
        let error = module.request(&request, Some(Duration::from_millis(50))).await.unwrap_err();
        assert!(error.to_string().contains("timeout"), "{error}");
    });
}

#[test]
fn cloudhub_answers_the_query_for_its_authority() {
    smol::block_on(async {
        let (_loopback, _server, edge) = pair_over(LANE, config()).await;
        let module = edge.hub.join("metamanager", &[]).await.unwrap();
        let request = module.compose("resource", "query", "k8s/ca.crt", &()).unwrap();
        let answer = module.request(&request, None).await.unwrap();
        assert_eq!((answer.source(), answer.operation()), ("cloudhub", "response"));
    });
}

#[test]
fn an_unknown_group_is_dropped_with_its_reason() {
    smol::block_on(async {
        let (_loopback, server, edge) = pair_over(LANE, config()).await;
        edge.link_up().await;
        let module = edge.hub.join("metamanager", &["meta"]).await.unwrap();
        // Until the session stands, an unacknowledged message has nowhere to go.
        module.send(module.compose("resource", "update", "x", &1).unwrap()).await.unwrap();
        server.receive().await.unwrap();
        server.send(NODE, from_cloud(1, "c", "nosuch", "x"), Delivery::Unacknowledged).await.unwrap();
        server.send(NODE, from_cloud(2, "c", "resource", "x"), Delivery::Unacknowledged).await.unwrap();
        while module.receive().await.unwrap().resource() != "x" {}
        let account = edge.hub.account().await.unwrap();
        assert_eq!(account.down.dropped_for(DropReason::UnknownGroup), 1);
        assert!(account.balanced());
    });
}

#[test]
fn a_slow_module_stops_the_reading_and_loses_nothing() {
    smol::block_on(async {
        let (_loopback, server, edge) = pair_over(LANE, config()).await;
        let module = edge.hub.join("eventbus", &[]).await.unwrap();
        edge.link_up().await;
        module.send(module.compose("resource", "update", "x", &1).unwrap()).await.unwrap();
        server.receive().await.unwrap();
        let messages = 5000;
        // About three things in turn: what is about one of them comes in order, on every lane.
        let message = |number: u64| from_cloud(number, "router_eventbus", "user", &(number % 3).to_string());
        let send = async {
            for number in 0..messages {
                server.send(NODE, message(number), Delivery::Unacknowledged).await.unwrap();
            }
        };
        let receive = async {
            // Nobody takes anything until the hub has stopped reading.
            while edge.hub.account().await.unwrap().down.pending < 200 {}
            let mut next = [0, 1, 2];
            for _ in 0..messages {
                let received = module.receive().await.unwrap();
                let thing: usize = received.resource().parse().unwrap();
                assert_eq!(received.msg_id(), message(next[thing]).msg_id());
                next[thing] += 3;
            }
        };
        smol::future::zip(send, receive).await;
        assert_eq!(edge.hub.account().await.unwrap().down.dropped(), 0);
    });
}

#[test]
fn a_shutdown_sends_what_is_queued_first() {
    smol::block_on(async {
        let (_loopback, server, edge) = pair_over(LANE, config()).await;
        let module = edge.hub.join("edged", &[]).await.unwrap();
        edge.link_up().await;
        for number in 0..300 {
            module.send(module.compose("resource", "update", "x", &number).unwrap()).await.unwrap();
        }
        edge.hub.settled().await.unwrap();
        let account = edge.hub.shutdown().await.unwrap();
        assert_eq!((account.up.pending, account.up.dropped()), (0, 0));
        for _ in 0..300 {
            server.receive().await.unwrap();
        }
        assert!(module.send(module.compose("resource", "update", "x", &0).unwrap()).await.is_err());
    });
}

#[test]
fn a_tracked_message_is_told_as_confirmed() {
    smol::block_on(async {
        let (_loopback, _server, edge) = pair_over(LANE, config()).await;
        let module = edge.hub.join("edged", &[]).await.unwrap();
        edge.link_up().await;
        let message = module.compose("resource", "update", "x", &1).unwrap();
        let receipt = module.send_tracked(message).await.unwrap();
        assert_eq!(receipt.settled().await, Ok(Stage::Confirmed));
        edge.hub.shutdown().await.unwrap();
        let late = module.compose("resource", "update", "x", &2).unwrap();
        assert!(module.send_tracked(late).await.is_err());
    });
}

#[test]
fn a_hub_without_handles_ends_by_itself() {
    smol::block_on(async {
        let loopback = Loopback::new().unwrap();
        let server = serve(&loopback, any_port(), server_options(&loopback)).await;
        let (hub, driver) = EdgeHub::new(
            loopback.ticket(server.address(), NODE).unwrap().over(LANE.lane).options(config()).unwrap(),
        );
        let running = smol::spawn(driver.run());
        let module = hub.join("edged", &[]).await.unwrap();
        module.send(module.compose("resource", "update", "x", &1).unwrap()).await.unwrap();
        server.receive().await.unwrap();
        drop((hub, module));
        running.await;
    });
}
