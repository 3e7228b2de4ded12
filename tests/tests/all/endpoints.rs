//! Several endpoints, as timelines: another one soon after a failure, the same one after a link that held, and the preferred
//! one again.

use crate::script::{Script, message};
use edgehub_core::config::{Choice, Endpoints};
use edgehub_core::hub::{LinkEnd, LinkState};
use edgehub_core::{Config, Input, LinkEvent, Note};
use std::time::Duration;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Three endpoints in order, whose first one is tried again after 100 s.
fn three() -> Config {
    Config {
        heartbeat: secs(1_000_000),
        cloud_keepalive: secs(9_000_000),
        ping_interval: secs(1_000_000),
        open_timeout: secs(10),
        backoff_base: secs(1),
        stable_after: secs(30),
        endpoints: Endpoints { weights: vec![1, 1, 1], choice: Choice::Ordered, return_after: secs(100) },
        ..Config::default()
    }
}

/// Moves on until the hub dials; returns what it dials and after how many milliseconds.
fn next_dial(script: &mut Script) -> (String, u128) {
    let begin = script.now();
    loop {
        if let Some(line) = script.seen().into_iter().find(|line| line.starts_with("open")) {
            let endpoint = line.split_once(" at ").map_or("0", |(_, endpoint)| endpoint);
            return (endpoint.into(), (script.now() - begin).as_millis());
        }
        let at = script.deadline_us().unwrap();
        script.at_us(at);
    }
}

/// An endpoint that swallows packets costs one handshake timeout and a second at most.
#[test]
fn another_endpoint_is_dialled_soon_after_a_failure() {
    let mut script = Script::new(three());
    assert_eq!(next_dial(&mut script), ("0".into(), 0));
    let (endpoint, after) = next_dial(&mut script);
    assert_eq!(endpoint, "1");
    assert!((10_100..=11_000).contains(&after), "{after} ms");
    let (endpoint, after) = next_dial(script.link(LinkEvent::OpenFailed));
    assert_eq!(endpoint, "2");
    assert!((100..=1_000).contains(&after), "{after} ms");
    assert_eq!(next_dial(script.link(LinkEvent::OpenFailed)).0, "0", "each has failed once");
}

#[test]
fn a_link_that_held_is_dialled_again_where_it_was() {
    let mut script = Script::new(three());
    script.seen();
    next_dial(script.link(LinkEvent::OpenFailed));
    script.link(LinkEvent::Opened).at(32_000).link(LinkEvent::Closed);
    assert_eq!(next_dial(&mut script).0, "1", "sticky");
    // One that drops at once is left for another.
    script.link(LinkEvent::Opened).link(LinkEvent::Closed);
    assert_eq!(next_dial(&mut script).0, "2", "the first one failed lately");
}

/// Whoever takes an endpoint out of the list wants nodes to leave it.
#[test]
fn a_link_to_what_another_list_does_not_have_is_left() {
    let mut script = Script::new(three());
    script.seen();
    next_dial(script.link(LinkEvent::OpenFailed));
    script.link(LinkEvent::Opened);
    let endpoints = Endpoints { weights: vec![1], ..three().endpoints };
    script.at(50_000).input(Input::Reconfigure(Box::new(Config { endpoints, ..three() })));
    script.notes();
    let (endpoint, after) = next_dial(&mut script);
    assert!(endpoint == "0" && (100_100..=126_000).contains(&after), "{endpoint} after {after} ms");
    let moved = |note: &Note| matches!(note, Note::LinkDown { end: LinkEnd::Moved, .. });
    assert!(script.notes().iter().any(moved));
}

/// The way back is made when nothing is unconfirmed, and later each time that it fails.
#[test]
fn the_preferred_endpoint_is_tried_again_without_flapping() {
    let mut script = Script::new(three());
    script.join(1, "edged", &[], 10).seen();
    let mut stayed = Vec::new();
    for _ in 0..5 {
        // The preferred endpoint opens and drops.
        script.link(LinkEvent::Opened).link(LinkEvent::Closed);
        assert_eq!(next_dial(&mut script).0, "1");
        script.link(LinkEvent::Opened).flush();
        let (endpoint, after) = next_dial(&mut script);
        assert_eq!(endpoint, "0");
        stayed.push(after / 1000);
        let moved = |note: &Note| matches!(note, Note::LinkDown { end: LinkEnd::Moved, .. });
        assert!(script.notes().iter().any(moved));
    }
    let at_least = [100, 200, 400, 800, 800];
    assert!(
        stayed.iter().zip(at_least).all(|(stayed, least)| (least..least + 60).contains(stayed)),
        "{stayed:?}"
    );
}

#[test]
fn what_is_unconfirmed_puts_the_way_back_off_but_not_for_ever() {
    let mut script = Script::new(three());
    script.join(1, "edged", &[], 10).seen();
    next_dial(script.link(LinkEvent::OpenFailed));
    script.link(LinkEvent::Opened);
    let opened = script.now();
    script.send(1, message("m", "resource", "update"));
    let (_, after) = next_dial(&mut script);
    assert!(after >= 130_000, "{after} ms since {opened:?}");
    script.link(LinkEvent::Opened);
    assert_eq!(script.hub.link_state(), LinkState::Up);
    assert!(script.seen().contains(&"write m".into()), "it is sent again");
}
