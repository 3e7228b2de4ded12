//! A message that the cloud sends again: delivered once, and acknowledged again.

use crate::script::{Script, message};
use edgehub_core::hub::DropReason;
use edgehub_core::{Acknowledge, Config, Draft, DuplicateWindow, Message, ModuleEvent, Profile};
use std::time::Duration;

fn config(messages: usize, seconds: u64) -> Config {
    let duplicate_window = DuplicateWindow { messages, time: Duration::from_secs(seconds) };
    Config {
        rate: None,
        heartbeat: Duration::from_secs(10_000),
        ping_interval: Duration::from_secs(10_000),
        duplicate_window,
        ..Config::default()
    }
}

fn by_hub(config: Config) -> Config {
    Config { acknowledge: [("resource".into(), Acknowledge::Hub)].into(), ..config }
}

fn update(id: &str) -> Message {
    message(id, "resource", "update")
}

fn acknowledgement(id: &str, parent: &str) -> Message {
    let draft = Draft {
        msg_id: id,
        parent_msg_id: parent,
        group: "resource",
        operation: "response",
        source: "metaManager",
        ..Draft::default()
    };
    draft.encode().unwrap()
}

/// What came out since the last look, pings aside; in short: `a to 1`, `x` for what is written, `ok of a`.
#[track_caller]
fn check(script: &mut Script, expected: &str) {
    let seen = script.seen().into_iter().filter(|line| line != "ping");
    let short: Vec<_> = seen.map(|line| line.replace("deliver ", "").replace("write ", "")).collect();
    assert_eq!(short.join(", "), expected, "at {:?}", script.now());
    assert!(script.hub.account().balanced());
}

fn called_duplicates(script: &Script) -> u64 {
    script.hub.account().down.dropped_for(DropReason::Duplicate)
}

fn ready(script: &mut Script, module: u32, credit: u32) {
    script.module(module, ModuleEvent::Ready { credit });
}

#[test]
fn a_module_acknowledges_and_the_hub_repeats_it() {
    let mut script = Script::up(config(8, 60));
    script.join(1, "metaManager", &["meta"], 8);
    script.receive(update("a"));
    check(&mut script, "a to 1");
    // Not acknowledged yet: the module has it and will do so.
    script.at(5_000).receive(update("a"));
    check(&mut script, "");
    script.send(1, acknowledgement("x", "a"));
    check(&mut script, "x");
    script.at(10_000).receive(update("a"));
    check(&mut script, "ok of a");
    assert_eq!(called_duplicates(&script), 2);
}

#[test]
fn the_window_ends_by_time_and_by_number() {
    let mut script = Script::up(config(2, 60));
    script.join(1, "metaManager", &["meta"], 8);
    script.receive(update("a")).at_us(59_999_999).receive(update("a"));
    check(&mut script, "a to 1");
    script.at(60_000).receive(update("a"));
    check(&mut script, "a to 1");
    script.receive(update("b")).receive(update("a"));
    check(&mut script, "b to 1");
    script.receive(update("c")).receive(update("a"));
    check(&mut script, "c to 1, a to 1");
}

#[test]
fn without_a_window_everything_is_new() {
    let mut script = Script::up(by_hub(config(0, 60)));
    script.join(1, "metaManager", &["meta"], 8);
    script.receive(update("a")).receive(update("a"));
    check(&mut script, "a to 1, ok of a, a to 1, ok of a");
}

#[test]
fn the_hub_acknowledges_once_it_is_delivered() {
    let mut script = Script::up(by_hub(config(8, 60)));
    script.join(1, "metaManager", &["meta"], 0);
    // It waits in the inbox: neither delivered nor acknowledged, and no reason to queue another one.
    script.receive(update("a")).receive(update("a"));
    check(&mut script, "");
    ready(&mut script, 1, 1);
    check(&mut script, "a to 1, ok of a");
    script.receive(update("a"));
    check(&mut script, "ok of a");
    assert_eq!(called_duplicates(&script), 2);
}

#[test]
fn a_request_of_the_cloud_is_left_to_the_module() {
    let mut script = Script::up(by_hub(config(8, 60)));
    script.join(1, "metaManager", &["meta"], 8);
    let request = Draft {
        msg_id: "q",
        group: "resource",
        operation: "query",
        source: "edgecontroller",
        sync: true,
        ..Draft::default()
    };
    script.receive(request.encode().unwrap());
    check(&mut script, "q to 1");
}

#[test]
fn who_lacks_it_gets_it_the_next_time() {
    let config = Config {
        profile: Profile::Classic,
        acknowledge: [("user".into(), Acknowledge::Hub)].into(),
        stall_limit: Duration::from_secs(30),
        ..config(8, 600)
    };
    let mut script = Script::up(config);
    script.join(1, "eventbus", &["bus"], 8).join(2, "servicebus", &["bus"], 0);
    script.receive(message("a", "user", "upload"));
    check(&mut script, "a to 1");
    // The second one stalls, and its copy is dropped: nothing is acknowledged.
    script.at(30_000);
    assert_eq!(script.hub.account().down.dropped_for(DropReason::ModuleStalled), 1);
    check(&mut script, "");
    ready(&mut script, 2, 1);
    script.receive(message("a", "user", "upload"));
    check(&mut script, "a to 2, ok of a");
    assert_eq!(called_duplicates(&script), 1);
}

#[test]
fn what_a_module_took_with_it_comes_to_the_next_one() {
    let mut script = Script::up(config(8, 60));
    script.join(1, "metaManager", &["meta"], 8);
    script.receive(update("a")).receive(update("b")).send(1, acknowledgement("x", "b"));
    check(&mut script, "a to 1, b to 1, x");
    script.module(1, ModuleEvent::Left).join(2, "metaManager", &["meta"], 8);
    script.receive(update("a")).receive(update("b"));
    check(&mut script, "a to 2, ok of b");
}

#[test]
fn answers_and_messages_without_an_id_are_not_known_again() {
    let mut script = Script::up(config(8, 60));
    script.join(1, "twin", &["twin"], 8);
    let answer = Draft {
        msg_id: "a",
        parent_msg_id: "p",
        group: "twin",
        operation: "response",
        source: "devicecontroller",
        ..Draft::default()
    };
    let answer = answer.encode().unwrap();
    script.receive(answer.clone()).receive(answer);
    script.receive(message("", "twin", "update")).receive(message("", "twin", "update"));
    check(&mut script, "a to 1, a to 1,  to 1,  to 1");
    assert_eq!(called_duplicates(&script), 0);
}
