//! A module that only sends hears of what its class does not take, and a request is told with the limit.

use super::bench_of::{config, pair};
use edgehub::edge::{Rejection, RequestError};
use edgehub_core::Config;
use edgehub_core::class::{Class, Classes, Overflow, Rule};
use edgehub_core::hub::DropReason;

/// User uploads are refused when they do not fit, and so are all messages of more than 700 bytes.
fn refusing() -> Config {
    let own = Class { overflow: Overflow::Reject, bytes: Some(500), ..Class::default() };
    let small = Class { message_bytes: Some(700), ..Class::default() };
    let rule = Rule { group: Some("user".into()), class: 1, ..Rule::default() };
    Config { classes: Classes { classes: vec![small, own], rules: vec![rule], otherwise: 0 }, ..config() }
}

#[test]
fn a_module_that_only_sends_is_told_of_what_was_refused() {
    smol::block_on(async {
        let (_loopback, server, edge) = pair(refusing()).await;
        let (module, other) =
            (edge.hub.join("twin", &[]).await.unwrap(), edge.hub.join("x", &[]).await.unwrap());
        let compose = |bytes: usize| module.compose("user", "upload", "a/b", &"x".repeat(bytes)).unwrap();
        let large = compose(600);
        let msg_id: Box<str> = large.msg_id().into();
        module.send(large).await.unwrap();
        let told = module.rejected().await.unwrap();
        let expected =
            Rejection { msg_id: msg_id.clone(), reason: DropReason::ClassFull, limit: None, missed: 0 };
        assert_eq!(told, expected);
        assert_eq!(told.to_string(), format!("message {msg_id} is rejected: class full"));
        // What fits arrives, and who asked for a receipt is told there alone.
        module.send(compose(10)).await.unwrap();
        assert_eq!(server.receive().await.unwrap().1.content().len(), 12);
        let receipt = module.send_tracked(compose(600)).await.unwrap();
        let stage = receipt.settled().await.unwrap();
        assert!(format!("{stage:?}").contains("ClassFull"), "{stage:?}");
        let last = compose(601);
        let msg_id: Box<str> = last.msg_id().into();
        module.send(last).await.unwrap();
        assert_eq!(module.rejected().await.unwrap().msg_id, msg_id);
        edge.stop().await;
        assert_eq!(module.rejected().await, None);
        assert_eq!(other.rejected().await, None, "it was not the sender");
    });
}

#[test]
fn a_request_that_is_too_large_is_told_the_limit() {
    smol::block_on(async {
        let (_loopback, _server, edge) = pair(refusing()).await;
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
