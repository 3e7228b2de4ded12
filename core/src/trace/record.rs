//! One record: an input with its time, or what the outputs so far amount to.
//!
//! | byte | meaning |
//! |---|---|
//! | tag, low 5 bits | the kind, see [`Kind`] |
//! | tag, bit 5 | the same epoch or module as in the record before that had one |
//! | tag, bit 6 | the wall clock moved as the monotonic one did |
//! | tag, bit 7 | the same moment as the record before |
//! | then | times, where they differ; epoch or module, where it differs; what belongs to the kind |

use super::problem::Broken;
use super::template::{ContentRule, MessageReader, MessageWriter};
use super::wire::{Cursor, put, put_bytes, put_signed};
use crate::config::Config;
use crate::hub::{Input, JournalEvent, LinkEpoch, LinkEvent, ModuleEvent, ModuleId, ReceiptId};
use crate::journal::EntryNumber;
use crate::time::{Instant, Now, UnixMillis};
use crate::violation::Violation;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

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
}

const KINDS: [Kind; 23] = [
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

/// Writes records.
#[derive(Debug)]
pub(super) struct RecordWriter {
    before: Before,
    pub(super) messages: MessageWriter,
}

impl RecordWriter {
    pub(super) fn new(now: Now, key: u64) -> RecordWriter {
        RecordWriter { before: Before::at(now), messages: MessageWriter::new(key) }
    }

    /// Begins another block; returns the hashes of the ids in the last one.
    pub(super) fn begin(&mut self, now: Now) -> Vec<u64> {
        self.before = Before::at(now);
        self.messages.begin()
    }

    pub(super) fn put_outputs(&mut self, out: &mut Vec<u8>, count: u64, digest: u64) {
        out.push(Kind::Outputs as u8);
        put(out, count);
        out.extend_from_slice(&digest.to_le_bytes());
    }

    /// Appends an input. This is the one place that must learn of a new one: it does not compile without.
    pub(super) fn put_input(&mut self, out: &mut Vec<u8>, now: Now, input: &Input, rule: ContentRule) {
        match input {
            Input::Tick => self.put_head(out, Kind::Tick, 0, now),
            Input::Shutdown => self.put_head(out, Kind::Shutdown, 0, now),
            Input::Reconfigure(config) => {
                self.put_head(out, Kind::Reconfigure, 0, now);
                put_json(out, &**config);
            }
            Input::Journal(event) => self.put_journal(out, now, event, rule),
            Input::Link { epoch, event } => self.put_link(out, now, *epoch, event, rule),
            Input::Module { module, event } => self.put_module(out, now, *module, event, rule),
        }
    }

    fn put_journal(&mut self, out: &mut Vec<u8>, now: Now, event: &JournalEvent, rule: ContentRule) {
        match event {
            JournalEvent::Opened { unused, frame_bytes_max } => {
                self.put_head(out, Kind::JournalOpened, 0, now);
                put(out, unused.0);
                put(out, *frame_bytes_max as u64);
            }
            JournalEvent::Restored { number, message } => {
                self.put_head(out, Kind::Restored, 0, now);
                put(out, number.0);
                self.messages.put(out, message, now.wall, rule);
            }
            JournalEvent::Stored { up_to: number }
            | JournalEvent::Refused { number }
            | JournalEvent::Lost { number } => {
                let kind = match event {
                    JournalEvent::Stored { .. } => Kind::Stored,
                    JournalEvent::Refused { .. } => Kind::Refused,
                    _ => Kind::Lost,
                };
                self.put_head(out, kind, 0, now);
                put(out, number.0);
            }
            JournalEvent::Fetched { number, message } => {
                self.put_head(out, Kind::Fetched, 0, now);
                put(out, number.0);
                self.messages.put(out, message, now.wall, rule);
            }
            JournalEvent::Health(health) => {
                self.put_head(out, Kind::JournalHealth, 0, now);
                put_json(out, health);
            }
        }
    }

    fn put_link(
        &mut self,
        out: &mut Vec<u8>,
        now: Now,
        epoch: LinkEpoch,
        event: &LinkEvent,
        rule: ContentRule,
    ) {
        let kind = match event {
            LinkEvent::Opened => Kind::Opened,
            LinkEvent::OpenFailed => Kind::OpenFailed,
            LinkEvent::Received(_) => Kind::Received,
            LinkEvent::Malformed(_) => Kind::Malformed,
            LinkEvent::Flushed { .. } => Kind::Flushed,
            LinkEvent::Pong(_) => Kind::Pong,
            LinkEvent::Progress => Kind::Progress,
            LinkEvent::Closed => Kind::Closed,
        };
        let same = epoch == self.before.epoch;
        self.put_head(out, kind, if same { SAME_WHOM } else { 0 }, now);
        if !same {
            put(out, epoch.0);
            self.before.epoch = epoch;
        }
        match event {
            LinkEvent::Opened | LinkEvent::OpenFailed | LinkEvent::Closed | LinkEvent::Progress => {}
            LinkEvent::Received(message) => self.messages.put(out, message, now.wall, rule),
            LinkEvent::Malformed(violation) => put_json(out, violation),
            LinkEvent::Flushed { messages, bytes } => {
                put(out, *messages as u64);
                put(out, *bytes as u64);
            }
            LinkEvent::Pong(number) => put(out, *number),
        }
    }

    fn put_module(
        &mut self,
        out: &mut Vec<u8>,
        now: Now,
        module: ModuleId,
        event: &ModuleEvent,
        rule: ContentRule,
    ) {
        let kind = match event {
            ModuleEvent::Joined { .. } => Kind::Joined,
            ModuleEvent::Left => Kind::Left,
            ModuleEvent::Sent { .. } => Kind::Sent,
            ModuleEvent::Ready { .. } => Kind::Ready,
        };
        let same = module == self.before.module;
        self.put_head(out, kind, if same { SAME_WHOM } else { 0 }, now);
        if !same {
            put(out, u64::from(module.0));
            self.before.module = module;
        }
        match event {
            ModuleEvent::Joined { name, groups, credit } => {
                put_bytes(out, name.as_bytes());
                put(out, groups.len() as u64);
                groups.iter().for_each(|group| put_bytes(out, group.as_bytes()));
                put(out, u64::from(*credit));
            }
            ModuleEvent::Left => {}
            ModuleEvent::Sent { message, timeout, receipt } => {
                put_timeout(out, *timeout);
                // Most messages have none: then it is one byte.
                put(out, receipt.map_or(0, |receipt| receipt.0.wrapping_add(1)));
                self.messages.put(out, message, now.wall, rule);
            }
            ModuleEvent::Ready { credit } => put(out, u64::from(*credit)),
        }
    }

    fn put_head(&mut self, out: &mut Vec<u8>, kind: Kind, flags: u8, now: Now) {
        let tag = kind as u8 | flags;
        if now == self.before.now {
            return out.push(tag | SAME_NOW);
        }
        let wall = self.before.expected_wall(now.mono);
        let same_wall = wall == now.wall.0;
        out.push(tag | if same_wall { SAME_WALL } else { 0 });
        put_signed(out, now.mono.0.wrapping_sub(self.before.now.mono.0) as i64);
        if !same_wall {
            put_signed(out, now.wall.0.wrapping_sub(wall));
        }
        self.before.now = now;
    }
}

/// What is rare is written as JSON: a later version can still read what it knows of it.
fn put_json(out: &mut Vec<u8>, value: &impl serde::Serialize) {
    put_bytes(out, &serde_json::to_vec(value).unwrap_or_default());
}

/// Zero for none, one for a length in nanoseconds that follows.
fn put_timeout(out: &mut Vec<u8>, timeout: Option<Duration>) {
    match timeout {
        None => out.push(0),
        Some(length) => {
            out.push(1);
            put(out, length.as_secs());
            put(out, u64::from(length.subsec_nanos()));
        }
    }
}

/// Reads the records of one block.
#[derive(Debug)]
pub(super) struct RecordReader<'a> {
    cursor: Cursor<'a>,
    before: Before,
    messages: MessageReader,
}

impl<'a> RecordReader<'a> {
    pub(super) fn new(raw: &'a [u8], begin: Now, kept: bool) -> RecordReader<'a> {
        RecordReader {
            cursor: Cursor::new(raw),
            before: Before::at(begin),
            messages: MessageReader::new(kept),
        }
    }

    /// Whether everything has been read.
    pub(super) fn is_at_end(&self) -> bool {
        self.cursor.is_empty()
    }

    /// The next record.
    pub(super) fn read(&mut self) -> Result<Record, Broken> {
        let tag = self.cursor.byte()?;
        let kind = *KINDS.get(usize::from(tag & 0x1f)).ok_or(Broken("a record of no known kind"))?;
        if kind == Kind::Outputs {
            return Ok(Record::Outputs {
                count: self.cursor.number()?,
                digest: u64::from_le_bytes(self.cursor.array()?),
            });
        }
        self.read_now(tag)?;
        let now = self.before.now;
        let mut content_hash = None;
        let input = match kind {
            Kind::Outputs | Kind::Tick => Input::Tick,
            Kind::Shutdown => Input::Shutdown,
            Kind::Reconfigure => Input::Reconfigure(Box::new(self.read_json::<Config>()?)),
            Kind::Opened
            | Kind::OpenFailed
            | Kind::Received
            | Kind::Malformed
            | Kind::Flushed
            | Kind::Pong
            | Kind::Progress
            | Kind::Closed => {
                if tag & SAME_WHOM == 0 {
                    self.before.epoch = LinkEpoch(self.cursor.number()?);
                }
                let (event, hash) = self.read_link(kind)?;
                content_hash = hash;
                Input::Link { epoch: self.before.epoch, event }
            }
            Kind::JournalOpened
            | Kind::Restored
            | Kind::Stored
            | Kind::Refused
            | Kind::Fetched
            | Kind::Lost
            | Kind::JournalHealth => {
                let (event, hash) = self.read_journal(kind)?;
                content_hash = hash;
                Input::Journal(event)
            }
            Kind::Joined | Kind::Left | Kind::Sent | Kind::Ready => {
                if tag & SAME_WHOM == 0 {
                    self.before.module = ModuleId(self.cursor.narrow()?);
                }
                let (event, hash) = self.read_module(kind)?;
                content_hash = hash;
                Input::Module { module: self.before.module, event }
            }
        };
        Ok(Record::Input { now, input, content_hash })
    }

    fn read_now(&mut self, tag: u8) -> Result<(), Broken> {
        if tag & SAME_NOW != 0 {
            return Ok(());
        }
        let mono = Instant(self.before.now.mono.0.wrapping_add(self.cursor.signed()? as u64));
        let mut wall = self.before.expected_wall(mono);
        if tag & SAME_WALL == 0 {
            wall = wall.wrapping_add(self.cursor.signed()?);
        }
        self.before.now = Now { mono, wall: UnixMillis(wall) };
        Ok(())
    }

    fn read_journal(&mut self, kind: Kind) -> Result<(JournalEvent, Option<u64>), Broken> {
        if kind == Kind::JournalHealth {
            return Ok((JournalEvent::Health(self.read_json()?), None));
        }
        let number = EntryNumber(self.cursor.number()?);
        let event = match kind {
            Kind::JournalOpened => {
                JournalEvent::Opened { unused: number, frame_bytes_max: self.cursor.narrow()? }
            }
            Kind::Restored | Kind::Fetched => {
                let (message, hash) = self.messages.read(&mut self.cursor, self.before.now.wall)?;
                let event = match kind {
                    Kind::Restored => JournalEvent::Restored { number, message },
                    _ => JournalEvent::Fetched { number, message },
                };
                return Ok((event, hash));
            }
            Kind::Stored => JournalEvent::Stored { up_to: number },
            Kind::Refused => JournalEvent::Refused { number },
            _ => JournalEvent::Lost { number },
        };
        Ok((event, None))
    }

    fn read_link(&mut self, kind: Kind) -> Result<(LinkEvent, Option<u64>), Broken> {
        let event = match kind {
            Kind::Opened => LinkEvent::Opened,
            Kind::OpenFailed => LinkEvent::OpenFailed,
            Kind::Received => {
                let (message, hash) = self.messages.read(&mut self.cursor, self.before.now.wall)?;
                return Ok((LinkEvent::Received(message), hash));
            }
            Kind::Malformed => LinkEvent::Malformed(self.read_json::<Violation>()?),
            Kind::Flushed => {
                LinkEvent::Flushed { messages: self.cursor.narrow()?, bytes: self.cursor.narrow()? }
            }
            Kind::Pong => LinkEvent::Pong(self.cursor.number()?),
            Kind::Progress => LinkEvent::Progress,
            _ => LinkEvent::Closed,
        };
        Ok((event, None))
    }

    fn read_module(&mut self, kind: Kind) -> Result<(ModuleEvent, Option<u64>), Broken> {
        let event = match kind {
            Kind::Joined => {
                let name = self.cursor.text()?.into();
                let groups: usize = self.cursor.narrow()?;
                // Each takes a byte at least: a number that claims more is wrong.
                if groups > self.cursor.left() {
                    return Err(Broken("ends too early"));
                }
                let groups =
                    (0..groups).map(|_| self.cursor.text().map(Box::from)).collect::<Result<_, _>>()?;
                ModuleEvent::Joined { name, groups, credit: self.cursor.narrow()? }
            }
            Kind::Sent => {
                let timeout = self.read_timeout()?;
                let receipt = self.cursor.number()?.checked_sub(1).map(ReceiptId);
                let (message, hash) = self.messages.read(&mut self.cursor, self.before.now.wall)?;
                return Ok((ModuleEvent::Sent { message, timeout, receipt }, hash));
            }
            Kind::Ready => ModuleEvent::Ready { credit: self.cursor.narrow()? },
            _ => ModuleEvent::Left,
        };
        Ok((event, None))
    }

    fn read_timeout(&mut self) -> Result<Option<Duration>, Broken> {
        if self.cursor.byte()? == 0 {
            return Ok(None);
        }
        let (seconds, nanos) = (self.cursor.number()?, self.cursor.narrow::<u32>()?);
        // More nanoseconds than a second has would carry, and could overflow.
        if nanos >= 1_000_000_000 {
            return Err(Broken("a length of time makes no sense"));
        }
        Ok(Some(Duration::new(seconds, nanos)))
    }

    fn read_json<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, Broken> {
        serde_json::from_slice(self.cursor.bytes()?).map_err(|_| Broken("a value makes no sense"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Content, Draft};
    use proptest::prelude::*;

    #[test]
    fn kinds_have_their_numbers() {
        for (number, kind) in KINDS.into_iter().enumerate() {
            assert_eq!(kind as usize, number);
        }
    }

    fn message() -> impl Strategy<Value = crate::Message> {
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
        prop_oneof![
            Just(Input::Tick),
            Just(Input::Shutdown),
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
