use super::*;
use crate::journal::{Header, Purpose};
use crate::time::UnixMillis;
use alloc::vec::Vec;

const IDENTITY: &str = "edge-1";
const FIRST: SegmentNumber = SegmentNumber(1);

fn entry(number: u64) -> Entry {
    Entry { number: EntryNumber(number), class: 1, at: UnixMillis(2), reason: None, frame: "{}".into() }
}

/// A writer over one segment with this many entries.
fn writer(entries: u64) -> Writer {
    let mut recovery = Recovery::new(Purpose::Messages, IDENTITY);
    let (purpose, identity) = (Purpose::Messages, IDENTITY.into());
    let mut bytes = Header { purpose, identity, segment: FIRST, unused: EntryNumber(1) }.encode();
    for number in 1..=entries {
        Record::of(&entry(number)).encode(recovery.seed(), &mut bytes);
    }
    assert_eq!(recovery.segment(FIRST, &bytes), Ok(()));
    Writer::new(Settings::default(), recovery)
}

fn events(writer: &mut Writer) -> Vec<Event> {
    core::iter::from_fn(|| writer.poll_event()).collect()
}

/// Takes the next command, which must be of this kind, and carries it out.
fn done(writer: &mut Writer, is_expected: fn(&Command) -> bool) {
    let command = writer.next_command();
    assert!(command.as_ref().is_some_and(is_expected), "{command:?}");
    writer.handle(Input::Completed(Completion::Done));
}

#[test]
fn what_could_not_be_made_durable_at_the_start_is_not_trusted_again() {
    let mut writer = writer(3);
    assert_eq!(writer.next_command(), Some(Command::Sync { segment: FIRST }));
    writer.handle(Input::Failed(Fault::Other));
    assert!(writer.must_be_read_again() && !writer.wants_retry());
    // The next sync would succeed, whatever the first one lost.
    writer.handle(Input::Retry);
    writer.handle(Input::Operation(Operation::Store(entry(4))));
    assert_eq!(writer.next_command(), None);
    assert!(!writer.is_started());
    writer.handle(Input::Close);
    assert_eq!(writer.next_command(), None);
    assert_eq!(events(&mut writer), [Event::Health(Health::Failing), Event::Closed { unwritten: 1 }]);
}

#[test]
fn after_a_failed_sync_everything_goes_to_a_new_segment() {
    let mut writer = writer(0);
    done(&mut writer, |command| matches!(command, Command::Sync { .. }));
    writer.handle(Input::Operation(Operation::Store(entry(1))));
    // The empty segment that was found is of no use any more.
    done(&mut writer, |command| *command == Command::Delete { segment: FIRST });
    done(&mut writer, |command| matches!(command, Command::Create { segment: SegmentNumber(2), .. }));
    done(&mut writer, |command| matches!(command, Command::Write { segment: SegmentNumber(2), .. }));
    assert_eq!(writer.next_command(), Some(Command::Sync { segment: SegmentNumber(2) }));
    writer.handle(Input::Failed(Fault::Other));
    assert!(writer.wants_retry() && writer.next_command().is_none());
    writer.handle(Input::Retry);
    done(&mut writer, |command| matches!(command, Command::Create { segment: SegmentNumber(3), .. }));
    done(&mut writer, |command| matches!(command, Command::Write { segment: SegmentNumber(3), .. }));
    assert_eq!(events(&mut writer), [Event::Health(Health::Failing)]);
    done(&mut writer, |command| *command == Command::Sync { segment: SegmentNumber(3) });
    let stored = Event::Stored { up_to: EntryNumber(1) };
    assert_eq!(events(&mut writer), [stored, Event::Health(Health::Good)]);
}
