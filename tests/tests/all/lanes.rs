//! Two lanes, as timelines: QUIC first, the WebSocket where UDP does not get through, what worked remembered, and QUIC again later.

use crate::script::Script;
use edgehub_core::config::{LaneChoice, Lanes};
use edgehub_core::hub::LinkState;
use edgehub_core::limits::{LANE_RETRY, LANE_TRIAL};
use edgehub_core::{Config, LinkEvent};
use std::time::Duration;

fn config(choice: LaneChoice) -> Config {
    let never = Duration::from_secs(1_000_000);
    Config {
        heartbeat: never,
        cloud_keepalive: never,
        ping_interval: never,
        open_timeout: Duration::from_secs(30),
        lanes: Lanes { choice, ..Lanes::default() },
        ..Config::default()
    }
}

/// Moves on until the hub dials; returns what it dials and after how long.
fn next_dial(script: &mut Script) -> (String, Duration) {
    let begin = script.now();
    loop {
        if let Some(line) = script.seen().into_iter().find(|line| line.starts_with("open ")) {
            let lane = if line.ends_with("over QUIC") { "QUIC" } else { "WebSocket" };
            return (lane.into(), script.now() - begin);
        }
        let at = script.deadline_us().unwrap();
        script.at_us(at);
    }
}

/// A link that is cut right after it has opened: the next dial is of another round.
fn lost(script: &mut Script) {
    script.link(LinkEvent::Opened);
    script.link(LinkEvent::Closed);
}

#[test]
fn with_udp_blocked_the_websocket_is_up_within_seconds_and_remembered() {
    let mut script = Script::new(config(LaneChoice::Auto));
    assert_eq!(next_dial(&mut script).0, "QUIC");
    // Nothing answers: the trial's time, and then no more than a second.
    let (lane, after) = next_dial(&mut script);
    assert_eq!(lane, "WebSocket");
    assert!(after >= LANE_TRIAL && after <= LANE_TRIAL + Duration::from_millis(1_002), "{after:?}");
    let begin = script.now();
    lost(&mut script);
    while script.now() < begin + LANE_RETRY - Duration::from_secs(60) {
        assert_eq!(next_dial(&mut script).0, "WebSocket", "QUIC is left alone");
        lost(&mut script);
    }
    // Later it is tried first again.
    while next_dial(&mut script).0 != "QUIC" {
        lost(&mut script);
    }
    assert!(script.now() >= begin + LANE_RETRY);
    lost(&mut script);
    assert_eq!(next_dial(&mut script).0, "QUIC", "it worked");
}

/// Moves on until it is seen whether QUIC gets through beside the link; all pings are answered meanwhile. Returns when that is.
fn asked(script: &mut Script) -> Duration {
    loop {
        let lines = script.seen();
        assert!(!lines.iter().any(|line| line.starts_with("open")), "the link stays: {lines:?}");
        if lines.iter().any(|line| line == "reach over Quic") {
            return script.now();
        }
        if lines.iter().any(|line| line == "ping") {
            script.pong();
        }
        let at = script.deadline_us().unwrap();
        script.at_us(at);
    }
}

#[test]
fn a_link_that_lives_long_is_left_for_quic_once_that_gets_through() {
    let mut script = Script::new(config(LaneChoice::Auto));
    next_dial(&mut script);
    next_dial(&mut script);
    let begin = script.now();
    script.link(LinkEvent::Opened);
    // For twice as long each time, and not by all nodes at one moment.
    let first = asked(&mut script) - begin;
    assert!(first >= LANE_RETRY && first <= LANE_RETRY * 5 / 4, "{first:?}");
    let before = script.now();
    let second = asked(&mut script) - before;
    assert!(second >= LANE_RETRY * 2 && second <= LANE_RETRY * 5 / 2, "{second:?}");
    assert_eq!(script.hub.link_state(), LinkState::Up, "no answer is no reason to leave it");
    // It is left when all that was written has arrived, and dialled again at once.
    script.link(LinkEvent::Reached).expect(&["ping"]);
    script.pong();
    let lines = script.seen();
    assert!(lines.iter().any(|line| line.starts_with("open") && line.ends_with("over QUIC")), "{lines:?}");
    // An answer that nobody waits for changes nothing.
    script.link(LinkEvent::Opened);
    script.seen();
    script.link(LinkEvent::Reached).expect(&[]);
    assert_eq!(script.hub.link_state(), LinkState::Up);
}

#[test]
fn one_lane_alone_never_tries_the_other() {
    for (choice, lane) in [(LaneChoice::Quic, "QUIC"), (LaneChoice::WebSocket, "WebSocket")] {
        let mut script = Script::new(config(choice));
        for _ in 0..5 {
            assert_eq!(next_dial(&mut script).0, lane);
            script.link(LinkEvent::OpenFailed);
        }
    }
}
