//! The routing tables of both profiles, written down a second time and independently of the hub's own: every group, with
//! and without a parent, with and without somebody who waits for it, from every source.

use crate::script::{Script, request};
use edgehub_core::config::Profile;
use edgehub_core::hub::DropReason;
use edgehub_core::{Config, Draft, Message, Note};
use std::collections::BTreeSet;

/// Who has joined, with what groups. Module 9 is the one that asks; it is in no group that anything is routed to.
const JOINED: [(u32, &str, &[&str]); 8] = [
    (1, "metamanager", &["meta"]),
    (2, "second", &["meta", "twin"]),
    (3, "devicetwin", &["twin"]),
    (4, "eventbus", &["bus"]),
    (5, "servicebus", &["bus"]),
    (6, "taskmanager", &["taskmanager"]),
    (7, "bystander", &["resource", "user", "func"]),
    (9, "asker", &["hub"]),
];

const META: &[u32] = &[1, 2];
const TWIN: &[u32] = &[2, 3];
const BUS: &[u32] = &[4, 5];
const WAITER: u32 = 9;

/// Who gets a message, or why nobody does.
#[derive(Debug, Clone, Copy)]
enum To {
    Modules(&'static [u32]),
    Dropped(DropReason),
}
use To::{Dropped, Modules};

/// One line of the expectation: group, source (`*` for all), then unasked, answered while somebody waits, answered while
/// nobody does. Where somebody waits, the receivers come on top of the waiter itself.
type Line = (&'static str, &'static str, To, &'static [u32], To);

const NOBODY: &[u32] = &[];
const NO_WAITER: To = Dropped(DropReason::NoWaiter);

const CURRENT: &[Line] = &[
    ("resource", "*", Modules(META), NOBODY, NO_WAITER),
    ("func", "*", Modules(META), NOBODY, NO_WAITER),
    ("twin", "*", Modules(TWIN), TWIN, Modules(TWIN)),
    ("user", "router_eventbus", Modules(&[4]), NOBODY, NO_WAITER),
    ("user", "router_servicebus", Modules(&[5]), NOBODY, NO_WAITER),
    ("user", "edgecontroller", Dropped(DropReason::UnknownSource), NOBODY, NO_WAITER),
    ("user", "", Dropped(DropReason::UnknownSource), NOBODY, NO_WAITER),
    ("taskmanager", "*", Modules(&[6]), &[6], Modules(&[6])),
    ("hub", "*", Dropped(DropReason::UnknownGroup), NOBODY, NO_WAITER),
    ("meta", "*", Dropped(DropReason::UnknownGroup), NOBODY, NO_WAITER),
    ("", "*", Dropped(DropReason::UnknownGroup), NOBODY, NO_WAITER),
];

const CLASSIC: &[Line] = &[
    ("resource", "*", Modules(META), NOBODY, NO_WAITER),
    ("func", "*", Modules(META), NOBODY, NO_WAITER),
    ("twin", "*", Modules(TWIN), NOBODY, Modules(TWIN)),
    ("user", "*", Modules(BUS), NOBODY, NO_WAITER),
    ("taskmanager", "*", Modules(&[6]), &[6], Modules(&[6])),
    ("hub", "*", Dropped(DropReason::UnknownGroup), NOBODY, NO_WAITER),
    ("meta", "*", Dropped(DropReason::UnknownGroup), NOBODY, NO_WAITER),
    ("", "*", Dropped(DropReason::UnknownGroup), NOBODY, NO_WAITER),
];

const SOURCES: [&str; 4] = ["router_eventbus", "router_servicebus", "edgecontroller", ""];

fn arriving(group: &str, source: &str, parent: &str, operation: &str) -> Message {
    let draft =
        Draft { msg_id: "arriving", parent_msg_id: parent, group, source, operation, ..Draft::default() };
    draft.encode().unwrap()
}

/// Feeds one message to a hub that everybody has joined; who got it, and why it was dropped if it was.
fn route(profile: Profile, waits: bool, message: Message) -> (BTreeSet<u32>, Vec<DropReason>) {
    let mut script = Script::new(Config { profile, ..Config::default() });
    for (module, name, groups) in JOINED {
        script.join(module, name, groups, 100);
    }
    script.link(edgehub_core::LinkEvent::Opened);
    if waits {
        script.send(WAITER, request("asked"));
    }
    script.seen();
    script.notes();
    script.receive(message);
    let deliveries = script.seen();
    let receivers: BTreeSet<u32> =
        deliveries.iter().filter_map(|line| line.rsplit_once(" to ")?.1.parse().ok()).collect();
    assert_eq!(receivers.len(), deliveries.len(), "nobody gets it twice: {deliveries:?}");
    let dropped = |note: Note| match note {
        Note::Dropped { reason, .. } => Some(reason),
        _ => None,
    };
    (receivers, script.notes().into_iter().filter_map(dropped).collect())
}

fn check(profile: Profile, table: &[Line]) {
    for &(group, source, unasked, beside_waiter, unwaited) in table {
        let sources = if source == "*" { &SOURCES[..] } else { &[source][..] };
        for source in sources {
            for operation in ["insert", "response", "error"] {
                for waits in [false, true] {
                    let case = format!("{profile:?} {group:?} from {source:?} {operation} waits {waits}");
                    // A wait for another message changes nothing.
                    let found = route(profile, waits, arriving(group, source, "", operation));
                    assert_eq!(found, expected(unasked), "{case}, unasked");
                    let found = route(profile, waits, arriving(group, source, "somebody", operation));
                    assert_eq!(found, expected(unwaited), "{case}, for nobody");
                }
                let found = route(profile, true, arriving(group, source, "asked", operation));
                let all: BTreeSet<u32> = beside_waiter.iter().copied().chain([WAITER]).collect();
                assert_eq!(
                    found,
                    (all, vec![]),
                    "{profile:?} {group:?} from {source:?} {operation}, answered"
                );
            }
        }
    }
}

fn expected(to: To) -> (BTreeSet<u32>, Vec<DropReason>) {
    match to {
        Modules(modules) => (modules.iter().copied().collect(), vec![]),
        Dropped(reason) => (BTreeSet::new(), vec![reason]),
    }
}

#[test]
fn current_profile() {
    check(Profile::Current, CURRENT);
}

#[test]
fn classic_profile() {
    check(Profile::Classic, CLASSIC);
}

#[test]
fn nobody_joined_is_a_reason() {
    for group in ["resource", "func", "twin", "taskmanager"] {
        let mut script = Script::up(Config::default());
        script.receive(arriving(group, "", "", "insert")).expect(&[]);
        assert_eq!(script.hub.account().down.dropped_for(DropReason::NoReceiver), 1, "{group}");
    }
}

#[test]
fn link_control_is_answered_and_routed_nowhere() {
    for operation in ["ping", "pong", "config"] {
        for parent in ["", "asked"] {
            let mut script = Script::new(Config::default());
            for (module, name, groups) in JOINED {
                script.join(module, name, groups, 100);
            }
            script.link(edgehub_core::LinkEvent::Opened).send(WAITER, request("asked")).seen();
            script
                .receive(arriving("resource", "taskmanager", parent, operation))
                .expect(&["write ack of arriving"]);
        }
    }
}

/// What a module sends goes to the cloud unless it is addressed to somebody else.
#[test]
fn upstream_destinations() {
    for (destination, leaves) in
        [("", true), ("websocket", true), ("hub", true), ("edgehub", true), ("edged", false), ("meta", false)]
    {
        let mut script = Script::up(Config::default());
        script.join(1, "m", &[], 10);
        script.send(1, Draft { msg_id: "u", destination, ..Draft::default() }.encode().unwrap());
        let lines: &[&str] = if leaves { &["write u"] } else { &[] };
        script.expect(lines);
        let dropped = script.hub.account().up.dropped_for(DropReason::NotForTheCloud);
        assert_eq!(dropped, u64::from(!leaves), "{destination:?}");
    }
}

/// The table names a module or a group that nobody is in: whoever asked gets the answer all the same, and nothing is
/// dropped; what nobody asked for is.
#[test]
fn an_answer_reaches_its_waiter_where_the_table_names_nobody() {
    for (group, waits) in [("taskmanager", true), ("twin", true), ("taskmanager", false), ("twin", false)] {
        let mut script = Script::up(Config::default());
        script.join(WAITER, "asker", &[], 1);
        if waits {
            script.send(WAITER, request("asked"));
        }
        script.seen();
        script.notes();
        script.receive(arriving(group, "edgecontroller", "asked", "response"));
        let to_waiter: &[&str] = if waits { &["deliver arriving to 9"] } else { &[] };
        script.expect(to_waiter);
        let no_receiver = |note: &Note| matches!(note, Note::Dropped { reason: DropReason::NoReceiver, .. });
        assert_eq!(script.notes().iter().any(no_receiver), !waits, "{group}");
    }
}

/// A module that asks for what the table gives it anyway gets one copy, as its answer.
#[test]
fn an_answer_to_the_very_module_that_the_table_names_comes_once() {
    let mut script = Script::up(Config::default());
    script.join(6, "taskmanager", &["taskmanager"], 0).send(6, request("asked"));
    script.seen();
    script.receive(arriving("taskmanager", "edgecontroller", "asked", "response"));
    script.expect(&["deliver arriving to 6"]);
}
