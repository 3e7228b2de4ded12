//! Classes as scripts: what leaves, in which order, what does not, and what the sender is told.

use crate::script::Script;
use edgehub_core::class::{Class, Classes, Delivery, Overflow, Rule};
use edgehub_core::config::{Drain, Rate};
use edgehub_core::hub::{LinkState, ReceiptId};
use edgehub_core::{
    Config, Content, Draft, Hub, Input, LinkEvent, Message, ModuleEvent, ModuleId, Now, Output,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

/// One class for everything.
fn only(class: Class) -> Config {
    let classes = Classes { classes: vec![class], rules: vec![], otherwise: 0 };
    Config { classes, rate: None, heartbeat: Duration::from_secs(600), ..Config::default() }
}

fn about(id: &str, resource: &str) -> Message {
    let content = Content::Text("0123456789");
    Draft { msg_id: id, source: "s", group: "g", operation: "update", resource, content, ..Draft::default() }
        .encode()
        .unwrap()
}

/// A hub without a link, and a module that asks what becomes of each of its messages.
fn offline(config: Config) -> Script {
    let mut script = Script::new(config);
    script.join(1, "m", &[], 100).seen();
    script
}

fn ask(script: &mut Script, id: &str, resource: &str) {
    let message = about(id, resource);
    let receipt = Some(ReceiptId(id.bytes().map(u64::from).sum()));
    script.module(1, ModuleEvent::Sent { message, timeout: None, receipt });
}

#[test]
fn the_newest_of_each_key_leaves_in_the_order_of_acceptance() {
    let mut script = offline(only(Class { coalesce: true, ..Class::default() }));
    for (id, resource) in [("a1", "a"), ("b1", "b"), ("a2", "a"), ("c1", "c"), ("a3", "a")] {
        ask(&mut script, id, resource);
    }
    script.expect(&[
        "receipt a1 Dropped { reason: Superseded, limit: None }",
        "receipt a2 Dropped { reason: Superseded, limit: None }",
    ]);
    script.link(LinkEvent::Opened).expect(&["write keepalive", "write b1", "write c1", "write a3"]);
    // What has been written is not superseded any more, not even when it is to be sent again.
    ask(&mut script, "a4", "a");
    script.expect(&["write a4"]);
    script.link(LinkEvent::Closed).seen();
    ask(&mut script, "a5", "a");
    script.expect(&[]);
    script.at(2000).link(LinkEvent::Opened);
    let seen = script.seen();
    let written: Vec<_> = seen.iter().filter(|line| line.starts_with("write")).collect();
    assert_eq!(written, ["write keepalive", "write b1", "write c1", "write a3", "write a4", "write a5"]);
}

#[test]
fn a_message_leaves_before_its_time_is_over_and_not_at_its_end() {
    let class = || Class { time_to_live: Some(Duration::from_millis(500)), ..Class::default() };
    let mut script = offline(only(class()));
    ask(&mut script, "a", "a");
    script.at_us(499_999).link(LinkEvent::Opened).expect(&["write keepalive", "write a"]);
    let mut script = offline(only(class()));
    ask(&mut script, "a", "a");
    script.at(500).expect(&["receipt a Dropped { reason: Expired, limit: None }"]);
    assert_eq!(script.hub.account().up.pending, 0);
}

#[test]
fn at_most_once_is_settled_with_the_writing_and_never_sent_again() {
    let mut script = offline(only(Class { delivery: Delivery::AtMostOnce, ..Class::default() }));
    ask(&mut script, "a", "a");
    script.link(LinkEvent::Opened).expect(&["write keepalive", "receipt a Written", "write a"]);
    let up = script.hub.account().up;
    assert_eq!(
        (up.confirmed, up.written, up.pending),
        (0, 2, 0),
        "with the keepalive, and nobody says that they arrived"
    );
    script.link(LinkEvent::Closed).at(2000).link(LinkEvent::Opened);
    assert!(!script.seen().iter().any(|line| line.contains("write a")));
}

#[test]
fn a_pong_is_a_receipt() {
    let mut script = offline(only(Class::default()));
    ask(&mut script, "a", "a");
    script.link(LinkEvent::Opened).at(60).seen();
    script.pong().expect(&["receipt a Confirmed"]);
    let up = script.hub.account().up;
    assert_eq!((up.confirmed, up.written), (1, 1), "with the keepalive");
    script.pong().expect(&[]);
}

#[test]
fn what_has_no_room_is_dropped_as_its_class_says() {
    let check = |overflow, lines: &[&str]| {
        let mut script = offline(only(Class { messages: Some(2), overflow, ..Class::default() }));
        script.send(1, about("a", "a")).send(1, about("b", "b")).expect(&[]);
        script.send(1, about("c", "c"));
        script.expect(lines);
        ask(&mut script, "d", "d");
        let dropped = if overflow == Overflow::DropOldest { vec![] } else { vec!["receipt d"] };
        let seen = script.seen();
        assert_eq!(seen.len(), dropped.len(), "{seen:?}");
        assert!(script.hub.account().balanced() && script.hub.account().up.pending == 2);
    };
    check(Overflow::DropOldest, &[]);
    check(Overflow::DropNewest, &[]);
    // The sender learns of it, though it did not ask.
    check(Overflow::Reject, &["receipt c Dropped { reason: ClassFull, limit: None }"]);
}

#[test]
fn the_largest_message_passes_and_the_next_one_is_told_the_limit() {
    let bytes = about("a", "a").bytes();
    let mut script = offline(only(Class { message_bytes: Some(bytes), ..Class::default() }));
    ask(&mut script, "a", "a");
    script.expect(&[]);
    ask(&mut script, "a", "ab");
    let told = format!("receipt a Dropped {{ reason: TooLargeForClass, limit: Some({bytes}) }}");
    script.expect(&[&told]);
    // Asked or not: it will never be taken.
    script.send(1, about("a", "ab")).expect(&[&told]);
}

fn user(id: &str, operation: &str, resource: &str) -> Message {
    Draft { msg_id: id, source: "s", group: "user", operation, resource, ..Draft::default() }
        .encode()
        .unwrap()
}

#[test]
fn messages_about_one_thing_keep_their_order_whatever_their_classes() {
    let mut script = offline(Config { rate: None, ..Config::default() });
    let sent = [("t1", "upload", "a"), ("t2", "upload", "b"), ("s1", "update", "a"), ("s2", "update", "c")];
    for (id, operation, resource) in sent {
        script.send(1, user(id, operation, resource));
    }
    // State leaves before telemetry, but not before what is older and about the same thing.
    let lines = ["write keepalive", "write t1", "write s1", "write s2", "write t2"];
    script.link(LinkEvent::Opened).expect(&lines);
    // What was written and not confirmed keeps its order with what is new, too.
    script.link(LinkEvent::Closed).seen();
    script.send(1, user("s3", "update", "b"));
    script.at(2000).link(LinkEvent::Opened);
    let written: Vec<_> = script.seen().into_iter().filter(|line| line.starts_with("write")).collect();
    let lines = ["write keepalive", "write t1", "write s1", "write s2", "write t2", "write s3"];
    assert_eq!(written, lines);
}

#[test]
fn what_is_exempt_from_the_rate_limit_waits_for_what_is_older_and_about_the_same_thing() {
    let mut classes = Classes::default();
    classes.classes.push(Class {
        name: "alarms".into(),
        priority: 9,
        rate_limited: false,
        ..Class::default()
    });
    let rule = Rule { operation: Some("alarm".into()), class: 4, ..Rule::default() };
    classes.rules.insert(0, rule);
    let rate = Some(Rate { per_second: 1, burst: 1 });
    let mut script =
        offline(Config { classes, rate, heartbeat: Duration::from_secs(600), ..Config::default() });
    script.send(1, user("s1", "update", "a")).send(1, user("s2", "update", "b"));
    script.send(1, user("a2", "alarm", "b")).send(1, user("s3", "update", "c"));
    script.link(LinkEvent::Opened).expect(&["write keepalive", "write s1"]);
    // An answer waits for nobody, and neither does what is about something else.
    let answer = Draft {
        msg_id: "r",
        parent_msg_id: "1",
        source: "s",
        group: "user",
        resource: "b",
        ..Draft::default()
    };
    script.send(1, answer.encode().unwrap()).expect(&["write r"]);
    script.at(1000);
    let written: Vec<_> = script.seen().into_iter().filter(|line| line.starts_with("write")).collect();
    assert_eq!(written, ["write s2", "write a2"]);
}

#[test]
fn a_first_priority_passes_the_others_and_an_equal_one_does_not() {
    let mut classes = Classes::default();
    classes.rules[4].group = Some("telemetry".into());
    let config = Config { classes, rate: Some(Rate { per_second: 1, burst: 10 }), ..Config::default() };
    let mut script = offline(config);
    let send = |script: &mut Script, id: &str, group: &str, operation: &str, parent: &str, sync: bool| {
        let draft = Draft { msg_id: id, group, operation, parent_msg_id: parent, sync, ..Draft::default() };
        script.send(1, draft.encode().unwrap());
    };
    send(&mut script, "upload", "telemetry", "upload", "", false);
    send(&mut script, "state", "resource", "update", "", false);
    send(&mut script, "query", "resource", "query", "", true);
    send(&mut script, "answer", "resource", "response", "1", false);
    let lines = ["write keepalive", "write answer", "write state", "write query", "write upload"];
    script.link(LinkEvent::Opened).expect(&lines);
}

#[test]
fn a_turn_that_is_lent_passes_by_nothing_older_either() {
    let mut classes = Classes::default();
    classes.classes.push(Class { name: "first".into(), priority: 0, ..Class::default() });
    let rule = Rule { operation: Some("alarm".into()), class: 4, ..Rule::default() };
    classes.rules.insert(0, rule);
    let mut script = offline(Config { classes, rate: None, ..Config::default() });
    let query = |id: &str, resource: &str| {
        let draft = Draft {
            msg_id: id,
            source: "s",
            group: "user",
            operation: "query",
            resource,
            ..Draft::default()
        };
        Draft { sync: true, ..draft }.encode().unwrap()
    };
    // The alarm waits for the query behind the query that waits for the state.
    script.send(1, user("s1", "update", "a")).send(1, query("q1", "a")).send(1, query("q2", "b"));
    script.send(1, user("s2", "update", "c")).send(1, user("a1", "alarm", "b"));
    let lines = ["write keepalive", "write s1", "write q1", "write q2", "write a1", "write s2"];
    script.link(LinkEvent::Opened).expect(&lines);
}

#[test]
fn what_lends_its_turn_to_the_limited_is_not_passed_by_either() {
    let exempt = |name: &str| Class { name: name.into(), rate_limited: false, ..Class::default() };
    let classes = vec![Class { name: "limited".into(), ..Class::default() }, exempt("one"), exempt("other")];
    let rule = |operation: &str, class| Rule { operation: Some(operation.into()), class, ..Rule::default() };
    let rules = vec![rule("one", 1), rule("other", 2)];
    let classes = Classes { classes, rules, otherwise: 0 };
    let rate = Some(Rate { per_second: 1, burst: 1 });
    let mut script =
        offline(Config { classes, rate, heartbeat: Duration::from_secs(600), ..Config::default() });
    script.send(1, user("l1", "update", "z")).send(1, user("l2", "update", "a"));
    script.send(1, user("a1", "one", "a")).send(1, user("b1", "one", "b")).send(1, user("b2", "other", "b"));
    // Behind the one that waits for the rate limit waits another that is exempt, and has something newer behind it.
    script.link(LinkEvent::Opened).expect(&["write keepalive", "write l1"]);
    script.at(1000);
    let written: Vec<_> = script.seen().into_iter().filter(|line| line.starts_with("write")).collect();
    assert_eq!(written, ["write l2", "write a1", "write b1", "write b2"]);
}

/// A hub with three classes, whatever they are, and a module that sends messages about three things.
struct Shuffled {
    hub: Hub,
    now_ms: u64,
    sent: u64,
    /// The number of the latest message about each thing on this link.
    latest: BTreeMap<Box<str>, u64>,
    last_ping: Option<u64>,
}

impl Shuffled {
    fn new(priorities: [u8; 3], limited: [bool; 3]) -> Shuffled {
        let class = |(number, (priority, rate_limited)): (usize, (u8, bool))| Class {
            name: number.to_string().into(),
            priority,
            rate_limited,
            ..Class::default()
        };
        let classes = priorities.into_iter().zip(limited).enumerate().map(class).collect();
        let rule =
            |class: usize| Rule { operation: Some(class.to_string().into()), class, ..Rule::default() };
        let classes = Classes { classes, rules: (0..3).map(rule).collect(), otherwise: 0 };
        let rate = Some(Rate { per_second: 20, burst: 3 });
        let drain = Some(Drain { above: 4, per_second: 10, spread: Duration::from_secs(1) });
        let hub = Hub::new(Config { classes, rate, drain, ..Config::default() }, 7, Now::new(0, 0));
        let latest = BTreeMap::new();
        let mut shuffled = Shuffled { hub, now_ms: 0, sent: 0, latest, last_ping: None };
        let joined = ModuleEvent::Joined { name: "m".into(), groups: vec![], credit: u32::MAX };
        shuffled.handle(Input::Module { module: ModuleId(1), event: joined });
        shuffled
    }

    fn handle(&mut self, input: Input) {
        self.hub.handle(Now::new(self.now_ms * 1000, 0), input);
        let (mut messages, mut bytes) = (0, 0);
        while let Some(output) = self.hub.poll_output() {
            match output {
                Output::Write { message, .. } => {
                    (messages, bytes) = (messages + 1, bytes + message.bytes());
                    let Ok(number) = message.msg_id().parse::<u64>() else { continue };
                    let before = self.latest.insert(message.resource().into(), number);
                    assert!(before < Some(number), "{number} after {before:?} about {}", message.resource());
                }
                Output::Ping { number, .. } => self.last_ping = Some(number),
                Output::Close { .. } => self.latest.clear(),
                _ => {}
            }
        }
        if messages > 0 {
            self.link(LinkEvent::Flushed { messages, bytes });
        }
    }

    fn link(&mut self, event: LinkEvent) {
        self.handle(Input::Link { epoch: self.hub.epoch(), event });
    }

    fn send(&mut self, class: usize, about: usize, sync: bool) {
        self.sent += 1;
        let (id, operation, resource) = (self.sent.to_string(), class.to_string(), about.to_string());
        let draft = Draft { msg_id: &id, source: "m", group: "g", operation: &operation, ..Draft::default() };
        let message = Draft { resource: &resource, sync, ..draft }.encode().unwrap();
        let timeout = Some(Duration::from_secs(86_400));
        let event = ModuleEvent::Sent { message, timeout, receipt: None };
        self.handle(Input::Module { module: ModuleId(1), event });
    }

    fn opens_or_closes(&mut self) {
        self.latest.clear();
        self.last_ping = None;
        match self.hub.link_state() {
            LinkState::Opening => self.link(LinkEvent::Opened),
            LinkState::Up => self.link(LinkEvent::Closed),
            _ => {}
        }
    }

    fn pong(&mut self) {
        if let Some(number) = self.last_ping.take() {
            self.link(LinkEvent::Pong(number));
        }
    }

    fn wait(&mut self, ms: u64) {
        self.now_ms += ms;
        self.handle(Input::Tick);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever classes say of priorities and of the rate limit, and whatever becomes of links and pongs: on no link does a message
    /// follow a newer one about the same thing, and in the end each is confirmed.
    #[test]
    fn order_about_one_thing_holds_across_classes_links_and_pongs(
        priorities in prop::array::uniform3(0..3_u8),
        limited in prop::array::uniform3(any::<bool>()),
        steps in prop::collection::vec((0..9_u8, 0..3_usize, 0..3_usize), 0..150),
    ) {
        let mut shuffled = Shuffled::new(priorities, limited);
        for (step, class, about) in steps {
            match step {
                0..=4 => shuffled.send(class, about, step == 0),
                5 => shuffled.opens_or_closes(),
                6 => shuffled.pong(),
                7 => shuffled.wait(40),
                _ => shuffled.wait(1500),
            }
        }
        for _ in 0..200 {
            if shuffled.hub.link_state() == LinkState::Opening {
                shuffled.opens_or_closes();
            }
            shuffled.wait(1000);
            shuffled.pong();
        }
        let up = shuffled.hub.account().up;
        prop_assert_eq!((up.confirmed, up.pending, up.dropped()), (shuffled.sent, 0, 0));
    }
}
