//! A node's journal: the real writer over the simulated disk, and what both have promised.

use super::{Event, World};
use crate::canary;
use crate::chance::For;
use crate::checks::{Broken, Outcome};
use crate::dice::Dice;
use crate::disk::{Disk, DiskFault};
use edgehub_core::hub::{JournalEvent, LetterNumber};
use edgehub_core::journal::{
    self, Command, Entry, EntryNumber, Operation, Overflow, Place, Purpose, Record, Recovery, Seed, Settings,
    Writer,
};
use edgehub_core::{Instant, Message, UnixMillis};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Whose journals these are does not matter: each node has its own disk.
const IDENTITY: &str = "project/edge";

/// The longest time that a healthy disk takes for one command, in milliseconds.
const DISK_MS: u64 = 6;

/// After a fault the writer's thread tries again.
const RETRY: Duration = Duration::from_secs(1);

/// Commands that a journal needs to close, at most; more is a circle.
const CLOSING_MAX: usize = 100_000;

/// A node's disk, and the process's view of it.
#[derive(Debug)]
pub(crate) struct Store {
    purpose: Purpose,
    disk: Disk,
    dice: Dice,
    writer: Writer,
    /// The command that is out.
    out: Option<Command>,
    /// Something comes of it, or a retry, or there is something to hear.
    planned: bool,
    /// What the writer has told, and the hub is to hear.
    heard: Vec<JournalEvent>,
    commands: u64,
    /// A command takes so much longer, until then.
    pub(crate) slow: Option<(Duration, Instant)>,
    /// Commands that were slow, found no room, or failed.
    pub(super) struck: [u64; 3],
    pub(crate) full_until: Instant,
    /// So many commands in a thousand fail, until then.
    pub(crate) broken: Option<(u64, Instant)>,
    /// What the last life was told is stored and had not come to its end: number and id.
    promised: BTreeMap<u64, u64>,
    /// Bits that rotted since.
    flips: u64,
    /// For dead letters: those that were written and, of these, those that are durable: number and id.
    writing: BTreeMap<u64, u64>,
    held: BTreeMap<u64, u64>,
    /// For dead letters: the numbers of this life begin behind this one.
    base: u64,
}

/// A frame may have 100,000 bytes of content; a record has half a segment.
fn settings(purpose: Purpose) -> Settings {
    let segment_bytes = 256 * 1024;
    let overflow = match purpose {
        Purpose::Messages => Overflow::Wait,
        Purpose::DeadLetters => Overflow::DropOldest,
    };
    Settings { segment_bytes, total_bytes: 8 * segment_bytes, overflow, ..Settings::default() }
}

impl Store {
    pub(super) fn new(purpose: Purpose, seed: u64) -> Store {
        Store {
            purpose,
            disk: Disk::default(),
            dice: Dice::new(seed),
            writer: canary::writer(settings(purpose), Recovery::new(purpose, IDENTITY)),
            out: None,
            planned: false,
            heard: Vec::new(),
            commands: 0,
            slow: None,
            struck: [0; 3],
            full_until: Instant(0),
            broken: None,
            promised: BTreeMap::new(),
            flips: 0,
            writing: BTreeMap::new(),
            held: BTreeMap::new(),
            base: 0,
        }
    }

    /// Nothing is wrong with the disk from now on.
    pub(super) fn mend(&mut self, now: Instant) {
        (self.slow, self.broken) = (None, None);
        self.full_until = now;
    }

    /// The process is gone, or the power. What it was told must be there after the next start.
    pub(super) fn crash(&mut self, promised: BTreeMap<u64, u64>, power: Option<u64>) {
        self.promised = promised;
        let out = self.out.take();
        match power {
            None => self.disk.lose_process(),
            Some(flips) => {
                if let Some(command) = out {
                    // It may have been carried out in part; nobody hears of it.
                    self.takes_back(&command);
                    let fault = self.dice.chance(700).then_some(DiskFault::Broken);
                    let _ = self.disk.execute(&command, fault, &mut self.dice);
                }
                self.disk.lose_power(&mut self.dice);
                for _ in 0..flips {
                    self.flips += u64::from(self.disk.rot(&mut self.dice));
                }
            }
        }
    }

    /// Dead letters that were about to make room when the power failed: gone, or not, and no longer promised.
    fn takes_back(&mut self, command: &Command) {
        let Command::Delete { segment: deleted } = command else { return };
        if self.purpose != Purpose::DeadLetters {
            return;
        }
        let mut recovery = Recovery::new(self.purpose, IDENTITY);
        for (segment, bytes) in self.disk.segments().filter(|(segment, _)| segment == deleted) {
            if recovery.segment(segment, bytes).is_ok() {
                self.promised.retain(|number, _| recovery.live().all(|(there, _)| there.0 != *number));
            }
        }
    }

    /// Reads back what is there: what the hub is to be told first. `None` when it could not be made durable.
    fn open(&mut self, now: Instant) -> Result<Option<Vec<JournalEvent>>, String> {
        let mut recovery = Recovery::new(self.purpose, IDENTITY);
        let mut aside = Vec::new();
        for (segment, bytes) in self.disk.segments() {
            match recovery.segment(segment, bytes) {
                Ok(()) => {}
                Err(_) if self.flips > 0 => aside.push(segment),
                Err(refusal) => return Err(format!("journal: {segment} is refused: {refusal}")),
            }
        }
        let found: Vec<(EntryNumber, Option<Entry>)> =
            recovery.live().map(|(number, place)| (number, self.read(place))).collect();
        self.keeps_its_word(&found)?;
        for segment in aside {
            // Somebody moves what cannot be used out of the way.
            let _ = self.disk.execute(&Command::Delete { segment }, None, &mut self.dice);
        }
        let unused = recovery.unused();
        (self.out, self.planned, self.heard) = (None, false, Vec::new());
        self.writer = canary::writer(settings(self.purpose), recovery);
        while !self.writer.is_started() {
            let Some(command) = self.writer.next_command() else { break };
            let input = self.carry_out(&command, now);
            self.writer.handle(input);
        }
        if !self.writer.is_started() {
            self.disk.lose_process();
            return Ok(None);
        }
        // From here on these are promises of this life.
        (self.promised, self.flips) = (BTreeMap::new(), 0);
        if self.purpose == Purpose::DeadLetters {
            (self.base, self.writing) = (unused.0.saturating_sub(1), BTreeMap::new());
            self.held = ids(&found);
            return Ok(Some(vec![JournalEvent::LettersOpened]));
        }
        let mut events =
            vec![JournalEvent::Opened { unused, frame_bytes_max: self.writer.frame_bytes_max() }];
        for (number, entry) in found {
            let message = entry.and_then(|entry| Message::decode(entry.frame).ok());
            events.push(match message {
                Some(message) => JournalEvent::Restored { number, message },
                None => JournalEvent::Lost { number },
            });
        }
        Ok(Some(events))
    }

    /// Whatever was reported as stored is there, unless it rotted away.
    fn keeps_its_word(&self, found: &[(EntryNumber, Option<Entry>)]) -> Outcome {
        let there = ids(found);
        let missing: Vec<_> =
            self.promised.iter().filter(|(number, id)| there.get(number) != Some(id)).collect();
        if missing.len() as u64 > self.flips {
            let what = format!("reported as stored, and lost: {missing:?} ({} flips)", self.flips);
            return Err(Broken::new("journal", "stored-lost", what));
        }
        Ok(())
    }

    fn read(&self, place: Place) -> Option<Entry> {
        let (_, bytes) = self.disk.segments().find(|(segment, _)| *segment == place.segment)?;
        let seed = Seed::new(self.purpose, IDENTITY);
        Record::decode(bytes.get(place.offset as usize..)?, seed)?.0.to_entry()
    }

    fn carry_out(&mut self, command: &Command, now: Instant) -> journal::Input {
        let writes = matches!(command, Command::Create { .. } | Command::Write { .. });
        let broken = self.broken.filter(|(_, until)| now < *until).map_or(0, |(often, _)| often);
        let fault = if self.dice.chance(broken) {
            Some(DiskFault::Broken)
        } else {
            (writes && now < self.full_until).then_some(DiskFault::Full)
        };
        self.struck[1] += u64::from(matches!(fault, Some(DiskFault::Full)));
        self.struck[2] += u64::from(matches!(fault, Some(DiskFault::Broken)));
        match self.disk.execute(command, fault, &mut self.dice) {
            Ok(completion) => journal::Input::Completed(completion),
            Err(fault) => journal::Input::Failed(fault),
        }
    }

    /// Hears what the writer tells, as far as the hub has to know it.
    fn hear(&mut self) {
        while let Some(event) = self.writer.poll_event() {
            let event = match self.purpose {
                Purpose::Messages => Store::told_of_messages(event),
                Purpose::DeadLetters => self.told_of_letters(event),
            };
            self.heard.extend(event);
        }
    }

    fn told_of_messages(event: journal::Event) -> Option<JournalEvent> {
        match event {
            journal::Event::Stored { up_to } => Some(JournalEvent::Stored { up_to }),
            journal::Event::Refused { number, .. } => Some(JournalEvent::Refused { number }),
            journal::Event::Fetched(entry) => {
                let number = entry.number;
                Some(match Message::decode(entry.frame) {
                    Ok(message) => JournalEvent::Fetched { number, message },
                    Err(_) => JournalEvent::Lost { number },
                })
            }
            journal::Event::Lost { number } => Some(JournalEvent::Lost { number }),
            journal::Event::Health(health) => Some(JournalEvent::Health(health)),
            journal::Event::Discarded { .. } | journal::Event::Closed { .. } => None,
        }
    }

    fn told_of_letters(&mut self, event: journal::Event) -> Option<JournalEvent> {
        let letter = |number: EntryNumber| LetterNumber(number.0.saturating_sub(self.base));
        Some(match event {
            journal::Event::Stored { up_to } => {
                let later = self.writing.split_off(&(up_to.0 + 1));
                self.held.append(&mut std::mem::replace(&mut self.writing, later));
                JournalEvent::LetterStored { up_to: letter(up_to) }
            }
            journal::Event::Refused { number, .. } => {
                self.writing.remove(&number.0);
                JournalEvent::LetterLost { number: letter(number) }
            }
            journal::Event::Discarded { entries } => {
                for _ in 0..entries {
                    self.held.pop_first();
                }
                JournalEvent::LettersDiscarded { letters: entries as u64 }
            }
            journal::Event::Lost { number } => {
                self.held.remove(&number.0);
                JournalEvent::LettersDiscarded { letters: 1 }
            }
            _ => return None,
        })
    }

    /// Dead letters that are durable and have not made room: number and id.
    pub(super) fn held(&self) -> BTreeMap<u64, u64> {
        self.held.clone()
    }

    /// An orderly end: everything is written, and what the hub has left to it is there.
    fn close(&mut self, kept: &BTreeSet<u64>, now: Instant) -> Outcome {
        self.writer.handle(journal::Input::Close);
        self.writer.handle(journal::Input::Retry);
        for _ in 0..CLOSING_MAX {
            let command = self.out.take().or_else(|| self.writer.next_command());
            let Some(command) = command else { break };
            let input = self.carry_out(&command, now);
            self.writer.handle(input);
        }
        self.hear();
        self.disk.lose_power(&mut self.dice);
        let mut recovery = Recovery::new(self.purpose, IDENTITY);
        for (segment, bytes) in self.disk.segments() {
            recovery.segment(segment, bytes).map_err(|refusal| format!("journal: {segment}: {refusal}"))?;
        }
        let there: BTreeSet<u64> = recovery.live().map(|(number, _)| number.0).collect();
        let (missing, too_many): (Vec<_>, Vec<_>) =
            (kept.difference(&there).collect(), there.difference(kept).collect());
        if missing.is_empty() && too_many.is_empty() {
            return Ok(());
        }
        let what = format!("after an orderly end {missing:?} are missing and {too_many:?} too many");
        Err(Broken::new("journal", "orderly-end", what))
    }
}

/// Number and id of what was found and can be read.
fn ids(found: &[(EntryNumber, Option<Entry>)]) -> BTreeMap<u64, u64> {
    let id = |entry: &Entry| Some(crate::key::of(Message::decode(entry.frame.clone()).ok()?.msg_id()));
    found.iter().filter_map(|(number, entry)| Some((number.0, id(entry.as_ref()?)?))).collect()
}

impl World {
    /// The hub hears of its journal before anything else. `false` when the disk does not let the process start.
    pub(super) fn open_store(&mut self, node: usize) -> Result<bool, String> {
        let now = self.now;
        let Some(events) = self.edges[node].store.open(now)? else { return Ok(false) };
        let Some(letters) = self.edges[node].letters.open(now)? else { return Ok(false) };
        for event in letters.into_iter().chain(events) {
            self.report.restored += u64::from(matches!(event, JournalEvent::Restored { .. }));
            self.edge_handle(node, edgehub_core::Input::Journal(event))?;
        }
        Ok(true)
    }

    pub(super) fn store(&mut self, node: usize, operation: Operation) {
        self.edges[node].store.writer.handle(journal::Input::Operation(operation));
    }

    /// An entry for a message.
    pub(super) fn entry(number: EntryNumber, class: u8, message: Message) -> Entry {
        Entry { number, class, at: UnixMillis(0), reason: None, frame: message.into_frame() }
    }

    /// Writes a dead letter.
    pub(super) fn bury(&mut self, node: usize, entry: Entry) {
        let store = &mut self.edges[node].letters;
        let number = EntryNumber(store.base + entry.number.0);
        let id = Message::decode(entry.frame.clone()).map_or(0, |message| crate::key::of(message.msg_id()));
        store.writing.insert(number.0, id);
        store.writer.handle(journal::Input::Operation(Operation::Store(Entry { number, ..entry })));
    }

    /// Has the disk do the next thing, if it does nothing.
    pub(super) fn drive_store(&mut self, node: usize) {
        self.drive_one(node, false);
        self.drive_one(node, true);
    }

    fn drive_one(&mut self, node: usize, letters: bool) {
        let (now, salt) = (self.now, self.salt);
        let edge = &mut self.edges[node];
        let store = if letters { &mut edge.letters } else { &mut edge.store };
        if store.planned || edge.down {
            return;
        }
        store.out = store.writer.next_command();
        // Looking for something to do, it may have found that it cannot.
        store.hear();
        let after = if store.out.is_some() {
            store.commands += 1;
            let slow = store.slow.filter(|(_, until)| now < *until).map_or(Duration::ZERO, |(by, _)| by);
            store.struck[0] += u64::from(!slow.is_zero());
            salt.up_to_ms(
                DISK_MS,
                For::Disk,
                [node as u64, edge.incarnation, store.commands | u64::from(letters) << 32],
            ) + slow
        } else if store.writer.wants_retry() {
            RETRY
        } else if !store.heard.is_empty() {
            Duration::ZERO
        } else {
            return;
        };
        store.planned = true;
        let incarnation = edge.incarnation;
        self.plan_in(after, Event::Disk { node, incarnation, letters });
    }

    /// The disk has done what it was told, or the writer tries again.
    pub(super) fn disk(&mut self, node: usize, incarnation: u64, letters: bool) -> Outcome {
        let now = self.now;
        let edge = &mut self.edges[node];
        if edge.down || edge.incarnation != incarnation {
            return Ok(());
        }
        let store = if letters { &mut edge.letters } else { &mut edge.store };
        store.planned = false;
        let input = match store.out.take() {
            Some(command) => store.carry_out(&command, now),
            None => journal::Input::Retry,
        };
        store.writer.handle(input);
        self.listen_to_store(node)?;
        self.drive_store(node);
        Ok(())
    }

    /// Tells the hub what the journal tells.
    fn listen_to_store(&mut self, node: usize) -> Outcome {
        let edge = &mut self.edges[node];
        let events = [&mut edge.store, &mut edge.letters].map(|store| {
            store.hear();
            std::mem::take(&mut store.heard)
        });
        for event in events.into_iter().flatten() {
            self.edge_handle(node, edgehub_core::Input::Journal(event))?;
        }
        Ok(())
    }

    /// Every journal of a hub that has stopped ends in good order.
    pub(super) fn close_stores(&mut self) -> Outcome {
        let now = self.now;
        for edge in self.edges.iter_mut().filter(|edge| edge.stopped && !edge.down) {
            let kept = edge.checks.kept();
            edge.store.close(&kept, now).map_err(|broken| broken.about(&edge.name))?;
            let buried = edge.letters.held.keys().chain(edge.letters.writing.keys()).copied().collect();
            edge.letters.close(&buried, now).map_err(|broken| broken.about(&edge.name))?;
        }
        Ok(())
    }
}
