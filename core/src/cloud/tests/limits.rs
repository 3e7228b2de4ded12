//! What is bounded: the write window, the queues, the table of nodes.

use super::super::*;
use super::script::{Script, large, message, response};
use crate::limits::{CONTROL_QUEUE_MAX, WRITE_WINDOW_BYTES, WRITE_WINDOW_MESSAGES};
use crate::message::Draft;

#[test]
fn a_slow_node_is_written_one_window_and_no_more() {
    let mut script = Script::new();
    script.at(0).connect(1, "a");
    for _ in 0..WRITE_WINDOW_MESSAGES {
        script.send_unacknowledged("a", message("m"));
    }
    script.expect(&["write 1 m"; WRITE_WINDOW_MESSAGES]);
    script.send_unacknowledged("a", message("n")).send_unacknowledged("a", message("o")).expect(&[]);
    script.flush(1, 1).expect(&["write 1 n"]);
    script.flush(1, 200).expect(&["write 1 o"]);
}

#[test]
fn the_window_counts_bytes_and_lets_one_large_message_pass_alone() {
    let mut script = Script::new();
    script
        .at(0)
        .connect(1, "a")
        .send_unacknowledged("a", large("big", WRITE_WINDOW_BYTES))
        .expect(&["write 1 big"]);
    script.send_unacknowledged("a", message("m")).send("a", message("ack")).expect(&[]);
    script.flush(1, 1).expect(&["write 1 ack", "write 1 m"]);
    script.send_unacknowledged("a", large("big", WRITE_WINDOW_BYTES)).flush(1, 1).expect(&[]);
    script.flush(1, 1).expect(&["write 1 big"]);
}

#[test]
fn unacknowledged_messages_end_with_their_session() {
    let mut script = Script::new();
    script.at(0).connect(1, "a").send_unacknowledged("a", large("big", WRITE_WINDOW_BYTES));
    script.send_unacknowledged("a", message("m")).expect(&["write 1 big"]);
    script.close(1).expect_dropped("m", CloudDropReason::Disconnected).expect(&[]);
    script.send_unacknowledged("a", message("n")).expect_dropped("n", CloudDropReason::NotConnected);
    script.send_unacknowledged("b", message("o")).connect(2, "a").expect(&[]);
    let down = script.cloud.account().down;
    assert_eq!(down.dropped_for(CloudDropReason::NotConnected), 2);
    assert_eq!((down.accepted, down.settled, down.pending), (4, 1, 0));
}

#[test]
fn both_queues_are_bounded_in_messages() {
    let mut script = Script::with(CloudConfig { node_queue_messages_max: 2, ..CloudConfig::default() });
    script.at(0).send("a", message("m")).send("a", message("n")).expect(&[]);
    script.send("a", message("o")).expect_dropped("o", CloudDropReason::QueueFull);
    script.connect(1, "a").expect(&["write 1 m"]);
    script.send("a", message("p")).expect_dropped("p", CloudDropReason::QueueFull).expect(&[]);
    script.receive(1, response("m", "response")).send("a", message("q"));
    script.expect(&["acknowledged a m", "write 1 n"]);
    script.send_unacknowledged("a", large("big", WRITE_WINDOW_BYTES)).flush(1, 9).expect(&["write 1 big"]);
    script.send_unacknowledged("a", message("r")).send_unacknowledged("a", message("s")).expect(&[]);
    script.send_unacknowledged("a", message("t")).expect_dropped("t", CloudDropReason::QueueFull);
}

#[test]
fn queues_are_bounded_in_bytes() {
    let mut script = Script::with(CloudConfig { node_queue_bytes_max: 1000, ..CloudConfig::default() });
    script.at(0).send("a", large("m", 2000)).expect(&[]);
    script.send("a", message("n")).expect_dropped("n", CloudDropReason::QueueFull);
    script.connect(1, "a").receive(1, response("m", "response"));
    script.send("a", message("n")).expect(&["write 1 m", "acknowledged a m", "write 1 n"]);
}

#[test]
fn idle_nodes_make_room_and_waiting_ones_do_not() {
    let mut script = Script::with(CloudConfig { known_nodes_max: 2, ..CloudConfig::default() });
    script.at(0).send("b", message("m")).connect(1, "c").close(1).send("a", message("n"));
    script.expect_note(CloudNote::Forgotten { node: "c".into() }).expect(&[]);
    script.send("d", message("o")).connect(2, "d").expect(&["close 2 NodeLimit"]);
    assert_eq!(script.cloud.account().down.dropped_for(CloudDropReason::QueueFull), 1);
}

#[test]
fn a_node_that_asks_and_does_not_read_loses_its_oldest_answers() {
    let mut script = Script::new();
    script.at(0).connect(1, "a").send_unacknowledged("a", large("big", WRITE_WINDOW_BYTES));
    script.expect(&["write 1 big"]);
    let ping = |number: usize| {
        let msg_id = &*std::format!("p{number}");
        Draft { msg_id, operation: "ping", ..Draft::default() }.encode().unwrap()
    };
    for number in 0..=CONTROL_QUEUE_MAX {
        assert_eq!(script.cloud.account().answers_dropped, 0);
        script.receive(1, ping(number));
    }
    script.expect_note(CloudNote::AnswerDropped { node: "a".into() }).expect(&[]);
    script.cloud.handle(Now::default(), CloudInput::Flushed { connection: ConnectionId(1), messages: 1 });
    let Some(CloudOutput::Write { message, .. }) = script.cloud.poll_output() else { panic!("no answer") };
    assert_eq!(message.parent_msg_id(), "p1");
}
