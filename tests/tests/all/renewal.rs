//! Another certificate: the link is left when what was written is confirmed, and opened again at once; nothing is lost, and
//! nothing is sent twice unless the cloud stalls.

use crate::script::{Script, message};
use edgehub_core::config::Drain;
use edgehub_core::hub::{LinkEnd, LinkState};
use edgehub_core::{Config, Input, LinkEvent, Note};
use std::time::Duration;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Pings and beats only when somebody asks for it.
fn quiet() -> Config {
    Config {
        heartbeat: secs(1000),
        cloud_keepalive: secs(2000),
        ping_interval: secs(100),
        barrier_after: secs(100),
        rate: None,
        drain: None,
        ..Config::default()
    }
}

/// A link that is up, with nothing on its way, and two messages that are written and not confirmed.
fn busy(config: Config) -> Script {
    let mut script = Script::up(config);
    script.join(1, "sender", &[], 10);
    script.send(1, message("a", "g", "update")).send(1, message("b", "g", "update"));
    script.expect(&["write a", "write b"]);
    script
}

fn update(id: &str) -> edgehub_core::Message {
    message(id, "g", "update")
}

#[test]
fn a_link_is_left_when_all_is_confirmed_and_opened_at_once() {
    let mut script = busy(quiet());
    script.input(Input::Renewed).expect(&["ping"]);
    assert_eq!(script.hub.link_state(), LinkState::Renewing);
    script.send(1, update("c")).expect(&[]);
    script.at(70).pong().expect(&["close 1", "open 2"]);
    script.at(140).link(LinkEvent::Opened).expect(&["write keepalive", "write c"]);
    let ends: Vec<_> = script
        .notes()
        .into_iter()
        .filter_map(|note| match note {
            Note::LinkDown { end, retry_in, unconfirmed, .. } => Some((end, retry_in, unconfirmed)),
            _ => None,
        })
        .collect();
    assert_eq!(ends, [(LinkEnd::Renewed, Some(Duration::ZERO), 0)]);
}

/// A pong of a ping from before says nothing of what was written since.
#[test]
fn an_older_pong_is_not_enough() {
    let mut script = Script::up(Config { barrier_messages: 2, ..quiet() });
    script.join(1, "sender", &[], 10);
    script.send(1, update("a")).send(1, update("b")).expect(&["write a", "ping", "write b"]);
    script.input(Input::Renewed).expect(&["ping"]);
    script.link(LinkEvent::Pong(1)).expect(&[]);
    script.pong().expect(&["close 1", "open 2"]);
    script.link(LinkEvent::Opened).expect(&["write keepalive"]);
}

/// The last moment of the grace, and the first after it: what is unconfirmed goes out again, with its old id, and before what
/// came meanwhile.
#[test]
fn a_cloud_that_stalls_is_left_after_the_grace() {
    let mut script = busy(quiet());
    script.input(Input::Renewed).send(1, update("c")).expect(&["ping"]);
    script.at_us(29_999_999).expect(&[]);
    script.at_us(30_000_000).expect(&["close 1", "open 2"]);
    script.link(LinkEvent::Opened).expect(&["write keepalive", "write a", "write b", "write c"]);
}

#[test]
fn a_dial_with_the_old_certificate_begins_again() {
    let mut script = Script::new(quiet());
    script.expect(&["open 1"]);
    script.input(Input::Renewed).expect(&["close 1", "open 2"]);
    script.input(Input::Renewed).expect(&["close 2", "open 3"]);
    script.link(LinkEvent::Opened).expect(&["write keepalive"]);
}

#[test]
fn a_wait_stays_a_wait() {
    let mut script = Script::new(quiet());
    script.link(LinkEvent::OpenFailed).seen();
    let dials_at = script.deadline_us();
    script.input(Input::Renewed).expect(&[]);
    assert_eq!(script.deadline_us(), dials_at);
}

#[test]
fn another_one_meanwhile_changes_nothing() {
    let mut script = busy(quiet());
    script.input(Input::Renewed).expect(&["ping"]);
    script.at(10_000).input(Input::Renewed).expect(&[]);
    script.at_us(29_999_999).expect(&[]).at(30_000).expect(&["close 1", "open 2"]);
}

#[test]
fn a_shutdown_meanwhile_sends_what_waits() {
    let mut script = busy(quiet());
    script.input(Input::Renewed).send(1, update("c")).expect(&["ping"]);
    script.input(Input::Shutdown);
    assert!(script.seen().contains(&"write c".into()));
    script.pong().expect(&["close 1", "stopped"]);
}

#[test]
fn a_link_that_is_lost_meanwhile_is_one_that_is_lost() {
    let mut script = busy(quiet());
    script.input(Input::Renewed).link(LinkEvent::Closed).expect(&["ping"]);
    assert_eq!(script.hub.link_state(), LinkState::Waiting);
}

/// A long backlog goes on at its pace; what gathers during the renewal is none.
#[test]
fn what_gathers_meanwhile_is_not_the_backlog_of_an_outage() {
    let drain = Some(Drain { per_second: 1, above: 5, spread: secs(10) });
    let mut script = busy(Config { drain, ..quiet() });
    script.input(Input::Renewed).seen();
    for number in 0..20 {
        script.send(1, update(&format!("m{number}")));
    }
    script.pong().seen();
    script.link(LinkEvent::Opened);
    assert_eq!(script.seen().len(), 21, "a keepalive, and all of them");
}

/// However often: nobody has failed.
#[test]
fn it_is_no_failed_attempt() {
    let config = Config { backoff_base: Duration::from_millis(100), backoff_max: secs(600), ..quiet() };
    let mut script = Script::up(config);
    for _ in 0..20 {
        script.input(Input::Renewed).pong().link(LinkEvent::Opened);
    }
    script.notes();
    script.link(LinkEvent::Closed);
    let waits: Vec<_> = script
        .notes()
        .into_iter()
        .filter_map(|note| match note {
            Note::LinkDown { retry_in, .. } => retry_in,
            _ => None,
        })
        .collect();
    assert!(waits.len() == 1 && waits[0] <= Duration::from_millis(100), "{waits:?}");
}
