//! A request ends once for whoever asks, whatever happens meanwhile.

use super::LANE;
use super::bench_of::{NODE, config, from_cloud, pair_over};
use edgehub::edge::RequestError;
use edgehub::server::CloudServer;
use edgehub::{EdgeHub, Module};
use edgehub_core::cloud::Delivery;
use edgehub_core::{Content, Draft, Message};
use smol::future::{poll_once, zip};

fn query(module: &Module) -> Message {
    module.compose("resource", "query", "default/configmap/a", &()).unwrap()
}

/// A module that hears nothing of the link, only what is meant for it.
async fn asker(hub: &EdgeHub) -> Module {
    hub.join("eventbus", &[]).await.unwrap()
}

async fn answer(server: &CloudServer, request: &Message) {
    let id = format!("answer to {}", request.msg_id());
    let draft = Draft::response_to(request, &id, request.timestamp());
    let answer = Draft { content: Content::Text("value"), ..draft }.encode().unwrap();
    server.send(NODE, answer, Delivery::Unacknowledged).await.unwrap();
}

/// Nothing else has come than what is sent now: no answer is given twice, or to nobody.
async fn hears_nothing_else(server: &CloudServer, module: &Module) {
    let marker = from_cloud(9, "router_eventbus", "user", "marker");
    server.send(NODE, marker, Delivery::Unacknowledged).await.unwrap();
    assert_eq!(module.receive().await.unwrap().resource(), "marker");
}

#[test]
fn a_request_ends_with_the_hub() {
    smol::block_on(async {
        let (_loopback, server, edge) = pair_over(LANE, config()).await;
        let module = asker(&edge.hub).await;
        let request = query(&module);
        let stop = async {
            server.receive().await.unwrap();
            edge.hub.shutdown().await.unwrap();
        };
        let (ended, ()) = zip(module.request(&request, None), stop).await;
        let Err(RequestError::Failed(told)) = ended else { panic!("{ended:?}") };
        assert!(told.content().contains("rejected"), "{told:?}");
        assert_eq!(module.request(&request, None).await, Err(RequestError::Stopped));
    });
}

#[test]
fn a_request_survives_its_link() {
    smol::block_on(async {
        let (_loopback, server, edge) = pair_over(LANE, config()).await;
        let module = asker(&edge.hub).await;
        edge.link_up().await;
        let request = query(&module);
        let answering = async {
            server.receive().await.unwrap();
            server.cut_all().await.unwrap();
            edge.link_up().await;
            // Nothing confirmed the request, or it would not be sent again; one more message says that a session stands.
            module.send(module.compose("resource", "update", "x", &1).unwrap()).await.unwrap();
            while server.receive().await.unwrap().1.resource() != "x" {}
            answer(&server, &request).await;
            answer(&server, &request).await;
        };
        let (ended, ()) = zip(module.request(&request, None), answering).await;
        assert_eq!(ended.unwrap().content(), "\"value\"");
        hears_nothing_else(&server, &module).await;
    });
}

#[test]
fn a_request_that_nobody_waits_for_is_answered_to_nobody() {
    smol::block_on(async {
        let (_loopback, server, edge) = pair_over(LANE, config()).await;
        let module = asker(&edge.hub).await;
        edge.link_up().await;
        let request = query(&module);
        {
            let mut given_up = Box::pin(module.request(&request, None));
            assert!(poll_once(&mut given_up).await.is_none());
        }
        server.receive().await.unwrap();
        answer(&server, &request).await;
        hears_nothing_else(&server, &module).await;
        // Its id is free again.
        let answering = async {
            server.receive().await.unwrap();
            answer(&server, &request).await;
        };
        let (ended, ()) = zip(module.request(&request, None), answering).await;
        assert_eq!(ended.unwrap().content(), "\"value\"");
    });
}

#[test]
fn of_two_requests_with_one_id_one_waits() {
    smol::block_on(async {
        let (_loopback, server, edge) = pair_over(LANE, config()).await;
        let module = asker(&edge.hub).await;
        edge.link_up().await;
        let request = query(&module);
        let second = async {
            server.receive().await.unwrap();
            assert_eq!(module.request(&request, None).await, Err(RequestError::IdTaken));
            answer(&server, &request).await;
        };
        let (ended, ()) = zip(module.request(&request, None), second).await;
        assert_eq!(ended.unwrap().content(), "\"value\"");
        hears_nothing_else(&server, &module).await;
    });
}
