//! How sessions begin and end.

use super::super::*;
use super::script::{Script, keepalive, message};
use crate::violation::Violation;

#[test]
fn a_session_without_a_keepalive_ends_after_the_timeout() {
    let mut script = Script::new();
    script.at(1000).connect(1, "a").expect(&[]).expect_deadline(Some((31_000, CloudTimer::Keepalive)));
    script.at(30_999).tick().expect(&[]);
    script.at(31_000).tick().expect(&["close 1 KeepaliveExpired"]).expect_deadline(None);
}

#[test]
fn only_keepalives_extend_a_session() {
    let mut script = Script::new();
    script.at(0).connect(1, "a");
    script.at(10_000).receive(1, keepalive()).expect(&[]);
    script.at(20_000).receive(1, message("u")).expect(&["upstream a u"]);
    script.at(39_999).tick().expect(&[]);
    script.at(40_000).tick().expect(&["close 1 KeepaliveExpired"]);
}

#[test]
fn a_keepalive_that_was_read_late_still_counts() {
    let mut script = Script::new();
    script.at(0).connect(1, "a");
    script.at(90_000).receive(1, keepalive()).tick().expect(&[]);
    script.expect_deadline(Some((120_000, CloudTimer::Keepalive)));
}

#[test]
fn a_newer_connection_replaces_the_session_of_its_node() {
    let mut script = Script::new();
    script.at(0).connect(1, "a").connect(2, "b").connect(3, "a").expect(&["close 1 Replaced"]);
    script.receive(1, message("u1")).expect_note(CloudNote::StaleConnection { connection: ConnectionId(1) });
    script.close(1).flush(1, 1).malformed(1, Violation::Empty).expect(&[]);
    script.receive(3, message("u3")).receive(2, message("u2")).expect(&["upstream a u3", "upstream b u2"]);
    script.send("a", message("m")).expect(&["write 3 m"]);
}

#[test]
fn a_replaced_session_hands_its_message_in_flight_to_the_next() {
    let mut script = Script::new();
    script.at(0).connect(1, "a").send("a", message("m")).send("a", message("n")).expect(&["write 1 m"]);
    script.at(1).connect(2, "a").expect(&["close 1 Replaced", "write 2 m"]);
}

#[test]
fn connection_numbers_only_rise() {
    let mut script = Script::new();
    script.at(0).connect(5, "a");
    for connection in [5, 4] {
        script.connect(connection, "b");
        script.expect_note(CloudNote::StaleConnection { connection: ConnectionId(connection) }).expect(&[]);
    }
    script.connect(6, "b").receive(6, message("u")).expect(&["upstream b u"]);
}

#[test]
fn the_node_limit_closes_the_connection_and_says_so() {
    let mut script = Script::with(CloudConfig { node_limit: 2, ..CloudConfig::default() });
    script.at(0).connect(1, "a").connect(2, "b").expect(&[]);
    script.connect(3, "c").expect(&["close 3 NodeLimit"]);
    script.receive(3, message("u")).close(3).expect(&[]);
    script.connect(4, "a").expect(&["close 1 Replaced"]);
    script.close(2).connect(5, "c").receive(5, message("u")).expect(&["upstream c u"]);
}

#[test]
fn a_node_that_cannot_be_remembered_is_told_too() {
    let mut script = Script::with(CloudConfig { known_nodes_max: 1, ..CloudConfig::default() });
    script.at(0).send("a", message("m")).connect(1, "b").expect(&["close 1 NodeLimit"]);
    script.connect(2, "a").expect(&["write 2 m"]);
}

#[test]
fn a_malformed_frame_closes_the_session() {
    let mut script = Script::new();
    script.at(0).connect(1, "a").send_unacknowledged("a", message("m")).expect(&["write 1 m"]);
    script.malformed(1, Violation::NotAnObject).expect(&["close 1 Violation(NotAnObject)"]);
    script.malformed(1, Violation::NotAnObject).receive(1, message("u")).expect(&[]);
    assert_eq!(script.cloud.account().violations, 1);
}

#[test]
fn shutdown_closes_everything_and_takes_nothing_more() {
    let mut script = Script::new();
    script.at(0).connect(1, "a").connect(2, "b").input(CloudInput::Shutdown);
    script.expect(&["close 1 Shutdown", "close 2 Shutdown"]).expect_deadline(None);
    script.connect(3, "a").expect(&["close 3 Shutdown"]);
    script.send("a", message("m")).expect_dropped("m", CloudDropReason::Shutdown);
    script.send_unacknowledged("a", message("n")).expect_dropped("n", CloudDropReason::Shutdown);
}

#[test]
fn a_clock_that_steps_back_stands_still() {
    let mut script = Script::new();
    script.at(50_000).connect(1, "a");
    script.at(10_000).receive(1, keepalive()).expect_deadline(Some((80_000, CloudTimer::Keepalive)));
    script.at(79_999).tick().expect(&[]);
    script.at(80_000).tick().expect(&["close 1 KeepaliveExpired"]);
}
