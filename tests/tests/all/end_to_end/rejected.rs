//! A module that only sends hears of what its class does not take, and a request is told with the limit.

use super::LANE;
use super::bench_of::{NODE, any_port, config, pair_over, serve, server_options};
use edgehub::edge::{Rejection, RequestError};
use edgehub::loopback::Loopback;
use edgehub_core::Config;
use edgehub_core::class::{Class, Classes, Overflow};
use edgehub_core::hub::{DropReason, Stage};
use smol::net::TcpListener;

/// One class for all messages.
fn only(class: Class) -> Config {
    Config { classes: Classes { classes: vec![class], rules: vec![], otherwise: 0 }, ..config() }
}

#[test]
fn a_module_that_only_sends_is_told_of_what_was_refused() {
    smol::block_on(async {
        let loopback = Loopback::new().unwrap();
        let reserved = TcpListener::bind(any_port()).await.unwrap();
        let address = reserved.local_addr().unwrap();
        drop(reserved);
        let class = Class { overflow: Overflow::Reject, messages: Some(1), ..Class::default() };
        let edge = LANE.edge(loopback.ticket(address, NODE).unwrap(), only(class));
        let module = edge.hub.join("twin", &[]).await.unwrap();
        let other = edge.hub.join("other", &[]).await.unwrap();
        let compose = |number: u32| module.compose("user", "upload", "a/b", &number).unwrap();
        module.send(compose(1)).await.unwrap();
        let second = compose(2);
        let msg_id: Box<str> = second.msg_id().into();
        module.send(second).await.unwrap();
        let told = module.rejected().await.unwrap();
        assert_eq!(told.to_string(), format!("message {msg_id} is rejected: class full"));
        assert_eq!(told, Rejection { msg_id, reason: DropReason::ClassFull, limit: None, missed: 0 });
        // Who asked for a receipt is told there alone.
        let receipt = module.send_tracked(compose(3)).await.unwrap();
        assert_eq!(
            receipt.settled().await,
            Ok(Stage::Dropped { reason: DropReason::ClassFull, limit: None })
        );
        let fourth = compose(4);
        let msg_id: Box<str> = fourth.msg_id().into();
        module.send(fourth).await.unwrap();
        assert_eq!(module.rejected().await.unwrap().msg_id, msg_id);
        // And what was taken arrives.
        let server = serve(&loopback, address, server_options(&loopback)).await;
        assert_eq!(server.receive().await.unwrap().1.content(), "1");
        edge.stop().await;
        assert_eq!(module.rejected().await, None);
        assert_eq!(other.rejected().await, None, "it was not the sender");
    });
}

#[test]
fn a_request_that_is_too_large_is_told_the_limit() {
    smol::block_on(async {
        let class = Class { message_bytes: Some(700), ..Class::default() };
        let (_loopback, _server, edge) = pair_over(LANE, only(class)).await;
        let module = edge.hub.join("twin", &[]).await.unwrap();
        let question = module.compose("resource", "query", "a/b/c", &"x".repeat(800)).unwrap();
        let RequestError::Failed(answer) = module.request(&question, None).await.unwrap_err() else {
            panic!("not an answer");
        };
        let told = "\"rejected: larger than its class allows, which is 700 bytes\"";
        assert_eq!(answer.content(), told);
        edge.stop().await;
    });
}
