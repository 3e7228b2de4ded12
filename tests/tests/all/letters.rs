//! Dead letters as scripts: what becomes one, and when the journal may forget what it was about.

use crate::script::{Script, message};
use edgehub_core::class::{Class, Classes};
use edgehub_core::hub::{DropReason, JournalEvent, LetterNumber};
use edgehub_core::journal::EntryNumber;
use edgehub_core::limits::{LETTERS_FETCHED_MAX, LETTERS_UNSTORED_MESSAGES};
use edgehub_core::{Config, Content, Draft, Input, LinkEvent, Message, Note};
use std::time::Duration;

fn config(class: Class) -> Config {
    let class = Class { dead_letters: true, messages: class.messages.or(Some(1)), ..class };
    let classes = Classes { classes: vec![class], rules: vec![], otherwise: 0 };
    let heartbeat = Duration::from_secs(600);
    Config { classes, rate: None, drain: None, heartbeat, spool_above: 1500, ..Config::default() }
}

fn journal(script: &mut Script, event: JournalEvent) -> &mut Script {
    script.input(Input::Journal(event))
}

/// A hub with both journals, and without a link.
fn offline(config: Config) -> Script {
    let mut script = Script::new(config);
    journal(&mut script, JournalEvent::LettersOpened);
    journal(&mut script, JournalEvent::Opened { unused: EntryNumber(10), frame_bytes_max: 10_000 });
    script.join(1, "m", &[], 100).expect(&["open 1"]);
    script
}

fn buried(script: &mut Script, up_to: u64) -> &mut Script {
    journal(script, JournalEvent::LetterStored { up_to: LetterNumber(up_to) })
}

fn long(id: &str) -> Message {
    let content = "x".repeat(900);
    let draft =
        Draft { msg_id: id, source: "s", group: "g", content: Content::Text(&content), ..Draft::default() };
    draft.encode().unwrap()
}

/// Stored, in the journal, under this number.
fn kept(script: &mut Script, id: &str, number: u64) {
    script.send(1, long(id));
    journal(script, JournalEvent::Stored { up_to: EntryNumber(number) });
}

#[test]
fn what_is_dropped_is_buried_with_its_reason() {
    let mut script = offline(config(Class { message_bytes: Some(500), ..Class::default() }));
    script.send(1, message("a", "g", "update")).expect(&[]);
    script.send(1, message("b", "g", "update")).expect(&["bury a as 1: class full"]);
    let refused = "receipt c Dropped { reason: TooLargeForClass, limit: Some(500) }";
    script.send(1, long("c")).expect(&[refused, "bury c as 2: larger than its class allows"]);
    script.input(Input::Shutdown);
    script.expect(&["close 1", "bury b as 3: hub shutting down", "stopped"]);
    // Also what is refused afterwards.
    script.send(1, message("d", "g", "update")).expect(&["bury d as 4: hub shutting down"]);
    assert_eq!(script.hub.account().letters, 0, "nothing is durable yet");
    buried(&mut script, 3);
    journal(&mut script, JournalEvent::LetterLost { number: LetterNumber(4) });
    journal(&mut script, JournalEvent::LettersDiscarded { letters: 7 });
    let account = script.hub.account();
    assert_eq!((account.letters, account.letters_lost, account.letters_discarded), (3, 1, 7));
    assert!(account.balanced(), "{account:?}");
}

/// It would undo the newer one, were it sent again.
#[test]
fn what_is_superseded_is_no_letter() {
    let class = Class { coalesce: true, persistent: true, messages: Some(2), ..Class::default() };
    let mut script = offline(config(class));
    script.send(1, message("a", "g", "update")).expect(&["store a as 10"]);
    script.send(1, message("b", "g", "update"));
    let seen = script.seen();
    assert!(seen.contains(&"forget 10".into()), "{seen:?}");
    assert!(!seen.iter().any(|line| line.starts_with("bury")), "{seen:?}");
    assert_eq!(script.hub.account().up.dropped_for(DropReason::Superseded), 1);
    assert_eq!(script.hub.letters_under_way(), (0, 0));
}

#[test]
fn without_a_journal_for_them_or_another_class_there_are_none() {
    let mut script = Script::new(config(Class::default()));
    script.join(1, "m", &[], 100).expect(&["open 1"]);
    script.send(1, message("a", "g", "update")).send(1, message("b", "g", "update")).expect(&[]);
    let mut plain = config(Class::default());
    plain.classes.classes[0].dead_letters = false;
    let mut script = offline(plain);
    script.send(1, message("a", "g", "update")).send(1, message("b", "g", "update")).expect(&[]);
}

#[test]
fn the_journal_forgets_a_message_when_its_letter_is_durable() {
    let mut script = offline(config(Class { persistent: true, ..Class::default() }));
    script.send(1, message("a", "g", "update")).expect(&["store a as 10"]);
    script.send(1, message("b", "g", "update")).expect(&["bury a as 1: class full", "store b as 11"]);
    buried(&mut script, 1).expect(&["forget 10"]);
    // A letter that is lost holds nothing up either.
    script.send(1, message("c", "g", "update")).expect(&["bury b as 2: class full", "store c as 12"]);
    journal(&mut script, JournalEvent::LetterLost { number: LetterNumber(2) }).expect(&["forget 11"]);
}

#[test]
fn what_is_left_to_the_journal_is_read_first() {
    let mut script = offline(config(Class { persistent: true, messages: Some(2), ..Class::default() }));
    kept(&mut script, "a", 10);
    kept(&mut script, "b", 11);
    assert_eq!(script.hub.spooled(), 1);
    script.seen();
    script.send(1, long("c")).expect(&["bury a as 1: class full", "store c as 12"]);
    buried(&mut script, 1).expect(&["forget 10"]);
    script.send(1, long("d")).expect(&["store d as 13", "fetch 11"]);
    journal(&mut script, JournalEvent::Fetched { number: EntryNumber(11), message: long("b") });
    script.expect(&["bury b as 2: class full"]);
    buried(&mut script, 2).expect(&["forget 11"]);
    // What cannot be read is no letter, and is counted.
    journal(&mut script, JournalEvent::Stored { up_to: EntryNumber(13) });
    script.send(1, long("e")).send(1, long("f"));
    let seen = script.seen();
    assert!(seen.contains(&"fetch 12".to_string()), "{seen:?}");
    journal(&mut script, JournalEvent::Lost { number: EntryNumber(12) }).expect(&["forget 12"]);
    assert!(script.notes().contains(&Note::LetterLost { reason: DropReason::ClassFull }));
    assert_eq!(script.hub.account().letters_lost, 1);
}

#[test]
fn what_came_back_too_old_is_buried_too() {
    let mut script = offline(config(Class { persistent: true, ..Class::default() }));
    let restored = |number, id| JournalEvent::Restored { number: EntryNumber(number), message: long(id) };
    journal(&mut script, restored(4, "a")).expect(&[]);
    journal(&mut script, restored(7, "b")).expect(&["bury a as 1: class full"]);
    buried(&mut script, 1).expect(&["forget 4"]);
}

#[test]
fn nobody_waits_for_letters_and_what_has_no_room_is_counted() {
    let mut script = offline(config(Class::default()));
    for number in 0..=LETTERS_UNSTORED_MESSAGES + 1 {
        script.send(1, message(&number.to_string(), "g", "update"));
    }
    let buried = script.seen().iter().filter(|line| line.starts_with("bury")).count();
    assert_eq!((buried, script.hub.account().letters_lost), (LETTERS_UNSTORED_MESSAGES, 1));
}

#[test]
fn letters_are_read_from_the_journal_a_few_at_a_time() {
    let class = Class {
        persistent: true,
        messages: None,
        time_to_live: Some(Duration::from_secs(1)),
        ..Class::default()
    };
    let mut script = offline(Config {
        classes: Classes {
            classes: vec![Class { dead_letters: true, ..class }],
            rules: vec![],
            otherwise: 0,
        },
        ..config(Class::default())
    });
    for number in 10..310 {
        kept(&mut script, &number.to_string(), number);
    }
    script.seen();
    script.at(1000);
    let mut asked = 0;
    let mut told = 0;
    loop {
        let seen = script.seen();
        let numbers: Vec<u64> =
            seen.iter().filter_map(|line| line.strip_prefix("fetch ")?.parse().ok()).collect();
        told += seen.iter().filter(|line| line.starts_with("bury")).count();
        if numbers.is_empty() {
            break;
        }
        assert!(numbers.len() <= LETTERS_FETCHED_MAX, "{}", numbers.len());
        asked += numbers.len();
        for number in numbers {
            let message = long(&number.to_string());
            journal(&mut script, JournalEvent::Fetched { number: EntryNumber(number), message });
        }
    }
    assert_eq!((asked, told), (299, 300), "one was in memory");
    buried(&mut script, 300).expect(&["forget 10-309"]);
    script.link(LinkEvent::Opened).expect(&["write keepalive"]);
}
