//! Dead letters: of a class that asks for them every dropped message becomes one, with its reason and whole, unless there
//! is no room for it or a newer message has superseded it; and the journal keeps the message until the letter is durable.

use super::{Outcome, Step, broken, class_of};
use crate::key;
use edgehub_core::class::Classes;
use edgehub_core::hub::{Direction, DropReason, JournalEvent};
use edgehub_core::limits::{LETTERS_UNSTORED_BYTES, LETTERS_UNSTORED_MESSAGES, LETTERS_WAITING_MAX};
use edgehub_core::{Config, Input, Message, Note, Output};
use std::collections::{BTreeMap, BTreeSet};

/// A message that was sent: the name of its class, and its length in the form in which it leaves.
type Sent = (Box<str>, usize);

/// A dropped message: its number in the journal, if it has one, its id, and why.
type Due = (Option<u64>, u64, DropReason);

#[derive(Debug)]
pub(super) struct Letters {
    classes: Classes,
    there: bool,
    last: u64,
    /// Everything that was sent, by id.
    sent: BTreeMap<u64, Vec<Sent>>,
    /// Letters that are not durable: number in the journal of messages, and bytes.
    handed: BTreeMap<u64, (Option<u64>, usize)>,
    /// Their numbers in the journal of messages, and the sum of their bytes.
    held: BTreeSet<u64>,
    handed_bytes: usize,
    /// Dropped and in the journal: number to id and reason.
    owed: BTreeMap<u64, (u64, DropReason)>,
    /// Numbers that are to be read, and were not dropped since.
    asked: BTreeSet<u64>,
    /// Numbers that the journal may forget since this step.
    released: BTreeSet<u64>,
    stored: u64,
    lost: u64,
    discarded: u64,
    /// The hub has stopped: what was still to be read for a letter stays in the journal, and comes back with the next
    /// start.
    stopped: bool,
}

impl Letters {
    pub(super) fn new(config: &Config) -> Letters {
        Letters {
            classes: config.classes.clone(),
            there: false,
            last: 0,
            sent: BTreeMap::new(),
            handed: BTreeMap::new(),
            held: BTreeSet::new(),
            handed_bytes: 0,
            owed: BTreeMap::new(),
            asked: BTreeSet::new(),
            released: BTreeSet::new(),
            stored: 0,
            lost: 0,
            discarded: 0,
            stopped: false,
        }
    }

    /// Whether the journal is to keep this number for the sake of a letter.
    pub(super) fn need(&self, number: u64) -> bool {
        self.owed.contains_key(&number) || self.held.contains(&number)
    }

    /// Whether this number may be read for a letter.
    pub(super) fn wants(&mut self, number: u64, id: u64) -> bool {
        // Of several messages with one id nobody knows which was dropped until it is read.
        if !self.owed.contains_key(&number)
            && let Some((&other, &owed)) = self.owed.iter().find(|(_, (owed, _))| *owed == id)
        {
            self.owed.remove(&other);
            self.owed.insert(number, owed);
        }
        self.owed.contains_key(&number)
    }

    /// Numbers that were kept for a letter, and are to be forgotten in this step.
    pub(super) fn released(&self) -> &BTreeSet<u64> {
        &self.released
    }

    /// `live` is what the journal has, id by number, also of what was dropped in this step.
    pub(super) fn after(&mut self, step: &Step<'_>, live: &BTreeMap<u64, u64>) -> Outcome {
        self.released.clear();
        if let Some((message, _)) = step.accepted() {
            self.remember(message);
        }
        let answered = self.take(step.input);
        if !self.there {
            let buried = step.outputs.iter().any(|output| matches!(output, Output::Bury { .. }));
            return match buried {
                true => broken("buried-nowhere", "there is nothing to bury it in".into()),
                false => Ok(()),
            };
        }
        let mut due = self.due(step, live, answered);
        let mut lost: Vec<DropReason> = Vec::new();
        for output in step.outputs {
            match output {
                Output::Bury { letter, reason, message, .. } => {
                    self.bury(letter.0, message, *reason, &mut due)?;
                }
                Output::Note(Note::LetterLost { reason }) => lost.push(*reason),
                _ => {}
            }
        }
        if let Input::Journal(JournalEvent::LetterLost { .. }) = step.input {
            // That one is counted.
            lost.pop();
        }
        // What is not in the journal can only be lost. Of the others it is the last ones, for the first found the room: the notes
        // do not say whose letters are lost.
        let (mut open, gone): (Vec<Due>, Vec<Due>) = due
            .into_iter()
            .partition(|(kept, _, reason)| kept.is_some() && !is_unreadable(*kept, *reason, answered));
        for due in gone {
            let noted = take(&mut lost, due.2);
            self.not_buried(step, due, answered, noted)?;
        }
        let mut last = Vec::new();
        while let Some(place) = open.iter().rposition(|(.., reason)| lost.contains(reason)) {
            take(&mut lost, open[place].2);
            last.push(open.remove(place));
        }
        let outcomes =
            open.into_iter().map(|due| (due, false)).chain(last.into_iter().map(|due| (due, true)));
        for (due, noted) in outcomes {
            self.not_buried(step, due, answered, noted)?;
        }
        if let Input::Reconfigure(config) = step.input {
            self.reclass(&config.classes);
        }
        self.stopped |= step.outputs.contains(&Output::Stopped);
        self.count(step, lost.len())
    }

    /// What was dropped in this step, or was to be read and came or cannot come.
    fn due(&mut self, step: &Step<'_>, live: &BTreeMap<u64, u64>, answered: Option<u64>) -> Vec<Due> {
        let read = answered.and_then(|number| Some((number, self.owed.remove(&number)?)));
        let mut due: Vec<Due> =
            read.into_iter().map(|(number, (id, reason))| (Some(number), id, reason)).collect();
        for output in step.outputs {
            match output {
                Output::Note(Note::Dropped { direction: Direction::Up, msg_id, reason })
                    if *reason != DropReason::Superseded
                        && self.asks(step.input, key::of(msg_id)) != Asks::No =>
                {
                    let id = key::of(msg_id);
                    let taken =
                        |number: u64| self.need(number) || due.iter().any(|(kept, ..)| *kept == Some(number));
                    let kept = live.iter().find(|(number, other)| **other == id && !taken(**number));
                    let kept = kept.map(|(number, _)| *number);
                    // It was to be read for its turn, which does not come any more.
                    kept.and_then(|number| self.asked.take(&number));
                    due.push((kept, id, *reason));
                }
                Output::Fetch { number } => drop(self.asked.insert(number.0)),
                _ => {}
            }
        }
        due
    }

    /// Whether messages of this id become dead letters: with a change of classes, it may be that of before or after.
    fn asks(&self, input: &Input, id: u64) -> Asks {
        let Some(sent) = self.sent.get(&id) else { return Asks::No };
        let after = if let Input::Reconfigure(config) = input { Some(&config.classes) } else { None };
        let sets = [Some(&self.classes), after];
        let answers = sent.iter().flat_map(|(name, _)| {
            sets.iter().flatten().map(|classes| classes.classes[place(classes, name)].dead_letters)
        });
        match answers.fold((true, false), |(all, any), asks| (all && asks, any || asks)) {
            (true, _) => Asks::Yes,
            (_, true) => Asks::Perhaps,
            _ => Asks::No,
        }
    }

    fn bury(&mut self, letter: u64, message: &Message, reason: DropReason, due: &mut Vec<Due>) -> Outcome {
        if letter != self.last + 1 {
            return broken("letter-number", format!("letter {letter} follows {}", self.last));
        }
        self.last = letter;
        let (id, bytes) = (key::of(message.msg_id()), message.bytes());
        let whole = self.sent.get(&id).is_some_and(|all| all.iter().any(|(_, sent)| *sent == bytes));
        let place = due.iter().position(|(_, other, why)| (*other, *why) == (id, reason));
        let Some(place) = place.filter(|_| whole) else {
            let what = format!("{} is buried ({reason}) and was not dropped so", message.msg_id());
            return broken("buried-wrongly", what);
        };
        let (kept, ..) = due.remove(place);
        self.held.extend(kept);
        self.handed_bytes += bytes;
        self.handed.insert(letter, (kept, bytes));
        Ok(())
    }

    /// A message that was dropped and not handed over is in the journal and will be read, or is lost for a reason; `noted`:
    /// it is lost, as the hub says.
    fn not_buried(
        &mut self,
        step: &Step<'_>,
        (kept, id, reason): Due,
        answered: Option<u64>,
        noted: bool,
    ) -> Outcome {
        let unreadable = is_unreadable(kept, reason, answered);
        if noted {
            self.lost += 1;
            self.released.extend(kept);
            let largest = self.sent.get(&id).and_then(|all| all.iter().map(|(_, bytes)| *bytes).max());
            let full = self.handed.len() >= LETTERS_UNSTORED_MESSAGES
                || self.handed_bytes + largest.unwrap_or_default() > LETTERS_UNSTORED_BYTES;
            if !full && !unreadable && self.owed.len() < LETTERS_WAITING_MAX {
                return broken("lost-with-room", format!("the letter of {id:x} ({reason}) is lost"));
            }
            return Ok(());
        }
        match kept {
            Some(number) if !unreadable && self.asks(step.input, id) == Asks::Yes => {
                self.owed.insert(number, (id, reason));
                Ok(())
            }
            _ if self.asks(step.input, id) == Asks::Perhaps => {
                // Whether one is to be fetched for it, its configuration knows, the old one or the new one.
                let fetched = step.hub.letters_under_way().1 > self.owed.len();
                if let Some(number) = kept.filter(|_| fetched && !unreadable) {
                    self.owed.insert(number, (id, reason));
                }
                Ok(())
            }
            _ => broken("not-buried", format!("message {id:x} is dropped ({reason}) and not buried")),
        }
    }

    fn count(&self, step: &Step<'_>, unexplained: usize) -> Outcome {
        if unexplained > 0 {
            return broken(
                "lost-for-nothing",
                format!("{unexplained} letters are called lost and were not due"),
            );
        }
        let account = step.hub.account();
        let counted = (account.letters, account.letters_lost, account.letters_discarded);
        let under_way = step.hub.letters_under_way();
        let expected = (self.stored, self.lost, self.discarded);
        if counted != expected || under_way != (self.handed.len(), self.owed.len()) {
            return broken(
                "letters-miscounted",
                format!(
                    "stored, lost, discarded: {counted:?}, not {expected:?}; under way {under_way:?}, not {:?}",
                    (self.handed.len(), self.owed.len())
                ),
            );
        }
        Ok(())
    }

    /// Takes an input; returns the number in the journal that it answers.
    fn take(&mut self, input: &Input) -> Option<u64> {
        let Input::Journal(event) = input else { return None };
        match event {
            JournalEvent::LettersOpened => self.there = true,
            JournalEvent::LettersDiscarded { letters } if self.there => self.discarded += letters,
            JournalEvent::LetterStored { up_to } => {
                let later = self.handed.split_off(&up_to.0.saturating_add(1));
                let durable = std::mem::replace(&mut self.handed, later);
                self.stored += durable.len() as u64;
                durable.into_values().for_each(|handed| self.release(handed));
            }
            JournalEvent::LetterLost { number } => {
                let lost = self.handed.remove(&number.0);
                self.lost += u64::from(lost.is_some());
                lost.into_iter().for_each(|handed| self.release(handed));
            }
            // It is not there, and never will be.
            JournalEvent::Refused { number } => return Some(number.0),
            JournalEvent::Fetched { number, .. } | JournalEvent::Lost { number } if !self.stopped => {
                return self.asked.take(&number.0);
            }
            _ => {}
        }
        None
    }

    fn release(&mut self, (kept, bytes): (Option<u64>, usize)) {
        self.handed_bytes -= bytes;
        if let Some(number) = kept {
            self.held.remove(&number);
            self.released.insert(number);
        }
    }

    fn remember(&mut self, message: &Message) {
        let name = self.classes.classes[class_of(&self.classes, message)].name.clone();
        let bytes = message.clone().into_link_form().bytes();
        self.sent.entry(key::of(message.msg_id())).or_default().push((name, bytes));
    }

    /// A message keeps its class by name.
    fn reclass(&mut self, classes: &Classes) {
        self.classes = classes.clone();
        for (name, _) in self.sent.values_mut().flatten() {
            *name = classes.classes[place(classes, name)].name.clone();
        }
    }
}

/// Takes a note of a lost letter, if there is one with this reason.
fn take(lost: &mut Vec<DropReason>, reason: DropReason) -> bool {
    let place = lost.iter().position(|noted| *noted == reason);
    place.map(|place| lost.swap_remove(place)).is_some()
}

/// Whether the journal cannot give it back.
fn is_unreadable(kept: Option<u64>, reason: DropReason, answered: Option<u64>) -> bool {
    reason == DropReason::JournalLost || (kept.is_some() && kept == answered)
}

/// Whether messages become dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    Yes,
    No,
    /// Some of this id do, and some do not.
    Perhaps,
}

fn place(classes: &Classes, name: &str) -> usize {
    classes.named(name).unwrap_or(classes.otherwise)
}
