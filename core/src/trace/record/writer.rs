//! Writes records.

use super::super::template::{ContentRule, MessageWriter};
use super::super::wire::{put, put_bytes, put_signed};
use super::{Before, Kind, SAME_NOW, SAME_WALL, SAME_WHOM};
use crate::hub::{Input, JournalEvent, LetterNumber, LinkEpoch, LinkEvent, ModuleEvent, ModuleId};
use crate::time::Now;
use alloc::vec::Vec;
use core::time::Duration;

/// Writes records.
#[derive(Debug)]
pub(in crate::trace) struct RecordWriter {
    before: Before,
    pub(in crate::trace) messages: MessageWriter,
}

impl RecordWriter {
    pub(in crate::trace) fn new(now: Now, key: u64) -> RecordWriter {
        RecordWriter { before: Before::at(now), messages: MessageWriter::new(key) }
    }

    /// Begins another block; returns the hashes of the ids in the last one.
    pub(in crate::trace) fn begin(&mut self, now: Now) -> Vec<u64> {
        self.before = Before::at(now);
        self.messages.begin()
    }

    pub(in crate::trace) fn put_outputs(&mut self, out: &mut Vec<u8>, count: u64, digest: u64) {
        out.push(Kind::Outputs as u8);
        put(out, count);
        out.extend_from_slice(&digest.to_le_bytes());
    }

    /// Appends an input. This is the one place that must learn of a new one: it does not compile without.
    pub(in crate::trace) fn put_input(
        &mut self,
        out: &mut Vec<u8>,
        now: Now,
        input: &Input,
        rule: ContentRule,
    ) {
        match input {
            Input::Tick => self.put_head(out, Kind::Tick, 0, now),
            Input::Shutdown => self.put_head(out, Kind::Shutdown, 0, now),
            Input::Renewed => self.put_head(out, Kind::Renewed, 0, now),
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
            JournalEvent::LettersOpened => self.put_head(out, Kind::LettersOpened, 0, now),
            JournalEvent::LetterStored { up_to: LetterNumber(number) }
            | JournalEvent::LetterLost { number: LetterNumber(number) }
            | JournalEvent::LettersDiscarded { letters: number } => {
                let kind = match event {
                    JournalEvent::LetterStored { .. } => Kind::LetterStored,
                    JournalEvent::LetterLost { .. } => Kind::LetterLost,
                    _ => Kind::LettersDiscarded,
                };
                self.put_head(out, kind, 0, now);
                put(out, *number);
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
            LinkEvent::Reached => Kind::Reached,
            LinkEvent::Closed => Kind::Closed,
        };
        let same = epoch == self.before.epoch;
        self.put_head(out, kind, if same { SAME_WHOM } else { 0 }, now);
        if !same {
            put(out, epoch.0);
            self.before.epoch = epoch;
        }
        match event {
            LinkEvent::Opened
            | LinkEvent::OpenFailed
            | LinkEvent::Closed
            | LinkEvent::Progress
            | LinkEvent::Reached => {}
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
