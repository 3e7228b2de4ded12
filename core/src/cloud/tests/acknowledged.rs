//! Acknowledged delivery.

use super::super::*;
use super::script::{Script, keepalive, message, response};
use crate::message::{Draft, Message};

fn version(msg_id: &str, resource: &str, resource_version: &str) -> Message {
    Draft { msg_id, operation: "update", resource, resource_version, ..Draft::default() }.encode().unwrap()
}

/// No keepalive expires in these scripts.
fn patient() -> Script {
    Script::with(CloudConfig {
        keepalive_timeout: core::time::Duration::from_secs(3600),
        ..CloudConfig::default()
    })
}

#[test]
fn one_message_is_in_flight_and_its_response_brings_the_next() {
    let mut script = Script::new();
    script.at(0).connect(1, "a").send("a", message("m")).send("a", message("n")).expect(&["write 1 m"]);
    script.receive(1, response("m", "response")).expect(&["acknowledged a m", "write 1 n"]);
    script.receive(1, response("n", "response")).expect(&["acknowledged a n"]);
    assert_eq!(script.cloud.account().down.settled, 2);
}

#[test]
fn it_is_written_five_times_every_five_seconds_and_then_requeued() {
    let mut script = patient();
    script.at(0).connect(1, "a").send("a", message("m")).send("a", message("n")).expect(&["write 1 m"]);
    for second in [5, 10, 15, 20] {
        script.expect_deadline(Some((second * 1000, CloudTimer::Resend)));
        script.at(second * 1000 - 1).tick().expect(&[]);
        script.at(second * 1000).tick().expect(&["write 1 m"]);
    }
    script.at(24_999).tick().expect(&[]);
    script.at(25_000).tick();
    script.expect_note(CloudNote::Requeued { node: "a".into(), msg_id: "m".into() }).expect(&["write 1 n"]);
    script.receive(1, response("n", "response")).expect(&["acknowledged a n", "write 1 m"]);
    assert_eq!((script.cloud.account().resends, script.cloud.account().requeues), (4, 1));
}

#[test]
fn what_is_outdated_does_not_go_behind_the_newer_version() {
    let mut script = patient();
    let (old, new) = (version("m", "r", "1"), version("n", "r", "2"));
    script.at(0).connect(1, "a").send("a", old).send("a", new).expect(&["write 1 m"]);
    for second in [5, 10, 15, 20] {
        script.at(second * 1000).tick().expect(&["write 1 m"]);
    }
    let (node, msg_id) = ("a".into(), "m".into());
    script.at(25_000).tick();
    script.expect_note(CloudNote::Dropped { node, msg_id, reason: CloudDropReason::OlderVersion });
    script.expect(&["write 1 n"]);
    script.receive(1, response("n", "response")).expect(&["acknowledged a n"]);
    assert_eq!((script.cloud.account().requeues, script.cloud.account().down.pending), (0, 0));
}

#[test]
fn a_late_tick_resends_once() {
    let mut script = patient();
    script.at(0).connect(1, "a").send("a", message("m")).expect(&["write 1 m"]);
    script.at(23_000).tick().expect(&["write 1 m"]).expect_deadline(Some((28_000, CloudTimer::Resend)));
}

#[test]
fn a_late_tick_ends_a_silent_session_without_resending() {
    let mut script = Script::new();
    script.at(0).connect(1, "a").send("a", message("m")).expect(&["write 1 m"]);
    script.at(30_000).tick().expect(&["close 1 KeepaliveExpired"]);
}

#[test]
fn any_response_with_the_parent_counts_and_an_error_never_does() {
    let mut script = patient();
    script.at(0).connect(1, "a").send("a", message("m")).expect(&["write 1 m"]);
    script.receive(1, response("m", "error")).expect(&["upstream a r-m"]);
    script.receive(1, response("x", "response")).receive(1, response("", "response"));
    script.expect(&["upstream a r-x", "upstream a r-"]);
    script.at(5000).tick().expect(&["write 1 m"]);
    let odd =
        Draft { parent_msg_id: "m", operation: "response", source: "who", group: "what", ..Draft::default() };
    script.receive(1, odd.encode().unwrap()).expect(&["acknowledged a m"]);
}

#[test]
fn another_nodes_response_does_not_count() {
    let mut script = Script::new();
    script.at(0).connect(1, "a").connect(2, "b").send("a", message("m")).expect(&["write 1 m"]);
    script.receive(2, response("m", "response")).expect(&["upstream b r-m"]);
    script.receive(1, response("m", "response")).expect(&["acknowledged a m"]);
}

#[test]
fn a_response_that_comes_after_the_requeue_ends_the_delivery_too() {
    let mut script = patient();
    script.at(0).connect(1, "a").send("a", message("m")).send("a", message("n"));
    for second in [5, 10, 15, 20, 25] {
        script.at(second * 1000).tick();
    }
    script.expect(&["write 1 m", "write 1 m", "write 1 m", "write 1 m", "write 1 m", "write 1 n"]);
    script.at(26_000).receive(1, response("m", "response")).expect(&["acknowledged a m"]);
    script
        .receive(1, response("n", "response"))
        .expect(&["acknowledged a n"])
        .expect_deadline(Some((3_600_000, CloudTimer::Keepalive)));
}

#[test]
fn the_queue_outlives_sessions() {
    let mut script = Script::new();
    script.at(0).send("a", message("m")).send("a", message("n")).expect(&[]).expect_deadline(None);
    script.at(1000).connect(1, "a").expect(&["write 1 m"]);
    script.at(2000).close(1).expect(&[]).expect_deadline(None);
    script.at(60_000).connect(2, "a").expect(&["write 2 m"]);
    script.at(61_000).receive(2, response("m", "response")).expect(&["acknowledged a m", "write 2 n"]);
}

#[test]
fn a_resend_waits_for_the_window_and_the_session_still_ends() {
    let mut script = Script::new();
    script.at(0).connect(1, "a").send("a", message("m")).expect(&["write 1 m"]);
    for _ in 1..crate::limits::WRITE_WINDOW_MESSAGES {
        script.send_unacknowledged("a", message("f"));
    }
    assert_eq!(script.cloud.account().down.pending, 1);
    script.receive(1, keepalive());
    script.at(5000).tick().expect(&["write 1 f"; crate::limits::WRITE_WINDOW_MESSAGES - 1]);
    script.expect_deadline(Some((30_000, CloudTimer::Keepalive)));
    script.at(7000).flush(1, 1).expect(&["write 1 m"]).expect_deadline(Some((12_000, CloudTimer::Resend)));
}

#[test]
fn an_older_version_of_a_resource_is_discarded() {
    let mut script = Script::new();
    script.at(0).connect(1, "a").send("a", version("m", "cm", "1003")).expect(&["write 1 m"]);
    script.receive(1, response("m", "response")).expect(&["acknowledged a m"]);
    script
        .send("a", version("old", "cm", "999"))
        .expect_dropped("old", CloudDropReason::OlderVersion)
        .expect(&[]);
    script.close(1).connect(2, "a").send("a", version("old", "cm", "1002"));
    script.expect_dropped("old", CloudDropReason::OlderVersion).expect(&[]);
    script.send("a", version("other", "cm-b", "999")).expect(&["write 2 other"]);
    script.receive(2, response("other", "response")).expect(&["acknowledged a other"]);
    script.send("a", version("same", "cm", "1003")).expect(&["write 2 same"]);
}

#[test]
fn a_message_without_an_id_cannot_be_acknowledged() {
    let mut script = Script::new();
    script
        .at(0)
        .connect(1, "a")
        .send("a", message(""))
        .expect_dropped("", CloudDropReason::WithoutId)
        .expect(&[]);
}

#[test]
fn local_fields_do_not_travel() {
    let mut script = Script::new();
    let local = Draft { msg_id: "m", sync: true, destination: "x", ..Draft::default() }.encode().unwrap();
    script.at(0).connect(1, "a").cloud.handle(
        Now::default(),
        CloudInput::Send { node: "a".into(), message: local, delivery: Delivery::Acknowledged },
    );
    let Some(CloudOutput::Write { message, .. }) = script.cloud.poll_output() else { panic!("no write") };
    assert_eq!((message.is_sync(), message.destination()), (false, ""));
}
