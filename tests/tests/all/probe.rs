//! A link without a session is found out by a question, named and left; so is a name that two nodes use, and a heartbeat that
//! does not go with the cloud's.

use crate::script::{Script, answer, message};
use edgehub_core::hub::{LinkEnd, LinkState, Suspicion};
use edgehub_core::{Config, Input, LinkEvent, ModuleEvent, Note, Probe};
use std::time::Duration;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Asks after 10 s, waits 5 s for an answer, and pings and beats only when somebody asks for it.
fn asking() -> Config {
    Config {
        heartbeat: secs(1000),
        cloud_keepalive: secs(2000),
        ping_interval: secs(100),
        probe: Some(Probe { after: secs(10), limit: secs(5), ..Probe::default() }),
        ..Config::default()
    }
}

/// What is suspected, and how links ended.
fn told(script: &mut Script) -> (Vec<Suspicion>, Vec<LinkEnd>) {
    let (mut causes, mut ends) = (Vec::new(), Vec::new());
    for note in script.notes() {
        match note {
            Note::Suspected { cause, .. } => causes.push(cause),
            Note::LinkDown { end, .. } => ends.push(end),
            _ => {}
        }
    }
    (causes, ends)
}

#[test]
fn a_link_without_a_session_is_left() {
    let mut script = Script::up(asking());
    script.at(50).expect(&["ping"]).pong();
    script.at_us(9_999_999).expect(&[]).at(10_000).expect(&["write probe"]);
    // Patience begins when the question was read.
    script.at(10_050).expect(&["ping"]).at(14_000).pong();
    script.at_us(18_999_999).expect(&[]).at(19_000).expect(&["close 1"]);
    assert_eq!(told(&mut script), (vec![Suspicion::NoSession], vec![LinkEnd::NoSession]));
    assert_eq!(script.hub.link_state(), LinkState::Waiting);
}

#[test]
fn an_answer_proves_the_session_and_goes_no_further() {
    let mut script = Script::up(asking());
    script.join(1, "metaManager", &["meta"], 10);
    script.at(10_000).seen();
    let id = script.probe();
    script.at(10_050).pong().at(10_100).receive(answer("a", &id));
    let account = script.hub.account();
    assert!(account.balanced() && account.down.dropped() == 0, "{account:?}");
    assert!(!script.seen().iter().any(|line| line.starts_with("deliver a")), "it is for nobody else");
    // The next question comes as long after this answer.
    script.at_us(20_099_999).expect(&[]).at(20_100).expect(&["write probe"]);
    assert_eq!(told(&mut script), (vec![], vec![]));
}

#[test]
fn a_link_that_brings_messages_is_never_asked() {
    let mut script = Script::up(asking());
    for second in (0..60).step_by(9) {
        script.at(second * 1000).receive(message("m", "resource", "insert"));
    }
    assert!(!script.seen().contains(&"write probe".into()));
}

/// Any message of a session is proof, and the late answer is nobody's.
#[test]
fn another_message_answers_as_well() {
    let mut script = Script::up(asking());
    script.at(10_000).seen();
    let id = script.probe();
    script.at(10_050).pong().at(11_000).receive(message("m", "nobody", "insert"));
    script.at(20_999).receive(answer("a", &id));
    assert_eq!(script.hub.link_state(), LinkState::Up);
    let notes = script.notes();
    let is_lost = |note: &Note| matches!(note, Note::Dropped { msg_id, .. } if **msg_id == *"a");
    assert!(!notes.iter().any(is_lost), "{notes:?}");
}

/// Nobody counts while the question was not read, or the link is not.
#[test]
fn a_slow_peer_and_a_slow_module_are_not_taken_for_a_missing_session() {
    let mut script = Script::up(asking());
    script.at(19_000);
    assert_eq!(script.hub.link_state(), LinkState::Up, "the question has no pong behind it");
    let mut script = Script::up(Config { stall_limit: secs(500), ..asking() });
    script.join(1, "metaManager", &["meta"], 0);
    for number in 0..256 {
        script.receive(message(&format!("m{number}"), "resource", "insert"));
    }
    script.at(60_000).pong().at(90_000);
    assert!(!script.seen().contains(&"write probe".into()), "nobody would hear the answer");
    script.module(1, ModuleEvent::Ready { credit: 256 }).at_us(99_999_999).seen();
    assert!(script.at(100_000).seen().contains(&"write probe".into()));
}

/// However long it was open: it served nobody.
#[test]
fn a_link_without_a_session_counts_as_a_failed_attempt() {
    let config = Config { stable_after: secs(1), backoff_base: secs(1), backoff_max: secs(600), ..asking() };
    let mut script = Script::new(config);
    let mut longest = Duration::ZERO;
    for _ in 0..12 {
        script.link(LinkEvent::Opened);
        while script.hub.link_state() == LinkState::Up {
            let at = script.hub.next_deadline().map_or(0, |deadline| deadline.at.0);
            script.at_us(at).flush().pong();
        }
        let retry = |note: &Note| match note {
            Note::LinkDown { retry_in, .. } => *retry_in,
            _ => None,
        };
        longest = longest.max(script.notes().iter().filter_map(retry).max().unwrap_or_default());
        let at = script.hub.next_deadline().map_or(0, |deadline| deadline.at.0);
        script.at_us(at);
    }
    assert!(longest > secs(60), "the range of the waits grows: {longest:?}");
}

#[test]
fn a_name_that_two_nodes_use_is_named_the_third_time() {
    let mut script = Script::new(asking());
    let kicked = |script: &mut Script| {
        script.link(LinkEvent::Opened).link(LinkEvent::Closed);
        let at = script.hub.next_deadline().map_or(0, |deadline| deadline.at.0);
        let (causes, _) = told(script);
        script.at_us(at);
        causes
    };
    assert_eq!(kicked(&mut script), []);
    assert_eq!(kicked(&mut script), []);
    assert_eq!(kicked(&mut script), [Suspicion::DuplicateName { links: 3 }]);
    assert_eq!(kicked(&mut script), [Suspicion::DuplicateName { links: 4 }]);
    // A link that held says that nobody else is there.
    script.link(LinkEvent::Opened);
    let held = script.hub.next_deadline().map_or(0, |deadline| deadline.at.0) + 30_000_000;
    script.at_us(held).receive(message("m", "resource", "insert")).link(LinkEvent::Closed);
    assert_eq!(told(&mut script).0, []);
}

/// Each of the two is served until the other comes: how the hub is does not look good in between.
#[test]
fn a_name_that_two_nodes_use_stays_suspected_until_a_link_has_held() {
    let keepalive = secs(20);
    let mut script = Script::new(Config {
        heartbeat: secs(5),
        cloud_keepalive: keepalive,
        ping_interval: secs(1000),
        ..asking()
    });
    for _ in 0..3 {
        script.link(LinkEvent::Opened).link(LinkEvent::Closed);
        let at = script.hub.next_deadline().map_or(0, |deadline| deadline.at.0);
        script.at_us(at);
    }
    let suspected = Some(Suspicion::DuplicateName { links: 3 });
    script.link(LinkEvent::Opened).receive(message("a", "resource", "insert"));
    assert_eq!(script.hub.health().suspicion, suspected);
    let holds = (script.now() + 2 * keepalive).as_micros() as u64;
    while script.now() + secs(2) < Duration::from_micros(holds) {
        let later = script.now() + secs(1);
        script.at_us(later.as_micros() as u64).receive(message("b", "resource", "insert"));
    }
    script.at_us(holds - 1).receive(message("c", "resource", "insert"));
    assert_eq!(script.hub.health().suspicion, suspected);
    script.at_us(holds).receive(message("d", "resource", "insert"));
    assert_eq!(script.hub.health().suspicion, None);
}

#[test]
fn a_heartbeat_that_does_not_go_with_the_cloud_is_named() {
    let said = |heartbeat: Duration| {
        let mut script = Script::up(Config { heartbeat, ..Config::default() });
        told(&mut script).0
    };
    assert_eq!(said(secs(15)), []);
    assert_eq!(said(Duration::from_micros(15_000_001)), [Suspicion::HeartbeatTooSlow]);
}

#[test]
fn a_cloud_that_closes_when_its_patience_is_over_is_named() {
    let closed_at = |ms: u64| {
        let mut script = Script::up(Config { cloud_keepalive: secs(30), ..asking() });
        script.at(20_000).receive(message("m", "resource", "insert"));
        script.at(ms).link(LinkEvent::Closed);
        told(&mut script).0.contains(&Suspicion::KeepaliveUnheard)
    };
    // The keepalive left at 0.
    assert_eq!([27_999, 28_000, 32_000, 32_001].map(closed_at), [false, true, true, false]);
}

/// Another configuration begins and ends the asking.
#[test]
fn asking_can_be_switched_off_and_on() {
    let mut script = Script::up(asking());
    script.at(5_000).input(Input::Reconfigure(Box::new(Config { probe: None, ..asking() })));
    script.at(50_000).seen();
    script.input(Input::Reconfigure(Box::new(asking())));
    assert!(script.seen().contains(&"write probe".into()), "it was due long ago");
}

/// Plays links until `until`, each of which opens at once, answers pings and nothing else. Returns when each was left.
fn mute(script: &mut Script, until: Duration) -> Vec<u64> {
    let mut left = Vec::new();
    while script.now() < until {
        if script.hub.link_state() == LinkState::Opening {
            script.link(LinkEvent::Opened);
        }
        let at = script.hub.next_deadline().map_or(0, |deadline| deadline.at.0);
        script.at_us(at).flush().pong();
        if script.notes().iter().any(|note| matches!(note, Note::LinkDown { end: LinkEnd::NoSession, .. })) {
            left.push(script.now().as_secs());
        }
    }
    left
}

/// It serves the node and never answers for its authority: it is left later each time, and once a day in the end.
#[test]
fn a_cloud_too_old_to_be_asked_is_not_left_again_and_again() {
    let mut script = Script::new(Config { backoff_max: secs(1), ..asking() });
    let left = mute(&mut script, secs(10 * 86_400));
    let gaps: Vec<u64> = left.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.windows(2).all(|pair| pair[1] + 200 >= pair[0]), "{gaps:?}");
    assert!((20..30).contains(&left.len()), "{left:?}");
    assert!(gaps.last().is_some_and(|gap| *gap >= 86_400), "{gaps:?}");
}

/// One that has answered before means something by its silence.
#[test]
fn a_cloud_that_has_answered_before_is_left_soon() {
    let mut script = Script::up(Config { backoff_max: secs(1), ..asking() });
    script.at(10_000).seen();
    let id = script.probe();
    script.at(10_050).pong().receive(answer("a", &id));
    assert_eq!(script.hub.session_patience(), Some(secs(5)));
    let left = mute(&mut script, secs(3600));
    let gaps: Vec<u64> = left.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps[..4].iter().all(|gap| *gap < 130), "{gaps:?}");
    assert!(gaps.iter().all(|gap| *gap < 600 + 130), "{gaps:?}");
}

/// Who asks hears of it, until a session is proven.
#[test]
fn health_names_what_is_wrong_until_it_is_over() {
    let mut script = Script::up(asking());
    assert!(script.hub.health().is_good());
    let left = mute(&mut script, secs(15));
    assert_eq!(left, [15]);
    while script.hub.link_state() != LinkState::Opening {
        let at = script.deadline_us().unwrap();
        script.at_us(at);
    }
    let health = script.hub.health();
    assert_eq!((health.suspicion, health.ended), (Some(Suspicion::NoSession), Some(LinkEnd::NoSession)));
    assert!(health.to_string().contains("run: edgehub check"), "{health}");
    script.link(LinkEvent::Opened);
    assert!(!script.hub.health().is_good(), "nothing has shown yet that it is over");
    script.receive(message("m", "resource", "insert"));
    assert!(script.hub.health().is_good());
}
