//! The known defects of the original, each as a timeline in which it cannot happen. Times are milliseconds.

use crate::script::{Script, answer, message, request};
use edgehub_core::config::Rate;
use edgehub_core::hub::{DropReason, LinkState, TimerKind};
use edgehub_core::{Config, Input, LinkEpoch, LinkEvent, ModuleEvent, Note};
use std::collections::BTreeSet;
use std::time::Duration;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Nothing but what the script says: no keepalive, no ping and no limit come in between.
fn quiet() -> Config {
    Config {
        heartbeat: secs(1_000_000),
        ping_interval: secs(1_000_000),
        barrier_after: secs(1_000_000),
        barrier_messages: 1_000_000,
        rate: None,
        ..Config::default()
    }
}

/// D1: the waiter is registered before the request can leave, so no answer is too fast.
#[test]
fn d1_an_answer_at_the_very_instant_of_the_request_finds_its_waiter() {
    let mut script = Script::up(quiet());
    script.join(1, "edged", &[], 10).join(2, "metamanager", &["meta"], 10);
    script.at(105).send(1, request("q")).expect(&["write q"]);
    script.receive(answer("a", "q")).expect(&["deliver a to 1"]);
    assert_eq!(script.hub.pending_requests(), 0);
    // The same answer again is late: it has nobody to go to, and that is counted.
    script.at(106).receive(answer("a", "q")).expect(&[]);
    assert_eq!(script.hub.account().down.dropped_for(DropReason::NoWaiter), 1);
}

/// D2: what was taken while the link was down, or written into a dying one, is sent by the next link, in order and with
/// its old id; the old link takes nothing more.
#[test]
fn d2_unconfirmed_messages_leave_again_on_the_next_link() {
    let mut script = Script::up(quiet());
    script.join(1, "edged", &[], 10);
    script.at(100).send(1, message("m1", "resource", "update")).expect(&["write m1"]);
    script.at(110).send(1, message("m2", "resource", "update")).expect(&["write m2"]).flush();
    script.at(120).link(LinkEvent::Closed).expect(&[]);
    script.at(130).send(1, message("m3", "resource", "update")).expect(&[]);
    assert_eq!(script.hub.account().up.pending, 3);
    script.at(1200).expect(&["open 2"]);
    script.at(1250).link(LinkEvent::Opened).expect(&["write keepalive", "write m1", "write m2", "write m3"]);
    script.at(1260).input(Input::Link { epoch: LinkEpoch(1), event: LinkEvent::Pong(1) }).expect(&[]);
    assert_eq!(script.hub.account().up.pending, 3, "the old link confirms nothing");
}

/// D2: what a pong confirmed is not sent again.
#[test]
fn d2_confirmed_messages_do_not_leave_again() {
    let mut script = Script::up(Config { barrier_after: Duration::from_millis(50), ..quiet() });
    script.at(60).expect(&["ping"]).pong();
    script.join(1, "edged", &[], 10);
    script.at(100).send(1, message("m1", "resource", "update")).expect(&["write m1"]);
    script.at(150).expect(&["ping"]);
    script.at(160).send(1, message("m2", "resource", "update")).expect(&["write m2"]);
    script.at(170).pong().link(LinkEvent::Closed);
    script.at(1200).expect(&["open 2"]).link(LinkEvent::Opened).expect(&["write keepalive", "write m2"]);
}

/// D3: a full inbox stops the reading of the link; nothing is discarded in silence.
#[test]
fn d3_a_full_inbox_is_backpressure() {
    let mut script = Script::up(quiet());
    script.join(1, "metamanager", &["meta"], 0);
    for number in 0..255 {
        script.receive(message(&format!("m{number}"), "resource", "insert"));
    }
    script.expect(&[]).receive(message("m255", "resource", "insert")).expect(&["pause"]);
    assert_eq!((script.hub.account().down.pending, script.hub.account().down.dropped()), (256, 0));
    script.module(1, ModuleEvent::Ready { credit: 191 });
    assert!(!script.seen().contains(&"resume".into()));
    script.module(1, ModuleEvent::Ready { credit: 1 }).expect(&["deliver m191 to 1", "resume"]);
}

/// D4: a half-open link is noticed within `ping_interval × (ping_misses + 1)`.
#[test]
fn d4_a_silent_link_is_lost_in_time() {
    let mut script =
        Script::up(Config { ping_interval: secs(5), ping_misses: 3, heartbeat: secs(1000), ..quiet() });
    script.at(4_999).expect(&[]).at(5_000).expect(&["ping"]).at(6_000).pong();
    // The last sign of life came at 6 s: 26 s is the bound.
    script.at_us(25_999_999).expect(&["ping", "ping", "ping", "ping"]);
    script.at(26_000).expect(&["close 1"]);
    assert_eq!(script.hub.link_state(), LinkState::Waiting);
}

/// D4: any message is a sign of life, but a peer that answers no ping is given up after the longer limit.
#[test]
fn d4_a_link_that_talks_lives() {
    let patient = Config { ping_interval: secs(5), pong_limit: secs(300), heartbeat: secs(1000), ..quiet() };
    let mut script = Script::up(patient);
    for second in (0..=304).step_by(19) {
        script.at(second * 1000).receive(message("m", "resource", "insert"));
    }
    assert!(script.seen().iter().all(|line| line == "ping"));
    let stalled: Vec<Note> =
        script.notes().into_iter().filter(|note| matches!(note, Note::PeerStalled { .. })).collect();
    assert_eq!(stalled.len(), 1, "said once");
    // The first ping was sent at 5 s.
    script.at_us(304_999_999).expect(&[]).at(305_000).expect(&["ping", "close 1"]);
    assert_eq!(script.hub.link_state(), LinkState::Waiting);
}

/// D4: the way to the cloud works as long as its machine takes what is written.
#[test]
fn d4_a_link_that_carries_lives() {
    let mut script = Script::up(Config { ping_interval: secs(5), heartbeat: secs(1000), ..quiet() });
    for second in (0..100).step_by(19) {
        script.at(second * 1000).link(LinkEvent::Progress);
    }
    assert!(script.seen().iter().all(|line| line == "ping"));
    assert_eq!(script.hub.link_state(), LinkState::Up);
}

/// D4: a machine that slept asks before it gives up.
#[test]
fn d4_after_a_suspend_the_link_gets_one_more_chance() {
    let mut script =
        Script::up(Config { ping_interval: secs(5), ping_misses: 3, heartbeat: secs(1000), ..quiet() });
    let day = 86_400_000_000;
    // One late tick, no stops on the way: asleep.
    script.hub.handle(edgehub_core::Now::new(day, 0), Input::Tick);
    script.at_us(day).expect(&["ping", "write keepalive"]);
    script.at_us(day + 4_999_999).expect(&[]).at_us(day + 5_000_000).expect(&["close 1"]);
}

/// D5: nodes of a restarted cloud come back spread over a growing range.
#[test]
fn d5_waits_grow_and_differ_from_node_to_node() {
    let mut first_waits = BTreeSet::new();
    for seed in 0..100 {
        let mut hub = edgehub_core::Hub::new(Config::default(), seed, edgehub_core::Now::default());
        let mut now = edgehub_core::Now::default();
        let mut waits = Vec::new();
        for _ in 0..12 {
            let epoch = hub.epoch();
            hub.handle(now, Input::Link { epoch, event: LinkEvent::OpenFailed });
            let deadline = hub.next_deadline().unwrap();
            assert_eq!(deadline.kind, TimerKind::Backoff);
            waits.push(deadline.at.since(now.mono));
            now.mono = deadline.at;
            hub.handle(now, Input::Tick);
        }
        first_waits.insert(waits[0]);
        for (failures, wait) in waits.iter().enumerate() {
            let longest = secs(1 << failures.min(6)).min(secs(60));
            assert!((Duration::from_millis(100)..=longest).contains(wait), "{waits:?}");
        }
    }
    assert!(first_waits.len() > 95, "{} of 100 nodes wait differently", first_waits.len());
}

/// D6: two failures of one link are one reconnect, and what the old link still says is nothing.
#[test]
fn d6_two_failures_at_once_reconnect_once() {
    let mut script = Script::up(quiet());
    let old = LinkEpoch(1);
    script.at(100).link(LinkEvent::Closed).expect(&[]);
    let due = script.deadline_us();
    script.at(100).link(LinkEvent::Closed).link(LinkEvent::OpenFailed).expect(&[]);
    assert_eq!(script.deadline_us(), due, "the second failure waits for nothing of its own");
    script.at(1200).expect(&["open 2"]);
    for event in [LinkEvent::Closed, LinkEvent::OpenFailed, LinkEvent::Opened] {
        script.input(Input::Link { epoch: old, event }).expect(&[]);
    }
    assert_eq!((script.hub.link_state(), script.hub.epoch()), (LinkState::Opening, LinkEpoch(2)));
}

/// D7: an answer finds its requester although the requester is not ready, and does not get lost behind what waits.
#[test]
fn d7_an_answer_reaches_a_module_that_is_busy() {
    let mut script = Script::up(quiet());
    script.join(1, "metamanager", &["meta"], 0);
    script.at(10).receive(message("m1", "resource", "insert")).expect(&[]);
    script.at(20).send(1, request("q")).expect(&["write q"]);
    script.at(30).receive(answer("a", "q")).expect(&["deliver a to 1"]);
    script.at(40).module(1, ModuleEvent::Ready { credit: 5 }).expect(&["deliver m1 to 1"]);
}

/// D7: two requests at one time each get their own answer, in whatever order the answers come.
#[test]
fn d7_every_request_gets_its_own_answer() {
    let mut script = Script::up(quiet());
    script.join(1, "a", &[], 10).join(2, "b", &[], 10);
    script.send(1, request("q1")).send(2, request("q2")).expect(&["write q1", "write q2"]);
    script.receive(answer("a2", "q2")).receive(answer("a1", "q1"));
    script.expect(&["deliver a2 to 2", "deliver a1 to 1"]);
}

/// D7: past its deadline a request ends with an error, at the deadline and not before.
#[test]
fn d7_a_request_that_is_not_answered_ends_in_an_error() {
    let mut script = Script::up(Config { sync_timeout: secs(60), ..quiet() });
    script.join(1, "edged", &[], 10);
    script.at(1000).send(1, request("q")).expect(&["write q"]);
    script.at_us(60_999_999).expect(&[]).at(61_000).expect(&["deliver error for q to 1"]);
    script.receive(answer("a", "q")).expect(&[]);
}

/// D8: acknowledgements and keepalives leave at once while bulk waits for the rate limit.
#[test]
fn d8_acknowledgements_overtake_throttled_bulk() {
    let rate = Some(Rate { per_second: 1, burst: 2 });
    let mut script = Script::up(Config { rate, heartbeat: secs(3), ..quiet() });
    script.join(1, "edged", &[], 10);
    for id in ["b1", "b2", "b3", "b4"] {
        script.at(0).send(1, message(id, "resource", "update"));
    }
    script.expect(&["write b1", "write b2"]);
    script.at(10).send(1, answer("ack", "some")).expect(&["write ack"]);
    script.at(20).receive(message("p", "resource", "ping")).expect(&["write ack of p"]);
    script
        .at(1000)
        .expect(&["write b3"])
        .at(2000)
        .expect(&["write b4"])
        .at(3000)
        .expect(&["write keepalive"]);
}

/// D9: a module that takes nothing hurts itself only.
#[test]
fn d9_a_stalled_module_is_emptied_and_the_others_go_on() {
    let mut script = Script::up(Config { stall_limit: secs(30), ..quiet() });
    script.join(1, "slow", &["twin"], 0).join(2, "fast", &["meta"], 1000);
    for number in 0..256 {
        script.at(100).receive(message(&format!("t{number}"), "twin", "updated"));
    }
    script.expect(&["pause"]).at_us(30_099_999).expect(&[]).at(30_100).expect(&["resume"]);
    assert_eq!(script.hub.account().down.dropped_for(DropReason::ModuleStalled), 256);
    script.receive(message("m", "resource", "insert")).expect(&["deliver m to 2"]);
    script.receive(message("t", "twin", "updated")).expect(&[]);
    script.module(1, ModuleEvent::Ready { credit: 2 }).receive(message("t", "twin", "updated"));
    script.expect(&["deliver t to 1"]);
}

/// D11: a module that takes one message now and then keeps the link unread for the stall limit and no longer.
#[test]
fn d11_a_dripping_module_does_not_make_the_hub_deaf() {
    let mut script = Script::up(Config { stall_limit: secs(30), ..quiet() });
    script.join(1, "dripping", &["twin"], 0);
    for number in 0..256 {
        script.receive(message(&format!("t{number}"), "twin", "updated"));
    }
    script.expect(&["pause"]);
    for second in 1..30 {
        script.at(second * 1000).module(1, ModuleEvent::Ready { credit: 1 });
        script.expect(&[&format!("deliver t{} to 1", second - 1)]);
    }
    script.at_us(29_999_999).expect(&[]).at(30_000).expect(&["resume"]);
    assert!(script.notes().iter().any(|note| matches!(note, Note::ModuleStalled { .. })));
    assert_eq!(script.now(), secs(30));
}
