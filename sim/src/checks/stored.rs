//! What the hub stores, forgets and fetches: only what is to be stored is, nothing is forgotten before its end and
//! everything with it, and only what is stored is told so or fetched.

use super::amount::Amount;
use super::confirmation::Confirmation;
use super::letters::Letters;
use super::{Outcome, Step, broken, class_of};
use crate::key;
use edgehub_core::class::Classes;
use edgehub_core::hub::{Direction, JournalEvent, Stage};
use edgehub_core::{Config, Input, Message, ModuleEvent, Note, Output};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug)]
pub(super) struct Stored {
    classes: Classes,
    /// Whether there is a journal.
    there: bool,
    /// Stored or to be, and not forgotten: ids by number.
    live: BTreeMap<u64, u64>,
    /// Of these, what is not known to be durable, with its bytes.
    storing: BTreeMap<u64, usize>,
    /// Of these, what is not kept for the sake of a letter; and the same before the step.
    unstored: Amount,
    unstored_before: Amount,
    highest: u64,
    restored: u64,
    asked: BTreeSet<u64>,
    /// Ids of everything sent, and of those that were sent twice: nothing can be said of their ends.
    sent: BTreeSet<u64>,
    ambiguous: BTreeSet<u64>,
    letters: Letters,
}

impl Stored {
    pub(super) fn new(config: &Config) -> Stored {
        Stored {
            classes: config.classes.clone(),
            there: false,
            live: BTreeMap::new(),
            storing: BTreeMap::new(),
            unstored: Amount::default(),
            unstored_before: Amount::default(),
            highest: 0,
            restored: 0,
            asked: BTreeSet::new(),
            sent: BTreeSet::new(),
            ambiguous: BTreeSet::new(),
            letters: Letters::new(config),
        }
    }

    /// Number and id of what was reported as stored and has not come to its end.
    pub(super) fn promised(&self) -> BTreeMap<u64, u64> {
        let durable = self.live.iter().filter(|(number, _)| !self.storing.contains_key(number));
        durable.map(|(number, id)| (*number, *id)).collect()
    }

    /// What was handed to the journal and is not known to be stored, after the step and before it.
    pub(super) fn unstored(&self) -> (Amount, Amount) {
        (self.unstored, self.unstored_before)
    }

    /// Whether a message that was asked for has not come.
    pub(super) fn is_fetching(&self) -> bool {
        !self.asked.is_empty()
    }

    /// Numbers of what the journal has or is about to have.
    pub(super) fn kept(&self) -> BTreeSet<u64> {
        self.live.keys().copied().collect()
    }

    pub(super) fn after(&mut self, step: &Step<'_>, confirmation: &Confirmation) -> Outcome {
        let unexpected = step.outputs.contains(&Output::Note(Note::UnexpectedJournalEvent));
        let mut told_now = BTreeSet::new();
        let mut lost = None;
        if let Some((message, _)) = step.accepted() {
            let id = key::of(message.msg_id());
            if !self.sent.insert(id) {
                self.ambiguous.insert(id);
            }
        }
        match step.input {
            Input::Journal(event) if !unexpected => match event {
                JournalEvent::Opened { unused, .. } => {
                    (self.there, self.highest) = (true, unused.0.saturating_sub(1));
                }
                JournalEvent::Restored { number, message } => {
                    self.live.insert(number.0, key::of(message.msg_id()));
                    self.restored += 1;
                }
                JournalEvent::Stored { up_to } => {
                    let later = self.storing.split_off(&up_to.0.saturating_add(1));
                    let durable = std::mem::replace(&mut self.storing, later);
                    told_now = durable.keys().filter_map(|number| self.live.get(number).copied()).collect();
                }
                JournalEvent::Refused { number } => {
                    self.live.remove(&number.0);
                    self.storing.remove(&number.0);
                }
                JournalEvent::Fetched { number, .. } => drop(self.asked.remove(&number.0)),
                JournalEvent::Lost { number } => {
                    self.asked.remove(&number.0);
                    lost = Some(number.0);
                }
                JournalEvent::Health(_)
                | JournalEvent::LettersOpened
                | JournalEvent::LetterStored { .. }
                | JournalEvent::LetterLost { .. }
                | JournalEvent::LettersDiscarded { .. } => {}
            },
            Input::Reconfigure(config) => self.classes = config.classes.clone(),
            _ => {}
        }
        if step.hub.account().restored != self.restored {
            let (counted, restored) = (step.hub.account().restored, self.restored);
            return broken(
                "restored-miscounted",
                format!("{counted} messages are counted as restored, not {restored}"),
            );
        }
        self.letters.after(step, &self.live)?;
        let ended = self.ended(step, confirmation);
        for output in step.outputs {
            match output {
                Output::Store { number, message, .. } => self.store(number.0, message, step)?,
                Output::Forget { first, last } => self.forget(first.0, last.0, &ended, lost)?,
                Output::Fetch { number } => self.fetch(number.0, step)?,
                Output::Receipt { msg_id, stage: Stage::Stored, .. }
                    if !told_now.contains(&key::of(msg_id)) =>
                {
                    return broken(
                        "stored-untrue",
                        format!("{msg_id} is told to be stored, and nobody has said so"),
                    );
                }
                _ => {}
            }
        }
        let is_over = |number: &u64, id: &u64| {
            self.letters.released().contains(number) || (ended.contains(id) && !self.letters.need(*number))
        };
        let left = self.live.iter().find(|(number, id)| is_over(number, id) && !self.ambiguous.contains(id));
        if let Some((number, id)) = left {
            return broken(
                "not-forgotten",
                format!("message {id:x} has come to its end, and {number} is not forgotten"),
            );
        }
        let unstored = step.hub.unstored();
        // What was dropped is not the hub's concern any more, however long its letter takes.
        let storing = self.storing.iter().filter(|(number, _)| !self.letters.need(**number));
        let storing = storing.map(|(_, bytes)| *bytes).collect();
        self.unstored_before = std::mem::replace(&mut self.unstored, storing);
        // Of several with one id nobody knows which was dropped until it is read.
        let which =
            self.live.iter().any(|(number, id)| self.letters.need(*number) && self.ambiguous.contains(id));
        if unstored != storing.messages && !which {
            return broken(
                "unstored-miscounted",
                format!("{unstored} messages are said to be unstored, {storing:?} are"),
            );
        }
        Ok(())
    }

    /// Ids of messages that came to their end in this step.
    fn ended(&self, step: &Step<'_>, confirmation: &Confirmation) -> BTreeSet<u64> {
        let mut ended: BTreeSet<u64> = confirmation.confirmed().iter().copied().collect();
        for output in step.outputs {
            match output {
                Output::Note(Note::Dropped { direction: Direction::Up, msg_id, .. }) => {
                    ended.insert(key::of(msg_id));
                }
                Output::Write { message, .. } if !confirmation.is_kept(key::of(message.msg_id())) => {
                    ended.insert(key::of(message.msg_id()));
                }
                _ => {}
            }
        }
        ended
    }

    fn store(&mut self, number: u64, message: &Message, step: &Step<'_>) -> Outcome {
        let sent = match step.input {
            Input::Module { event: ModuleEvent::Sent { message, .. }, .. } => Some(message),
            _ => None,
        };
        let wanted = sent.is_some_and(|sent| {
            let class = &self.classes.classes[class_of(&self.classes, sent)];
            sent.msg_id() == message.msg_id() && class.persistent && !sent.is_sync()
        });
        if !self.there || !wanted || number <= self.highest {
            return broken(
                "stored-wrongly",
                format!("{number} ({}) is stored, and should not be", message.msg_id()),
            );
        }
        self.highest = number;
        self.live.insert(number, key::of(message.msg_id()));
        self.storing.insert(number, message.bytes());
        Ok(())
    }

    fn forget(&mut self, first: u64, last: u64, ended: &BTreeSet<u64>, lost: Option<u64>) -> Outcome {
        for number in first..=last {
            self.storing.remove(&number);
            match self.live.remove(&number) {
                Some(id) if self.ambiguous.contains(&id) => {}
                Some(_) if self.letters.released().contains(&number) => {}
                Some(id) if ended.contains(&id) && !self.letters.need(number) => {}
                None if lost == Some(number) => {}
                other => {
                    return broken(
                        "forgotten-early",
                        format!("{number} is forgotten before its end: {other:x?}"),
                    );
                }
            }
        }
        Ok(())
    }

    fn fetch(&mut self, number: u64, step: &Step<'_>) -> Outcome {
        if let Some(id) = self.live.get(&number)
            && self.letters.wants(number, *id)
        {
            return Ok(());
        }
        let durable = self.live.contains_key(&number) && !self.storing.contains_key(&number);
        if !durable || !step.hub.link_state().is_open() || !self.asked.insert(number) {
            return broken(
                "fetched-wrongly",
                format!("{number} is fetched, and is not there, or was asked for, or need not be"),
            );
        }
        Ok(())
    }
}
