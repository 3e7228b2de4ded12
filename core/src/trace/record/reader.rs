//! Reads records.

use super::super::problem::Broken;
use super::super::template::MessageReader;
use super::super::wire::Cursor;
use super::{Before, KINDS, Kind, Record, SAME_NOW, SAME_WALL, SAME_WHOM};
use crate::config::Config;
use crate::hub::{Input, JournalEvent, LetterNumber, LinkEpoch, LinkEvent, ModuleEvent, ModuleId, ReceiptId};
use crate::journal::EntryNumber;
use crate::time::{Instant, Now, UnixMillis};
use crate::violation::Violation;
use alloc::boxed::Box;
use core::time::Duration;

/// Reads the records of one block.
#[derive(Debug)]
pub(in crate::trace) struct RecordReader<'a> {
    cursor: Cursor<'a>,
    before: Before,
    messages: MessageReader,
}

impl<'a> RecordReader<'a> {
    pub(in crate::trace) fn new(raw: &'a [u8], begin: Now, kept: bool) -> RecordReader<'a> {
        RecordReader {
            cursor: Cursor::new(raw),
            before: Before::at(begin),
            messages: MessageReader::new(kept),
        }
    }

    /// Whether everything has been read.
    pub(in crate::trace) fn is_at_end(&self) -> bool {
        self.cursor.is_empty()
    }

    /// Bytes that have not been read.
    pub(in crate::trace) fn left(&self) -> usize {
        self.cursor.left()
    }

    /// The next record.
    pub(in crate::trace) fn read(&mut self) -> Result<Record, Broken> {
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
            Kind::Renewed => Input::Renewed,
            Kind::Reconfigure => Input::Reconfigure(Box::new(self.read_json::<Config>()?)),
            Kind::Opened
            | Kind::OpenFailed
            | Kind::Received
            | Kind::Malformed
            | Kind::Flushed
            | Kind::Pong
            | Kind::Progress
            | Kind::Reached
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
            | Kind::JournalHealth
            | Kind::LettersOpened
            | Kind::LetterStored
            | Kind::LetterLost
            | Kind::LettersDiscarded => {
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
        if kind == Kind::LettersOpened {
            return Ok((JournalEvent::LettersOpened, None));
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
            Kind::LetterStored => JournalEvent::LetterStored { up_to: LetterNumber(number.0) },
            Kind::LetterLost => JournalEvent::LetterLost { number: LetterNumber(number.0) },
            Kind::LettersDiscarded => JournalEvent::LettersDiscarded { letters: number.0 },
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
            Kind::Reached => LinkEvent::Reached,
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
