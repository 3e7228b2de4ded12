//! One record: an input with its time, or what the outputs so far amount to.
//!
//! | byte | meaning |
//! |---|---|
//! | tag, low 5 bits | the kind, see [`Kind`] |
//! | tag, bit 5 | the same epoch or module as in the record before that had one |
//! | tag, bit 6 | the wall clock moved as the monotonic one did |
//! | tag, bit 7 | the same moment as the record before |
//! | then | times, where they differ; epoch or module, where it differs; what belongs to the kind |

mod reader;
mod writer;

pub(super) use reader::RecordReader;
pub(super) use writer::RecordWriter;

use crate::hub::{Input, JournalEvent, LinkEpoch, LinkEvent, ModuleEvent, ModuleId};
use crate::message::Message;
use crate::time::{Instant, Now};

/// One record of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// Something happened.
    Input {
        /// When.
        now: Now,
        /// What.
        input: Input,
        /// The hash of the message's content, where only that was kept.
        content_hash: Option<u64>,
    },
    /// The outputs since the last such record; there is none where there were no outputs.
    Outputs {
        /// How many.
        count: u64,
        /// What they were; see [`Digest`](super::Digest).
        digest: u64,
    },
}

impl Record {
    /// The message that a module or the cloud sent, or that was restored from the journal.
    pub(super) fn message(&self) -> Option<&Message> {
        let Record::Input { input, .. } = self else { return None };
        match input {
            Input::Link { event: LinkEvent::Received(message), .. }
            | Input::Module { event: ModuleEvent::Sent { message, .. }, .. }
            | Input::Journal(JournalEvent::Restored { message, .. }) => Some(message),
            _ => None,
        }
    }
}

/// The kinds of records. The numbers are part of the format: a new kind comes last, and no number is used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Outputs,
    Tick,
    Shutdown,
    Reconfigure,
    Opened,
    OpenFailed,
    Received,
    Malformed,
    Flushed,
    Pong,
    Closed,
    Joined,
    Left,
    Sent,
    Ready,
    Progress,
    JournalOpened,
    Restored,
    Stored,
    Refused,
    Fetched,
    Lost,
    JournalHealth,
    LettersOpened,
    LetterStored,
    LetterLost,
    LettersDiscarded,
    Renewed,
    Reached,
}

const KINDS: [Kind; 29] = [
    Kind::Outputs,
    Kind::Tick,
    Kind::Shutdown,
    Kind::Reconfigure,
    Kind::Opened,
    Kind::OpenFailed,
    Kind::Received,
    Kind::Malformed,
    Kind::Flushed,
    Kind::Pong,
    Kind::Closed,
    Kind::Joined,
    Kind::Left,
    Kind::Sent,
    Kind::Ready,
    Kind::Progress,
    Kind::JournalOpened,
    Kind::Restored,
    Kind::Stored,
    Kind::Refused,
    Kind::Fetched,
    Kind::Lost,
    Kind::JournalHealth,
    Kind::LettersOpened,
    Kind::LetterStored,
    Kind::LetterLost,
    Kind::LettersDiscarded,
    Kind::Renewed,
    Kind::Reached,
];

const SAME_WHOM: u8 = 1 << 5;
const SAME_WALL: u8 = 1 << 6;
const SAME_NOW: u8 = 1 << 7;

/// What the record before said, where the next one says only the difference. Both sides keep one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before {
    pub(super) now: Now,
    epoch: LinkEpoch,
    module: ModuleId,
}

impl Before {
    pub(super) fn at(now: Now) -> Before {
        Before { now, epoch: LinkEpoch(0), module: ModuleId(0) }
    }

    /// What the wall clock shows if it moved as the monotonic one did.
    fn expected_wall(&self, mono: Instant) -> i64 {
        let moved = (mono.0 / 1000).wrapping_sub(self.now.mono.0 / 1000) as i64;
        self.now.wall.0.wrapping_add(moved)
    }
}

#[cfg(test)]
mod tests {
    use super::super::template::ContentRule;
    use super::*;
    use crate::config::Config;
    use crate::hub::{LetterNumber, ReceiptId};
    use crate::journal::{EntryNumber, FullReason, Health};
    use crate::message::{Content, Draft};
    use crate::time::UnixMillis;
    use crate::violation::Violation;
    use alloc::boxed::Box;
    use alloc::vec;
    use alloc::vec::Vec;
    use core::time::Duration;
    use proptest::prelude::*;

    #[test]
    fn kinds_have_their_numbers() {
        for (number, kind) in KINDS.into_iter().enumerate() {
            assert_eq!(kind as usize, number);
        }
    }

    fn message() -> impl Strategy<Value = Message> {
        (".{0,4}", "[a-z]{0,4}", any::<i64>(), ".{0,30}", any::<bool>()).prop_map(
            |(id, group, time, text, sync)| {
                let content = Content::Text(&text);
                let draft = Draft {
                    msg_id: &id,
                    group: &group,
                    timestamp: UnixMillis(time),
                    content,
                    sync,
                    ..Draft::default()
                };
                draft.encode().unwrap()
            },
        )
    }

    fn input() -> impl Strategy<Value = Input> {
        let link = prop_oneof![
            Just(LinkEvent::Opened),
            Just(LinkEvent::OpenFailed),
            Just(LinkEvent::Closed),
            message().prop_map(LinkEvent::Received),
            Just(LinkEvent::Malformed(Violation::NotJson { at: 7 })),
            any::<(u32, u32)>().prop_map(|(messages, bytes)| LinkEvent::Flushed {
                messages: messages as usize,
                bytes: bytes as usize
            }),
            any::<u64>().prop_map(LinkEvent::Pong),
            Just(LinkEvent::Progress),
            Just(LinkEvent::Reached),
        ];
        let module = prop_oneof![
            (".{0,4}", prop::collection::vec("[a-z]{0,3}", 0..3), any::<u32>()).prop_map(
                |(name, groups, credit)| {
                    let groups = groups.into_iter().map(Box::from).collect();
                    ModuleEvent::Joined { name: name.into(), groups, credit }
                }
            ),
            Just(ModuleEvent::Left),
            (message(), any::<Option<Duration>>(), prop::option::of(0..u64::MAX)).prop_map(
                |(message, timeout, receipt)| {
                    ModuleEvent::Sent { message, timeout, receipt: receipt.map(ReceiptId) }
                }
            ),
            any::<u32>().prop_map(|credit| ModuleEvent::Ready { credit }),
        ];
        let number = || any::<u64>().prop_map(EntryNumber);
        let letter = || any::<u64>().prop_map(LetterNumber);
        let health = prop_oneof![
            Just(Health::Good),
            Just(Health::Full(FullReason::Limit)),
            Just(Health::Full(FullReason::Disk)),
            Just(Health::Failing),
        ];
        let journal = prop_oneof![
            (number(), any::<u32>())
                .prop_map(|(unused, bytes)| JournalEvent::Opened { unused, frame_bytes_max: bytes as usize }),
            (number(), message()).prop_map(|(number, message)| JournalEvent::Restored { number, message }),
            (number(), message()).prop_map(|(number, message)| JournalEvent::Fetched { number, message }),
            number().prop_map(|up_to| JournalEvent::Stored { up_to }),
            number().prop_map(|number| JournalEvent::Refused { number }),
            number().prop_map(|number| JournalEvent::Lost { number }),
            health.prop_map(JournalEvent::Health),
            Just(JournalEvent::LettersOpened),
            letter().prop_map(|up_to| JournalEvent::LetterStored { up_to }),
            letter().prop_map(|number| JournalEvent::LetterLost { number }),
            any::<u64>().prop_map(|letters| JournalEvent::LettersDiscarded { letters }),
        ];
        prop_oneof![
            Just(Input::Tick),
            journal.prop_map(Input::Journal),
            Just(Input::Shutdown),
            Just(Input::Renewed),
            Just(Input::Reconfigure(Box::new(Config::classic()))),
            (0u64..3, link).prop_map(|(epoch, event)| Input::Link { epoch: LinkEpoch(epoch), event }),
            (0u32..3, module).prop_map(|(module, event)| Input::Module { module: ModuleId(module), event }),
        ]
    }

    proptest! {
        /// Any inputs at any times, clocks that jump included.
        #[test]
        fn what_is_written_is_read(
            inputs in prop::collection::vec((input(), any::<u64>(), any::<i64>(), any::<bool>()), 0..20)
        ) {
            let begin = Now::new(5, 1_700_000_000_000);
            let (mut writer, mut out, mut now) = (RecordWriter::new(begin, 1), Vec::new(), begin);
            let mut expected = Vec::new();
            for (input, mono, wall, jumps) in inputs {
                now = if jumps { Now::new(mono, wall) } else { now };
                writer.put_input(&mut out, now, &input, ContentRule::Keep);
                writer.put_outputs(&mut out, 3, mono);
                expected.push(Record::Input { now, input, content_hash: None });
                expected.push(Record::Outputs { count: 3, digest: mono });
            }
            let mut reader = RecordReader::new(&out, begin, true);
            for record in expected {
                prop_assert_eq!(reader.read(), Ok(record));
            }
            prop_assert!(reader.is_at_end());
        }

        /// Bytes that are no records are refused, not panicked at.
        #[test]
        fn any_bytes_are_safe(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = RecordReader::new(&bytes, Now::default(), false);
            while !reader.is_at_end() && reader.read().is_ok() {}
        }
    }
}
