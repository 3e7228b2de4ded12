//! Journals that keep what they are given, and answer in order when they get round to it; or fail when they are told to.

use edgehub_core::hub::JournalEvent;
use edgehub_core::journal::{EntryNumber, Health};
use edgehub_core::{Input, Message, Output};
use std::collections::{BTreeMap, VecDeque};

/// The journal of messages and that of dead letters.
#[derive(Debug, Default)]
pub struct Faithful {
    live: BTreeMap<u64, Message>,
    answers: VecDeque<JournalEvent>,
    health: Health,
}

impl Faithful {
    /// Journals of which that of messages holds these, by number, from before the start.
    pub fn holding(live: BTreeMap<u64, Message>) -> Faithful {
        Faithful { live, ..Faithful::default() }
    }

    /// What a hub is told of them first: numbers from here on are new.
    pub fn opened(unused: EntryNumber) -> [Input; 2] {
        [Faithful::letters_opened(), Faithful::journal_opened(unused)]
    }

    /// The journal of dead letters is there.
    pub fn letters_opened() -> Input {
        Input::Journal(JournalEvent::LettersOpened)
    }

    /// The journal of messages is there.
    pub fn journal_opened(unused: EntryNumber) -> Input {
        Input::Journal(JournalEvent::Opened { unused, frame_bytes_max: 100_000 })
    }

    /// Does what a hub asks of a journal.
    pub fn observe(&mut self, output: &Output) {
        match output {
            Output::Store { number, message, .. } => {
                self.live.insert(number.0, message.clone());
                self.answers.push_back(JournalEvent::Stored { up_to: *number });
            }
            Output::Forget { first, last } => {
                self.live.retain(|number, _| !(first.0..=last.0).contains(number));
            }
            Output::Fetch { number } => {
                let message = self.live.get(&number.0).cloned();
                let fetched = message.map(|message| JournalEvent::Fetched { number: *number, message });
                self.answers.push_back(fetched.unwrap_or(JournalEvent::Lost { number: *number }));
            }
            Output::Bury { letter, .. } => {
                self.answers.push_back(JournalEvent::LetterStored { up_to: *letter });
            }
            _ => {}
        }
    }

    /// What they say next.
    pub fn answer(&mut self) -> Option<Input> {
        self.answers.pop_front().map(Input::Journal)
    }

    /// What they say next when that goes wrong. With nothing to answer, the disk begins to fail, or has recovered.
    pub fn failure(&mut self) -> Input {
        Input::Journal(match self.answers.pop_front() {
            Some(JournalEvent::Stored { up_to }) => {
                self.live.remove(&up_to.0);
                JournalEvent::Refused { number: up_to }
            }
            Some(JournalEvent::Fetched { number, .. } | JournalEvent::Lost { number }) => {
                self.live.remove(&number.0);
                JournalEvent::Lost { number }
            }
            Some(JournalEvent::LetterStored { up_to }) => JournalEvent::LetterLost { number: up_to },
            Some(other) => other,
            None => {
                self.health = if self.health == Health::Good { Health::Failing } else { Health::Good };
                JournalEvent::Health(self.health)
            }
        })
    }
}
