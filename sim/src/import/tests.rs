use super::importer::merged;
use super::*;
use crate::catalogue::verb;
use crate::flight::Flight;
use crate::run::Failure;
use crate::scenario::{Action, Subject};
use crate::shrink::{Shrunk, shrink_by};
use crate::{LogKind, run};
use edgehub_core::config::{LaneChoice, Lanes};
use edgehub_core::hub::JournalEvent;
use edgehub_core::journal::{EntryNumber, FullReason, Health};
use edgehub_core::{Config, Draft, Hub, Input, Now, Output};
use std::path::Path;

fn actions(scenario: &Scenario, verb: &str) -> usize {
    scenario.actions.iter().filter(|action| action.verb.name == verb).count()
}

fn imported(name: &str) -> Scenario {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/traces");
    let file = std::fs::read(folder.join(name).with_extension("trace")).unwrap();
    let trace = Trace::open(&file).unwrap();
    let Imported { scenario, .. } = import(&trace, name).unwrap();
    assert_eq!(
        scenario.to_string().parse::<Scenario>().as_ref(),
        Ok(&scenario),
        "it can be written and read"
    );
    let (outcome, _) = run(&scenario, LogKind::Nothing);
    assert!(outcome.is_ok(), "{outcome:?}");
    scenario
}

#[test]
fn conversations_of_the_original_become_scenarios() {
    let session = imported("01-session");
    assert_eq!(actions(&session, "close"), 1, "the cloud dropped the connection once:\n{session}");
    assert!(actions(&session, "ask") >= 5 && actions(&session, "command") >= 10, "{session}");
    let timeouts = imported("02-keepalive-timeout");
    assert_eq!(actions(&timeouts, "close"), 2, "the cloud ended both links:\n{timeouts}");
    assert!(actions(&timeouts, "send") >= 8, "{timeouts}");
    assert_eq!(actions(&imported("03-cert-rotation"), "close"), 2);
}

/// A trace in which a node's disk fails and is full, the cloud is dialled over QUIC at its second endpoint, and a
/// message comes from before.
#[test]
fn what_the_disk_and_the_lanes_did_is_taken_over_or_named() {
    let message = Draft { msg_id: "old", ..Draft::default() }.encode().unwrap();
    let journal = Input::Journal;
    let inputs = [
        journal(JournalEvent::Opened { unused: EntryNumber(9), frame_bytes_max: 1 << 20 }),
        journal(JournalEvent::Restored { number: EntryNumber(3), message }),
        journal(JournalEvent::Health(Health::Full(FullReason::Disk))),
        journal(JournalEvent::Health(Health::Failing)),
        journal(JournalEvent::Health(Health::Good)),
        journal(JournalEvent::Lost { number: EntryNumber(3) }),
        journal(JournalEvent::Health(Health::Failing)),
    ];
    let lanes = Lanes { choice: LaneChoice::Quic, ..Lanes::default() };
    let config = Config { lanes, ..Config::default() };
    let begin = Now::default();
    let mut flight = Flight::begin(0, "edge", &config, 1, begin);
    let mut hub = Hub::new(config, 1, begin);
    let outputs: Vec<Output> = std::iter::from_fn(|| hub.poll_output()).collect();
    flight.outputs(&outputs, &hub, &[]);
    for (second, input) in (1..).zip(inputs) {
        let now = Now::new(second * 1_000_000, 0);
        flight.input(now, &input, &hub);
        hub.handle(now, input);
        let outputs: Vec<Output> = std::iter::from_fn(|| hub.poll_output()).collect();
        flight.outputs(&outputs, &hub, &[]);
    }
    flight.end();
    let Imported { scenario, changed } = import(&Trace::open(&flight.file).unwrap(), "disk").unwrap();
    let disk = |verb: &str| -> Vec<(u64, u64)> {
        let of = scenario.actions.iter().filter(|action| action.verb.name == verb);
        of.map(|action| (action.at.0 / 1_000_000, action.values[0])).collect()
    };
    assert_eq!(
        disk("disk-full"),
        [(3, 1_000_000)],
        "from the third input to the fourth, since the hub began to dial"
    );
    assert_eq!(disk("disk-fails").first(), Some(&(4, 1_000_000)));
    for words in ["earlier run", "could not be read back", "over QUIC"] {
        assert!(changed.iter().any(|changed| changed.contains(words)), "{words}: {changed:?}");
    }
}

/// A condition that only two of the actions have to do with, in a scenario with the numbers and times of a real site.
#[test]
fn an_imported_scenario_shrinks_to_what_matters() {
    let fails = |scenario: &Scenario| {
        let close = scenario.actions.iter().find(|action| action.verb.name == "close")?;
        let before = |action: &Action| action.verb.name == "command" && action.at < close.at;
        let at = scenario.actions.iter().any(before).then_some(close.at)?;
        // It must be a scenario that runs, not just one that looks alike.
        let runs = run(scenario, LogKind::Nothing).0.is_ok();
        let planted = || "planted".to_string();
        runs.then(|| Failure { check: planted(), rule: planted(), what: String::new(), at })
    };
    let session = imported("01-session");
    let shrunk = shrink_by(&session, 2_000, &fails).unwrap();
    let Shrunk { scenario, .. } = &shrunk;
    let verbs: Vec<_> = scenario.actions.iter().map(|action| action.verb.name).collect();
    assert_eq!(verbs, ["command", "close"], "{scenario}");
    assert!(scenario.duration < session.duration && scenario.edge == Config::default(), "{scenario}");
    let written = scenario.to_string().parse::<Scenario>();
    assert_eq!(written.as_ref(), Ok(scenario), "it can be kept as a regression test");
    assert!(written.is_ok_and(|scenario| fails(&scenario).is_some()));
}

/// As many actions as may be make a scenario, and one more makes none, but says what to do.
#[test]
fn too_much_for_a_scenario_is_to_be_cut_first() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/traces");
    let file = std::fs::read(folder.join("01-session.trace")).unwrap();
    let trace = Trace::open(&file).unwrap();
    let fits = |most: &usize| import_up_to(&trace, "session", *most).is_ok();
    let most = (10..200).find(fits).unwrap();
    assert!(most > 20);
    let refused = import_up_to(&trace, "session", most - 1).unwrap_err();
    let ImportError::TooMuch { actions, at } = refused else { panic!("{refused}") };
    assert!(actions == most - 1 && at > trace.blocks()[0].begin());
    assert!(refused.to_string().contains("edgehub trace cut"), "{refused}");
}

#[test]
fn what_is_sent_at_one_moment_is_one_action() {
    let send = verb(Subject::Node, "send").unwrap();
    let mut action = Action::simplest(Instant(7), 0, send);
    action.values[1] = 40;
    let other = Action { values: [1, 40, 1, 0, 0, 0], ..action };
    let merged = merged(vec![action, action, action, other]);
    assert_eq!(merged.iter().map(|action| action.values[2]).collect::<Vec<_>>(), [3, 1]);
}
