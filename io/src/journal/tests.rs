use super::*;
use edgehub_core::UnixMillis;
use edgehub_core::journal::{FORMAT_VERSION, Header};
use smol::block_on;
use std::fs;
use std::path::Path;

const NODE: &str = "project/edge-1";

fn entry(number: u64, frame: &str) -> Entry {
    Entry { number: EntryNumber(number), class: 2, at: UnixMillis(7), reason: None, frame: frame.into() }
}

fn store(number: u64) -> Operation {
    Operation::Store(entry(number, &format!("{{\"n\":{number}}}")))
}

fn forget(first: u64, last: u64) -> Operation {
    Operation::Forget { first: EntryNumber(first), last: EntryNumber(last) }
}

fn open(path: &Path) -> Opened {
    Opened::open(path, NODE, Options::default()).unwrap()
}

/// Writes these, waits for the end, and returns everything that was told.
fn write(opened: Opened, operations: Vec<Operation>) -> Vec<Event> {
    let journal = opened.start().unwrap();
    journal.append(operations).unwrap();
    end(&journal)
}

fn end(journal: &Journal) -> Vec<Event> {
    journal.close();
    let mut events = Vec::new();
    while let Ok(event) = block_on(journal.events().recv()) {
        events.push(event);
    }
    assert!(matches!(events.last(), Some(Event::Closed { .. })), "{events:?}");
    events
}

/// What lives, as numbers; every frame is checked on the way.
fn live(opened: &Opened) -> Vec<u64> {
    let read = |entry: Entry| {
        assert_eq!(*entry.frame, *format!("{{\"n\":{}}}", entry.number));
        entry.number.0
    };
    opened.entries().map(read).collect()
}

fn segment(path: &Path, number: u64) -> std::path::PathBuf {
    path.join(format!("{number:08}.journal"))
}

#[test]
fn what_was_stored_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let events = write(open(dir.path()), vec![store(1), store(2), store(3), forget(2, 2)]);
    assert!(events.contains(&Event::Stored { up_to: EntryNumber(3) }), "{events:?}");
    let opened = open(dir.path());
    assert_eq!((live(&opened), opened.recovered.unused), (vec![1, 3], EntryNumber(4)));
    // Numbers go on where they ended, and a used one is refused.
    let events = write(opened, vec![forget(0, 3), store(3), store(4)]);
    let refused = Event::Refused { number: EntryNumber(3), reason: RefusedReason::NumberUsed };
    assert!(events.contains(&refused), "{events:?}");
    assert_eq!(live(&open(dir.path())), [4]);
}

#[test]
fn an_entry_is_read_back_while_the_journal_runs() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path()).start().unwrap();
    journal.append(vec![store(1)]).unwrap();
    assert_eq!(block_on(journal.events().recv()), Ok(Event::Stored { up_to: EntryNumber(1) }));
    journal.append(vec![Operation::Fetch(EntryNumber(1)), Operation::Fetch(EntryNumber(9))]).unwrap();
    let mut events = end(&journal);
    events.sort_by_key(|event| !matches!(event, Event::Fetched(_)));
    assert_eq!(events[0], Event::Fetched(entry(1, "{\"n\":1}")));
    assert!(events.contains(&Event::Lost { number: EntryNumber(9) }), "{events:?}");
}

#[test]
fn a_torn_end_is_cut_and_a_damaged_middle_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    write(open(dir.path()), vec![store(1), store(2), store(3)]);
    let file = segment(dir.path(), 1);
    let mut bytes = fs::read(&file).unwrap();
    let (whole, record) = (bytes.len(), 39);
    bytes[whole - 2 * record + 10] ^= 4;
    bytes.extend_from_slice(&[0xff, 0xe7, 1, 1, 9]);
    fs::write(&file, &bytes).unwrap();
    let opened = open(dir.path());
    assert_eq!(live(&opened), [1, 3]);
    let (at, number) = (whole as u64, SegmentNumber(1));
    assert_eq!(opened.recovered.torn, [Torn { segment: number, offset: at, bytes: 5 }]);
    let skipped = Skipped { segment: number, offset: at - 2 * record as u64, bytes: record as u64 };
    assert_eq!(opened.recovered.skipped, [skipped]);
    assert_eq!(fs::metadata(&file).unwrap().len(), at);
}

#[test]
fn what_is_not_ours_is_refused_untouched_or_set_aside() {
    let header = |identity: &str, segment| {
        let unused = EntryNumber(1);
        Header {
            purpose: Purpose::Messages,
            identity: identity.into(),
            segment: SegmentNumber(segment),
            unused,
        }
        .encode()
    };
    let mut newer = header(NODE, 1);
    let version = FORMAT_VERSION + 1;
    newer[8..10].copy_from_slice(&version.to_le_bytes());
    newer[10..12].copy_from_slice(&(!version).to_le_bytes());
    for (bytes, told) in [
        (newer, "format version 2, written by a newer edgehub"),
        (header("project/edge-2", 1), "the journal of another node, `project/edge-2`"),
        (header(NODE, 5), "give the file its old name back"),
        (b"not a journal at all".to_vec(), "keep it for an examination"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let file = segment(dir.path(), 1);
        fs::write(&file, &bytes).unwrap();
        let error = Opened::open(dir.path(), NODE, Options::default()).unwrap_err().to_string();
        assert!(error.contains(told) && error.contains("00000001.journal"), "{error}");
        assert_eq!(fs::read(&file).unwrap(), bytes);
        let options = Options { set_aside: true, ..Options::default() };
        let opened = Opened::open(dir.path(), NODE, options).unwrap();
        let aside = &opened.recovered.set_aside[0].0;
        assert_eq!(fs::read(aside).unwrap(), bytes, "{}", aside.display());
        write(opened, vec![store(1)]);
        assert_eq!(live(&open(dir.path())), [1]);
    }
}

#[test]
fn a_second_owner_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let error = Opened::open(dir.path(), NODE, Options::default()).unwrap_err().to_string();
    assert!(error.contains(&std::process::id().to_string()) && error.contains("in use"), "{error}");
    drop(first);
    open(dir.path());
}

#[test]
fn a_full_journal_waits_for_room_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { segment_bytes: 4096, total_bytes: 24 * 1024, ..Settings::default() };
    let options = Options { settings, ..Options::default() };
    let journal = Opened::open(dir.path(), NODE, options).unwrap().start().unwrap();
    journal.append((1..=1000).map(store).collect()).unwrap();
    let mut stored = 0;
    loop {
        match block_on(journal.events().recv()).unwrap() {
            Event::Stored { up_to } => stored = up_to.0,
            Event::Health(Health::Full(FullReason::Limit)) => break,
            event => panic!("{event:?}"),
        }
    }
    assert!(stored < 1000, "{stored}");
    while stored < 1000 {
        // Only forgetting makes room; what is stored meanwhile is forgotten too.
        journal.append(vec![forget(0, stored)]).unwrap();
        loop {
            if let Event::Stored { up_to } = block_on(journal.events().recv()).unwrap() {
                stored = up_to.0;
                break;
            }
        }
    }
    end(&journal);
    let bytes: u64 =
        fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes <= 25 * 1024, "{bytes}");
}

#[test]
fn too_much_at_once_comes_back_whole() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { settings: Settings { waiting: 10, ..Settings::default() }, ..Options::default() };
    let journal = Opened::open(dir.path(), NODE, options).unwrap().start().unwrap();
    let batch: Vec<_> = (1..=11).map(store).collect();
    assert_eq!(journal.append(batch.clone()), Err(batch));
    journal.append((1..=10).map(store).collect()).unwrap();
    assert!(end(&journal).contains(&Event::Stored { up_to: EntryNumber(10) }));
}

#[test]
fn dead_letters_are_listed_and_sent_again() {
    let (letters, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(open(target.path()), vec![store(1)]);
    assert!(list(letters.path()).unwrap().is_empty());
    let opened = Opened::open(letters.path(), NODE, Options::dead_letters()).unwrap();
    let dropped = |number, frame| {
        Operation::Store(Entry { reason: Some("outbox full".into()), ..entry(number, frame) })
    };
    write(opened, vec![dropped(1, "{\"n\":0}"), dropped(2, "{\"n\":2}")]);
    let listed = list(letters.path()).unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[1].reason.as_deref(), Some("outbox full"));
    let chosen = [EntryNumber(2), EntryNumber(7)].into();
    let to = (target.path(), Options::default());
    let requeued = block_on(requeue(letters.path(), to, NODE, &chosen)).unwrap();
    assert_eq!((requeued.moved, requeued.missing), (1, [EntryNumber(7)].into()));
    assert_eq!(list(letters.path()).unwrap().len(), 1);
    assert_eq!(live(&open(target.path())), [1, 2]);
}

#[test]
fn full_dead_letters_give_up_the_oldest() {
    let letters = tempfile::tempdir().unwrap();
    let dead = Options::dead_letters();
    let settings = Settings { segment_bytes: 4096, total_bytes: 24 * 1024, ..dead.settings };
    let options = Options { settings, ..dead };
    let frame = "x".repeat(200);
    let dropped =
        |number| Operation::Store(Entry { reason: Some("outbox full".into()), ..entry(number, &frame) });
    let opened = Opened::open(letters.path(), NODE, options).unwrap();
    let events = write(opened, (1..=500).map(dropped).collect());
    let discarded = events.iter().map(|event| match event {
        Event::Discarded { entries } => *entries,
        _ => 0,
    });
    let discarded = discarded.sum::<usize>() as u64;
    assert!(events.contains(&Event::Stored { up_to: EntryNumber(500) }), "{events:?}");
    assert!(
        !events.iter().any(|event| matches!(event, Event::Health(_) | Event::Refused { .. })),
        "{events:?}"
    );
    // The newest are there without a gap, and the others are those that were told as given up.
    let numbers: Vec<_> = list(letters.path()).unwrap().iter().map(|entry| entry.number.0).collect();
    assert!(discarded > 400, "{discarded}");
    assert_eq!(numbers, (discarded + 1..=500).collect::<Vec<_>>());
}

/// As many letters as fit are on the disk: what is not asked for stays there.
#[test]
fn requeueing_gives_no_letter_up() {
    const LETTERS: u64 = 60;
    let (letters, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let dead = Options::dead_letters();
    let options = Options { settings: Settings { total_bytes: 128 << 20, ..dead.settings.clone() }, ..dead };
    let journal = Opened::open(letters.path(), NODE, options).unwrap().start().unwrap();
    let frame = "x".repeat(1 << 20);
    for number in 1..=LETTERS {
        let letter = Entry { reason: Some("outbox full".into()), ..entry(number, &frame) };
        journal.append(vec![Operation::Store(letter)]).unwrap();
        assert_eq!(block_on(journal.events().recv()), Ok(Event::Stored { up_to: EntryNumber(number) }));
    }
    end(&journal);
    let to = (target.path(), Options::default());
    let requeued = block_on(requeue(letters.path(), to, NODE, &[EntryNumber(LETTERS)].into())).unwrap();
    assert_eq!(requeued.moved, 1);
    let left: Vec<_> = list(letters.path()).unwrap().iter().map(|entry| entry.number.0).collect();
    assert_eq!(left, (1..LETTERS).collect::<Vec<_>>());
}

/// What the journal has no room for stays a dead letter, and nothing is in both.
#[test]
fn requeueing_into_a_full_journal_moves_what_fits() {
    let (letters, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let frame = "x".repeat(1000);
    let letter = |number, frame: &str| {
        Operation::Store(Entry { reason: Some("outbox full".into()), ..entry(number, frame) })
    };
    let opened = Opened::open(letters.path(), NODE, Options::dead_letters()).unwrap();
    let mut all: Vec<_> = (1..=50).map(|number| letter(number, &frame)).collect();
    all.push(letter(51, &"x".repeat(5000)));
    write(opened, all);
    let settings = Settings { segment_bytes: 4096, total_bytes: 24 * 1024, ..Settings::default() };
    let options = Options { settings, ..Options::default() };
    let to = (target.path(), options.clone());
    let numbers = (1..=51).map(EntryNumber).collect();
    let requeued = block_on(requeue(letters.path(), to, NODE, &numbers)).unwrap();
    let moved = requeued.moved;
    assert_eq!(requeued.health, Health::Full(FullReason::Limit));
    assert_eq!(requeued.too_large, [EntryNumber(51)]);
    assert!((5..15).contains(&moved), "{moved}");
    assert_eq!(requeued.left, (moved as u64 + 1..=50).map(EntryNumber).collect::<Vec<_>>());
    assert_eq!(list(letters.path()).unwrap().len(), 51 - moved);
    assert_eq!(Opened::open(target.path(), NODE, options).unwrap().entries().count(), moved);
}
