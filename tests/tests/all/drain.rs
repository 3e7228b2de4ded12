//! The pace of a backlog, as scripts.

use crate::script::{Script, answer, message};
use edgehub_core::config::Drain;
use edgehub_core::{Config, Input, LinkEvent, Message};
use std::time::Duration;

const SPREAD_MS: u64 = 5_000;

fn config(drain: Option<Drain>) -> Config {
    Config { rate: None, heartbeat: Duration::from_secs(600), drain, ..Config::default() }
}

/// Four a second, one at a time, above ten messages.
fn slow() -> Option<Drain> {
    Some(Drain { per_second: 4, above: 10, spread: Duration::from_millis(SPREAD_MS) })
}

/// A hub that has gathered so many messages without a link, and has one now.
fn back(config: Config, backlog: usize) -> Script {
    let mut script = Script::new(config);
    script.join(1, "m", &[], 100);
    for number in 0..backlog {
        script.send(1, message(&number.to_string(), "g", "update"));
    }
    script.seen();
    script.link(LinkEvent::Opened);
    script
}

/// What is written when, in milliseconds, up to this moment; everything is flushed and answered at once.
fn written(script: &mut Script, until_ms: u64) -> Vec<(u64, String)> {
    let mut all = Vec::new();
    loop {
        let now = script.now().as_millis() as u64;
        script.flush().pong();
        all.extend(
            script.seen().iter().filter_map(|line| Some((now, line.strip_prefix("write ")?.to_string()))),
        );
        let next = script.deadline_us().unwrap_or(u64::MAX);
        if next > until_ms * 1000 {
            return all;
        }
        script.at_us(next);
    }
}

#[test]
fn a_short_backlog_leaves_at_once() {
    let mut script = back(config(slow()), 10);
    assert_eq!(written(&mut script, 0).len(), 11, "and a keepalive");
}

#[test]
fn a_long_one_begins_after_a_wait_of_its_own_and_leaves_at_its_pace() {
    let mut script = back(config(slow()), 11);
    let all = written(&mut script, 60_000);
    let ids: Vec<&str> = all.iter().map(|(_, id)| id.as_str()).collect();
    assert_eq!(ids[0], "keepalive");
    assert_eq!(ids[1..], (0..11).map(|number| number.to_string()).collect::<Vec<_>>());
    assert!(all[1].0 > 0 && all[1].0 < SPREAD_MS, "{all:?}");
    for pair in all[1..].windows(2) {
        assert_eq!(pair[1].0 - pair[0].0, 250, "{all:?}");
    }
}

#[test]
fn without_a_pace_it_leaves_at_once() {
    let mut script = back(config(None), 100);
    assert_eq!(written(&mut script, 0).len(), 101);
}

#[test]
fn control_passes_and_what_is_new_stays_behind() {
    let mut script = back(config(slow()), 11);
    script.send(1, answer("ack", "1")).send(1, message("new", "g", "update"));
    let at_once = written(&mut script, 0);
    assert_eq!(at_once.iter().map(|(_, id)| id.as_str()).collect::<Vec<_>>(), ["keepalive", "ack"]);
    let all = written(&mut script, 60_000);
    assert_eq!(all[10].1, "10");
    // Nothing is left before it: it needs no turn of its own.
    assert_eq!(all[11], (all[10].0, "new".into()));
    script.send(1, message("later", "g", "update"));
    assert_eq!(written(&mut script, 60_000).len(), 1);
}

#[test]
fn a_shutdown_does_not_wait_for_it() {
    let mut script = back(config(slow()), 20);
    script.input(Input::Shutdown);
    assert_eq!(written(&mut script, 0).len(), 21);
}

#[test]
fn modules_need_not_wait_for_it() {
    let mut script = back(config(slow()), 2000);
    assert!(script.hub.takes_messages(), "a backlog at its pace is not a link that does not keep up");
    script.input(Input::Reconfigure(Box::new(config(None))));
    let unhurried: Message = message("x", "g", "update");
    script.send(1, unhurried);
    assert_eq!(script.hub.link_state(), edgehub_core::hub::LinkState::Up);
}

#[test]
fn each_link_draws_a_wait_of_its_own() {
    let begin = |cuts: usize| {
        let mut script = back(config(slow()), 20);
        for _ in 0..cuts {
            script.link(LinkEvent::Closed);
            while script.hub.link_state() != edgehub_core::hub::LinkState::Opening {
                let next = script.deadline_us().unwrap();
                script.at_us(next);
            }
            script.seen();
            script.link(LinkEvent::Opened);
        }
        let up = script.now().as_millis() as u64;
        written(&mut script, 60_000).into_iter().find(|(_, id)| id == "0").map(|(at, _)| at - up).unwrap()
    };
    let begins: Vec<u64> = (0..4).map(begin).collect();
    assert!(begins.iter().all(|at| *at < SPREAD_MS), "{begins:?}");
    assert!(begins.windows(2).any(|pair| pair[0] != pair[1]), "{begins:?}");
}
