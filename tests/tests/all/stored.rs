//! The journal as scripts: what is stored, forgotten, left there and taken up again, and what the sender is told.

use crate::script::{Script, message, request};
use edgehub_core::class::{Class, Classes, Overflow};
use edgehub_core::hub::{DropReason, JournalEvent, ReceiptId};
use edgehub_core::journal::{EntryNumber, FullReason, Health};
use edgehub_core::limits::{JOURNAL_UNSTORED_BYTES, JOURNAL_UNSTORED_BYTES_MAX, SPOOL_AHEAD_MESSAGES};
use edgehub_core::{Config, Content, Draft, Input, LinkEvent, Message, ModuleEvent, Note};
use std::collections::BTreeMap;
use std::time::Duration;

/// One class for everything.
fn only(class: Class) -> Config {
    let class = Class { persistent: true, ..class };
    let classes = Classes { classes: vec![class], rules: vec![], otherwise: 0 };
    Config { classes, rate: None, drain: None, heartbeat: Duration::from_secs(600), ..Config::default() }
}

/// A hub with a journal whose first free number is 10, and without a link.
fn offline(config: Config) -> Script {
    let mut script = Script::new(config);
    let unused = EntryNumber(10);
    journal(&mut script, JournalEvent::Opened { unused, frame_bytes_max: 10_000 });
    script.join(1, "m", &[], 100).expect(&["open 1"]);
    script
}

fn journal(script: &mut Script, event: JournalEvent) {
    script.input(Input::Journal(event));
}

fn stored(script: &mut Script, up_to: u64) {
    journal(script, JournalEvent::Stored { up_to: EntryNumber(up_to) });
}

fn ask(script: &mut Script, message: Message) {
    let receipt = Some(ReceiptId(message.msg_id().bytes().map(u64::from).sum()));
    script.module(1, ModuleEvent::Sent { message, timeout: None, receipt });
}

fn about(id: &str, resource: &str, bytes: usize) -> Message {
    let content = "x".repeat(bytes);
    Draft {
        msg_id: id,
        source: "s",
        group: "g",
        resource,
        content: Content::Text(&content),
        ..Draft::default()
    }
    .encode()
    .unwrap()
}

fn balanced(script: &Script) {
    let account = script.hub.account();
    assert!(account.balanced(), "{account:?}");
}

#[test]
fn a_message_is_written_before_it_is_stored_and_told_as_stored_only_then() {
    let mut script = offline(only(Class::default()));
    ask(&mut script, message("a", "g", "update"));
    script.expect(&["store a as 10"]);
    script.link(LinkEvent::Opened).expect(&["write keepalive", "write a"]);
    stored(&mut script, 9);
    script.expect(&[]);
    stored(&mut script, 10);
    script.expect(&["receipt a Stored"]);
    stored(&mut script, 10);
    script.expect(&[]);
    script.at(60).expect(&["ping"]);
    script.pong().expect(&["receipt a Confirmed", "forget 10"]);
}

#[test]
fn confirmed_ones_are_forgotten_together_and_nobody_hears_of_them_as_stored() {
    let mut script = offline(only(Class::default()));
    for id in ["a", "b", "c"] {
        ask(&mut script, message(id, "g", "update"));
    }
    script.link(LinkEvent::Opened).at(60).seen();
    script.pong().expect(&[
        "receipt a Confirmed",
        "receipt b Confirmed",
        "receipt c Confirmed",
        "forget 10-12",
    ]);
    stored(&mut script, 12);
    script.expect(&[]);
    balanced(&script);
}

#[test]
fn what_is_dropped_is_forgotten() {
    let class = Class { messages: Some(1), time_to_live: Some(Duration::from_secs(1)), ..Class::default() };
    let mut script = offline(only(class));
    script.send(1, message("a", "g", "update")).expect(&["store a as 10"]);
    script.send(1, message("b", "g", "update")).expect(&["store b as 11", "forget 10"]);
    script.at(1000).expect(&["forget 11"]);
    balanced(&script);
}

#[test]
fn requests_and_other_classes_are_not_stored() {
    let mut script = offline(only(Class::default()));
    script.send(1, request("a")).expect(&[]);
    let mut config = only(Class::default());
    config.classes.classes[0].persistent = false;
    let mut script = offline(config);
    script.send(1, message("a", "g", "update")).expect(&[]);
}

#[test]
fn without_a_journal_nothing_is_stored() {
    let mut script = Script::new(only(Class::default()));
    script.join(1, "m", &[], 100).send(1, message("a", "g", "update")).expect(&["open 1"]);
    // It came too late: numbers are given out already.
    journal(&mut script, JournalEvent::Opened { unused: EntryNumber(10), frame_bytes_max: 10_000 });
    script.send(1, message("b", "g", "update")).expect(&[]);
    assert!(script.notes().contains(&Note::UnexpectedJournalEvent));
}

#[test]
fn what_was_there_before_the_start_goes_first_in_its_old_order() {
    let mut script = offline(only(Class::default()));
    let restore = |script: &mut Script, number: u64, id: &str| {
        let message = message(id, "g", "update");
        journal(script, JournalEvent::Restored { number: EntryNumber(number), message });
    };
    restore(&mut script, 3, "a");
    // A module that is quick does not get ahead.
    script.send(1, message("new", "g", "update")).expect(&["store new as 10"]);
    restore(&mut script, 7, "b");
    assert_eq!(script.notes(), []);
    // Neither again, nor out of order, nor under a number that is new.
    for number in [7, 5, 10] {
        restore(&mut script, number, "c");
        assert_eq!(script.notes(), [Note::UnexpectedJournalEvent], "{number}");
    }
    script.link(LinkEvent::Opened).expect(&["write keepalive", "write a", "write b", "write new"]);
    assert_eq!((script.hub.account().restored, script.hub.account().up.pending), (2, 3));
    script.at(60).pong().expect(&["ping", "forget 3", "forget 7", "forget 10"]);
    balanced(&script);
}

#[test]
fn what_was_there_and_cannot_be_read_is_told_and_forgotten() {
    let mut script = offline(only(Class::default()));
    journal(&mut script, JournalEvent::Lost { number: EntryNumber(4) });
    script.expect(&["forget 4"]);
    assert_eq!(script.notes(), [Note::EntryLost { number: EntryNumber(4) }]);
    assert_eq!(script.hub.account().up.accepted, 0);
}

#[test]
fn a_full_journal_makes_modules_wait_and_says_so() {
    let mut script = offline(only(Class::default()));
    script.notes();
    let health = Health::Full(FullReason::Disk);
    journal(&mut script, JournalEvent::Health(health));
    assert_eq!(script.notes(), [Note::JournalHealth { health }]);
    let bytes = about("0", "r", 9_000).bytes();
    let (mut sent, mut seen) = (0, Vec::new());
    while !seen.contains(&"intake false".to_string()) {
        sent += 1;
        seen.extend(script.send(1, about(&sent.to_string(), "r", 9_000)).seen());
    }
    assert!((sent - 1) * bytes < JOURNAL_UNSTORED_BYTES && sent * bytes >= JOURNAL_UNSTORED_BYTES, "{sent}");
    // Whoever does not wait is refused in the end, for a reason.
    script.notes();
    while script.hub.account().up.dropped() == 0 {
        sent += 1;
        script.send(1, about(&sent.to_string(), "r", 9_000));
    }
    assert!((sent - 1) * bytes >= JOURNAL_UNSTORED_BYTES_MAX, "{sent}");
    assert_eq!(script.hub.account().up.dropped_for(DropReason::JournalFull), 1);
    script.seen();
    journal(&mut script, JournalEvent::Health(Health::Good));
    stored(&mut script, 9 + sent as u64);
    script.expect(&["intake true"]);
    balanced(&script);
}

#[test]
fn the_journals_longest_frame_is_the_limit_of_a_class() {
    let empty = about("a", "r", 0).bytes();
    let mut script = offline(only(Class::default()));
    ask(&mut script, about("a", "r", 10_000 - empty));
    script.expect(&["store a as 10"]);
    ask(&mut script, about("a", "r", 10_001 - empty));
    script.expect(&["receipt a Dropped { reason: TooLargeForClass, limit: Some(10000) }"]);
}

#[test]
fn what_the_journal_refuses_goes_on_in_memory() {
    let mut script = offline(only(Class::default()));
    ask(&mut script, message("a", "g", "update"));
    script.notes();
    journal(&mut script, JournalEvent::Refused { number: EntryNumber(10) });
    assert_eq!(script.notes(), [Note::NotStored { msg_id: "a".into() }]);
    stored(&mut script, 10);
    script.seen();
    script.link(LinkEvent::Opened).at(60).pong();
    script.expect(&["write keepalive", "write a", "ping", "receipt a Confirmed"]);
}

#[test]
fn a_stop_leaves_to_the_journal_what_it_has() {
    let config = || only(Class { overflow: Overflow::Reject, ..Class::default() });
    let mut script = offline(config());
    ask(&mut script, message("a", "g", "update"));
    stored(&mut script, 10);
    ask(&mut script, message("b", "g", "update"));
    script.send(1, request("q")).seen();
    script.input(Input::Shutdown);
    let seen = script.seen();
    assert!(!seen.iter().any(|line| line.starts_with("forget") || line.contains("Dropped")), "{seen:?}");
    assert_eq!((script.hub.account().up.pending, script.hub.account().up.dropped()), (2, 1));
    // The last that is heard of it.
    stored(&mut script, 11);
    script.expect(&["receipt b Stored"]);
    // What is stored stays so, whatever becomes of the disk.
    journal(&mut script, JournalEvent::Health(Health::Failing));
    script.expect(&[]);
    balanced(&script);
    // A journal that fails is not relied upon.
    let mut script = offline(config());
    ask(&mut script, message("a", "g", "update"));
    stored(&mut script, 10);
    ask(&mut script, message("b", "g", "update"));
    journal(&mut script, JournalEvent::Health(Health::Failing));
    script.seen();
    script.input(Input::Shutdown);
    let seen = script.seen();
    assert_eq!(seen[1..], ["receipt b Dropped { reason: Shutdown, limit: None }", "forget 11", "stopped"]);
    balanced(&script);
}

#[test]
fn what_the_journal_cannot_keep_after_a_stop_is_dropped() {
    let number = EntryNumber(11);
    let events = [
        (JournalEvent::Health(Health::Full(FullReason::Limit)), vec!["bc", "forget 11-12"]),
        (JournalEvent::Refused { number }, vec!["b"]),
    ];
    for (event, expected) in events {
        let mut script = offline(only(Class::default()));
        ask(&mut script, message("a", "g", "update"));
        stored(&mut script, 10);
        ask(&mut script, message("b", "g", "update"));
        ask(&mut script, message("c", "g", "update"));
        script.input(Input::Shutdown).seen();
        assert_eq!(script.hub.account().up.pending, 3);
        journal(&mut script, event);
        let told = |id| format!("receipt {id} Dropped {{ reason: Shutdown, limit: None }}");
        let dropped = expected[0].chars().map(told);
        let rest = expected[1..].iter().map(|line| line.to_string());
        assert_eq!(script.seen(), dropped.chain(rest).collect::<Vec<_>>());
        assert_eq!(script.hub.account().up.pending + expected[0].len() as u64, 3);
        balanced(&script);
    }
}

/// A journal that answers: what was stored can be read back.
struct Spool {
    script: Script,
    kept: BTreeMap<u64, Message>,
    next: u64,
}

impl Spool {
    fn new(class: Class) -> Spool {
        let config = Config { spool_above: 1000, ..only(class) };
        Spool { script: offline(config), kept: BTreeMap::new(), next: 10 }
    }

    fn send(&mut self, message: Message) -> &mut Spool {
        self.kept.insert(self.next, message.clone());
        self.script.send(1, message);
        stored(&mut self.script, self.next);
        self.next += 1;
        self
    }

    /// Answers every fetch until there is none; returns what was written meanwhile.
    fn answer(&mut self) -> Vec<String> {
        let mut written = Vec::new();
        loop {
            let seen = self.script.seen();
            let fetches: Vec<u64> =
                seen.iter().filter_map(|line| line.strip_prefix("fetch ")?.parse().ok()).collect();
            written
                .extend(seen.into_iter().filter_map(|line| Some(line.strip_prefix("write ")?.to_string())));
            assert!(fetches.len() <= SPOOL_AHEAD_MESSAGES, "{}", fetches.len());
            if fetches.is_empty() {
                return written;
            }
            for number in fetches {
                let message = self.kept[&number].clone();
                journal(&mut self.script, JournalEvent::Fetched { number: EntryNumber(number), message });
            }
            self.script.flush();
        }
    }
}

#[test]
fn what_is_left_to_the_journal_comes_back_in_its_turn() {
    let mut spool = Spool::new(Class::default());
    for number in 0..1000 {
        spool.send(about(&number.to_string(), "r", 100));
    }
    assert!(spool.script.hub.spooled() > 980, "{}", spool.script.hub.spooled());
    assert_eq!(spool.script.hub.account().up.pending, 1000);
    spool.script.link(LinkEvent::Opened);
    let mut written = spool.answer();
    while spool.script.hub.queued() > 0 {
        // No more is on its way than a link carries in a second.
        spool.script.pong();
        written.extend(spool.answer());
    }
    let expected: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
    assert_eq!(written[1..], expected, "the keepalive, and then everything");
    spool.script.at(100).pong();
    assert_eq!((spool.script.hub.spooled(), spool.script.hub.account().up.pending), (0, 0));
    balanced(&spool.script);
}

#[test]
fn what_is_away_can_be_superseded_expire_and_make_room() {
    let mut spool = Spool::new(Class { coalesce: true, ..Class::default() });
    for id in ["a1", "b1", "c1", "d1"] {
        spool.send(about(id, &id[..1], 600));
    }
    assert_eq!(spool.script.hub.spooled(), 3);
    spool.script.notes();
    spool.send(about("b2", "b", 600));
    let reason = DropReason::Superseded;
    let dropped = |note: &Note| matches!(note, Note::Dropped { msg_id, reason: why, .. } if &**msg_id == "b1" && *why == reason);
    assert!(spool.script.notes().iter().any(dropped));
    spool.script.link(LinkEvent::Opened);
    assert_eq!(spool.answer(), ["keepalive", "a1", "c1", "d1", "b2"]);

    let mut spool = Spool::new(Class { time_to_live: Some(Duration::from_secs(1)), ..Class::default() });
    spool.send(about("a", "r", 900)).send(about("b", "r", 900));
    spool.script.seen();
    spool.script.at(1000).expect(&["forget 10-11"]);

    let mut spool = Spool::new(Class { messages: Some(2), ..Class::default() });
    spool
        .send(about("a", "r", 900))
        .send(about("b", "r", 900))
        .send(about("c", "r", 900))
        .send(about("d", "r", 900));
    spool.script.link(LinkEvent::Opened);
    assert_eq!(spool.answer(), ["keepalive", "c", "d"]);
    balanced(&spool.script);
}

#[test]
fn what_cannot_be_read_back_is_dropped_for_that_reason_and_the_next_one_goes() {
    let mut spool = Spool::new(Class::default());
    spool.send(about("a", "r", 10)).send(about("b", "r", 900)).send(about("c", "r", 900));
    spool.script.seen();
    spool.script.link(LinkEvent::Opened).expect(&["write keepalive", "write a", "fetch 11", "fetch 12"]);
    journal(&mut spool.script, JournalEvent::Lost { number: EntryNumber(11) });
    spool.script.expect(&["forget 11"]);
    // Something else under its number is as good as nothing.
    let number = EntryNumber(12);
    journal(&mut spool.script, JournalEvent::Fetched { number, message: message("x", "g", "update") });
    spool.script.expect(&["forget 12"]);
    assert_eq!(spool.script.hub.account().up.dropped_for(DropReason::JournalLost), 2);
    balanced(&spool.script);
}

#[test]
fn nothing_of_its_class_overtakes_a_message_that_is_away() {
    let mut spool = Spool::new(Class::default());
    spool.send(about("a", "r", 10)).send(about("b", "r", 900));
    spool.script.link(LinkEvent::Opened).seen();
    spool.send(about("c", "r", 10));
    assert!(!spool.script.seen().iter().any(|line| line.starts_with("write")), "b is not back yet");
    assert_eq!(spool.script.deadline_us().map(|at| at > 0), Some(true));
    let message = spool.kept[&11].clone();
    journal(&mut spool.script, JournalEvent::Fetched { number: EntryNumber(11), message });
    let seen = spool.script.seen();
    let written: Vec<_> = seen.iter().filter(|line| line.starts_with("write")).collect();
    assert_eq!(written, ["write b", "write c"]);
}
