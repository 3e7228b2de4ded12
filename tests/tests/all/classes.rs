//! Classes as scripts: what leaves, in which order, what does not, and what the sender is told.

use crate::script::Script;
use edgehub_core::class::{Class, Classes, Delivery, Overflow};
use edgehub_core::config::Rate;
use edgehub_core::hub::ReceiptId;
use edgehub_core::{Config, Content, Draft, LinkEvent, Message, ModuleEvent};
use std::time::Duration;

/// One class for everything.
fn only(class: Class) -> Config {
    let classes = Classes { classes: vec![class], rules: vec![], otherwise: 0 };
    Config { classes, rate: None, heartbeat: Duration::from_secs(600), ..Config::default() }
}

fn about(id: &str, resource: &str) -> Message {
    let content = Content::Text("0123456789");
    Draft { msg_id: id, source: "s", group: "g", operation: "update", resource, content, ..Draft::default() }
        .encode()
        .unwrap()
}

/// A hub without a link, and a module that asks what becomes of each of its messages.
fn offline(config: Config) -> Script {
    let mut script = Script::new(config);
    script.join(1, "m", &[], 100).seen();
    script
}

fn ask(script: &mut Script, id: &str, resource: &str) {
    let message = about(id, resource);
    let receipt = Some(ReceiptId(id.bytes().map(u64::from).sum()));
    script.module(1, ModuleEvent::Sent { message, timeout: None, receipt });
}

#[test]
fn the_newest_of_each_key_leaves_in_the_order_of_acceptance() {
    let mut script = offline(only(Class { coalesce: true, ..Class::default() }));
    for (id, resource) in [("a1", "a"), ("b1", "b"), ("a2", "a"), ("c1", "c"), ("a3", "a")] {
        ask(&mut script, id, resource);
    }
    script.expect(&[
        "receipt a1 Dropped { reason: Superseded, limit: None }",
        "receipt a2 Dropped { reason: Superseded, limit: None }",
    ]);
    script.link(LinkEvent::Opened).expect(&["write keepalive", "write b1", "write c1", "write a3"]);
    // What has been written is not superseded any more, not even when it is to be sent again.
    ask(&mut script, "a4", "a");
    script.expect(&["write a4"]);
    script.link(LinkEvent::Closed).seen();
    ask(&mut script, "a5", "a");
    script.expect(&[]);
    script.at(2000).link(LinkEvent::Opened);
    let seen = script.seen();
    let written: Vec<_> = seen.iter().filter(|line| line.starts_with("write")).collect();
    assert_eq!(written, ["write keepalive", "write b1", "write c1", "write a3", "write a4", "write a5"]);
}

#[test]
fn a_message_leaves_before_its_time_is_over_and_not_at_its_end() {
    let class = || Class { time_to_live: Some(Duration::from_millis(500)), ..Class::default() };
    let mut script = offline(only(class()));
    ask(&mut script, "a", "a");
    script.at_us(499_999).link(LinkEvent::Opened).expect(&["write keepalive", "write a"]);
    let mut script = offline(only(class()));
    ask(&mut script, "a", "a");
    script.at(500).expect(&["receipt a Dropped { reason: Expired, limit: None }"]);
    assert_eq!(script.hub.account().up.pending, 0);
}

#[test]
fn at_most_once_is_settled_with_the_writing_and_never_sent_again() {
    let mut script = offline(only(Class { delivery: Delivery::AtMostOnce, ..Class::default() }));
    ask(&mut script, "a", "a");
    script.link(LinkEvent::Opened).expect(&["write keepalive", "receipt a Written", "write a"]);
    assert_eq!(script.hub.account().up.pending, 0);
    script.link(LinkEvent::Closed).at(2000).link(LinkEvent::Opened);
    assert!(!script.seen().iter().any(|line| line.contains("write a")));
}

#[test]
fn a_pong_is_a_receipt() {
    let mut script = offline(only(Class::default()));
    ask(&mut script, "a", "a");
    script.link(LinkEvent::Opened).at(60).seen();
    script.pong().expect(&["receipt a Confirmed"]);
    script.pong().expect(&[]);
}

#[test]
fn what_has_no_room_is_dropped_as_its_class_says() {
    let check = |overflow, lines: &[&str]| {
        let mut script = offline(only(Class { messages: Some(2), overflow, ..Class::default() }));
        script.send(1, about("a", "a")).send(1, about("b", "b")).expect(&[]);
        script.send(1, about("c", "c"));
        script.expect(lines);
        ask(&mut script, "d", "d");
        let dropped = if overflow == Overflow::DropOldest { vec![] } else { vec!["receipt d"] };
        let seen = script.seen();
        assert_eq!(seen.len(), dropped.len(), "{seen:?}");
        assert!(script.hub.account().balanced() && script.hub.account().up.pending == 2);
    };
    check(Overflow::DropOldest, &[]);
    check(Overflow::DropNewest, &[]);
    // The sender learns of it, though it did not ask.
    check(Overflow::Reject, &["receipt c Dropped { reason: ClassFull, limit: None }"]);
}

#[test]
fn the_largest_message_passes_and_the_next_one_is_told_the_limit() {
    let bytes = about("a", "a").bytes();
    let mut script = offline(only(Class { message_bytes: Some(bytes), ..Class::default() }));
    ask(&mut script, "a", "a");
    script.expect(&[]);
    ask(&mut script, "a", "ab");
    script.expect(&[&format!("receipt a Dropped {{ reason: TooLargeForClass, limit: Some({bytes}) }}")]);
}

#[test]
fn a_first_priority_passes_the_others_and_an_equal_one_does_not() {
    let mut classes = Classes::default();
    classes.rules[4].group = Some("telemetry".into());
    let config = Config { classes, rate: Some(Rate { per_second: 1, burst: 10 }), ..Config::default() };
    let mut script = offline(config);
    let send = |script: &mut Script, id: &str, group: &str, operation: &str, parent: &str, sync: bool| {
        let draft = Draft { msg_id: id, group, operation, parent_msg_id: parent, sync, ..Draft::default() };
        script.send(1, draft.encode().unwrap());
    };
    send(&mut script, "upload", "telemetry", "upload", "", false);
    send(&mut script, "state", "resource", "update", "", false);
    send(&mut script, "query", "resource", "query", "", true);
    send(&mut script, "answer", "resource", "response", "1", false);
    let lines = ["write keepalive", "write answer", "write state", "write query", "write upload"];
    script.link(LinkEvent::Opened).expect(&lines);
}
