//! Classes and rules.

use super::*;
use edgehub_core::class::{Class, Classes, Delivery, Kind, Overflow, Rule};

/// The classes of a file with this text in its section `edgehub`.
fn classes_of(section: &str) -> Classes {
    let (config, warnings) = good(&format!("{EDGECORE}edgehub:\n{section}"));
    assert_eq!(warnings, [""; 0]);
    config.hub.classes
}

#[test]
fn at_most_once_is_one_line() {
    let classes = classes_of("  classes: {telemetry: {delivery: at-most-once}}\n");
    let mut expected = Classes::default();
    expected.classes[3].delivery = Delivery::AtMostOnce;
    assert_eq!(classes, expected);
}

#[test]
fn every_field_of_classes_and_rules_can_be_set() {
    let classes = classes_of(
        "  journal: {dir: /j}
  classes:
    state: {persistent: false}
    alarms:
      priority: 9
      delivery: at-most-once
      timeToLive: 1.5
      messages: 100
      bytes: 100000
      overflow: reject
      coalesce: true
      persistent: true
      deadLetters: true
      messageBytes: 1000
      rateLimited: false
  rules:
    - {kind: request, group: g, source: s, operation: o, resource: r/*, class: alarms}
    - {class: state}
  otherwise: alarms
",
    );
    let mut expected = Classes::default();
    expected.classes[3].persistent = true;
    expected.classes.push(Class {
        name: "alarms".into(),
        priority: 9,
        delivery: Delivery::AtMostOnce,
        time_to_live: Some(Duration::from_millis(1500)),
        messages: Some(100),
        bytes: Some(100_000),
        overflow: Overflow::Reject,
        coalesce: true,
        persistent: true,
        dead_letters: true,
        message_bytes: Some(1000),
        rate_limited: false,
    });
    expected.otherwise = 4;
    let own = Rule {
        kind: Some(Kind::Request),
        group: Some("g".into()),
        source: Some("s".into()),
        operation: Some("o".into()),
        resource: Some("r/*".into()),
        class: 4,
    };
    expected.rules.splice(0..0, [own, Rule { class: 2, ..Rule::default() }]);
    assert_eq!(classes, expected);
}

#[test]
fn bad_classes_are_all_told_at_once() {
    check_bad(
        &format!(
            "{EDGECORE}edgehub:
  classes:
    state: {{priority: 256, delivery: twice, persistent: true}}
    alarms: {{timeToLive: 0, messages: 0, overflow: explode, deadLetters: 1}}
    other: 5
    telemetry: {{messageBytes: 33554433, deadLetters: true}}
  rules:
    - {{group: [], class: nobody}}
    - {{kind: question}}
    - 7
  otherwise: nothing
"
        ),
        &[
            "edgehub.classes.other: expected a mapping, found 5",
            "edgehub.classes.alarms.timeToLive: expected a positive number of seconds, found 0",
            "edgehub.classes.alarms.messages: expected a whole number from 1 to 10000000, found 0",
            "edgehub.classes.alarms.overflow: expected one of drop-oldest, drop-newest, reject, found \"explode\"",
            "edgehub.classes.alarms.deadLetters: expected true or false, found 1",
            "edgehub.classes.state.priority: expected a whole number from 0 to 255, found 256",
            "edgehub.classes.state.delivery: expected one of at-least-once, at-most-once, found \"twice\"",
            "edgehub.classes.telemetry.messageBytes: expected a whole number from 1 to 33554432, found 33554433",
            "edgehub.rules[2]: expected a mapping, found 7",
            "edgehub.rules[0].group: expected text, found a list; put it in quotes",
            "edgehub.rules[0].class: expected one of the classes control, sync, state, telemetry, alarms, other, found \"nobody\"",
            "edgehub.rules[1].kind: expected one of answer, request, link-control, found \"question\"",
            "edgehub.rules[1].class: expected the name of a class, found nothing",
            "edgehub.rules[2].class: expected the name of a class, found nothing",
            "edgehub.otherwise: expected one of the classes control, sync, state, telemetry, alarms, other, found \"nothing\"",
            "edgehub.journal.dir: class state is persistent: expected a directory of this node's own, found nothing",
            "edgehub.deadLetters.dir: class telemetry has dead letters: expected a directory for them, or one for the journal, found nothing",
        ],
    );
    check_bad(&format!("{EDGECORE}edgehub:\n  rules: 3\n"), &["edgehub.rules: expected a list, found 3"]);
    let many: String = (0..13).map(|number| format!("    c{number}: {{}}\n")).collect();
    let told = "edgehub.classes: expected at most 16 classes, found";
    let errors = NodeConfig::from_yaml(&format!("{EDGECORE}edgehub:\n  classes:\n{many}")).unwrap_err();
    assert!(errors.to_string().starts_with(told), "{errors}");
}

#[test]
fn unknown_keys_of_classes_and_rules_are_told() {
    let section =
        "  classes: {state: {ttl: 3}}\n  rules: [{class: state, grup: g}]\n  deadLetters: {size: 3}\n";
    let (_, warnings) = good(&format!("{EDGECORE}edgehub:\n{section}"));
    let told = |path: &str| format!("{path}: unknown key; it changes nothing");
    let paths = ["edgehub.classes.state.ttl", "edgehub.rules[0].grup", "edgehub.deadLetters.size"];
    assert_eq!(warnings, paths.map(told));
}
