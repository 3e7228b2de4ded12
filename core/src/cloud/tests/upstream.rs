//! What becomes of received messages.

use super::super::*;
use super::script::{Script, message};
use crate::message::{Draft, Message};

fn control(operation: &str) -> Message {
    let (msg_id, source, group, resource) = ("c", "edged", "resource", "node");
    Draft { msg_id, source, group, operation, resource, ..Draft::default() }.encode().unwrap()
}

#[test]
fn everything_else_goes_to_the_cloud_modules_in_order() {
    let mut script = Script::new();
    script.at(0).connect(1, "a");
    script.receive(1, message("u")).receive(1, message("v")).expect(&["upstream a u", "upstream a v"]);
}

#[test]
fn link_control_is_answered_and_not_handed_on() {
    for operation in ["ping", "pong", "config"] {
        let mut script = Script::new();
        script.at(0).connect(1, "a").receive(1, control(operation));
        script.expect(&[r#"write 1 answer to c: "ack""#]);
    }
}

/// Recorded in `01-session.jsonl`: source `cloudhub`, group `resource`, content `""` without a configured CA.
#[test]
fn the_ca_certificate_is_answered_here() {
    let query = Draft {
        msg_id: "f77da452-a296-4620-b13b-2bc756da5271",
        source: "metamanager",
        group: "resource",
        operation: "query",
        resource: "k8s/ca.crt",
        ..Draft::default()
    };
    let mut cloud = CloudHub::new(CloudConfig::default(), 7, Now::default());
    let now = Now::new(0, 1_795_417_573_667);
    let (connection, message) = (ConnectionId(1), query.encode().unwrap());
    cloud.handle(now, CloudInput::Connected { connection, node: "a".into(), project: "p".into() });
    while cloud.poll_output().is_some() {}
    cloud.handle(now, CloudInput::Received { connection, message });
    let Some(CloudOutput::Write { message, .. }) = cloud.poll_output() else { panic!("no answer") };
    let recorded = r#"{"header":{"msg_id":"1244a5e9-1e43-48b5-86af-21ac37a7e07a","parent_msg_id":"f77da452-a296-4620-b13b-2bc756da5271","timestamp":1795417573667},"route":{"source":"cloudhub","group":"resource","operation":"response","resource":"k8s/ca.crt"},"content":""}"#;
    let answer = message.frame().replace(message.msg_id(), "1244a5e9-1e43-48b5-86af-21ac37a7e07a");
    assert_eq!(answer, recorded);
}

#[test]
fn the_configured_ca_certificate_is_the_content() {
    let mut script = Script::with(CloudConfig { ca_content: "PEM\n".into(), ..CloudConfig::default() });
    let query = |operation| {
        Draft { msg_id: "q", operation, resource: "k8s/ca.crt", ..Draft::default() }.encode().unwrap()
    };
    script.at(0).connect(1, "a").receive(1, query("query")).expect(&[r#"write 1 answer to q: "PEM\n""#]);
    script.receive(1, query("update")).expect(&["upstream a q"]);
}
