//! The journals of messages and of dead letters, as a driver sees them.

use edgehub_core::hub::{JournalEvent, LetterNumber};
use edgehub_core::journal::{EntryNumber, FullReason, Health};
use edgehub_core::{Draft, Input, Message, Output};
use std::collections::{BTreeMap, VecDeque};

/// What was handed over and not forgotten, and what is still to be said.
#[derive(Default)]
pub(super) struct Disk {
    live: BTreeMap<u64, Message>,
    pub(super) answers: VecDeque<JournalEvent>,
}

impl Disk {
    /// What a hub is told first: there are journals, and one message in them.
    pub(super) fn opened() -> [Input; 3] {
        let message = Draft { msg_id: "restored", source: "edged", ..Draft::default() }.encode().unwrap();
        [
            JournalEvent::LettersOpened,
            JournalEvent::Opened { unused: EntryNumber(5), frame_bytes_max: 100_000 },
            JournalEvent::Restored { number: EntryNumber(3), message },
        ]
        .map(Input::Journal)
    }

    pub(super) fn observe(&mut self, output: &Output) {
        match output {
            Output::Store { number, message, .. } => {
                self.live.insert(number.0, message.clone());
                self.answers.push_back(JournalEvent::Stored { up_to: *number });
            }
            Output::Forget { first, last } => {
                self.live.retain(|number, _| !(first.0..=last.0).contains(number));
            }
            Output::Fetch { number } => {
                self.answers.push_back(match self.live.get(&number.0).cloned() {
                    Some(message) => JournalEvent::Fetched { number: *number, message },
                    None => JournalEvent::Lost { number: *number },
                });
            }
            Output::Bury { letter, .. } => {
                self.answers.push_back(JournalEvent::LetterStored { up_to: *letter });
            }
            _ => {}
        }
    }
}

/// Something about this number, whether it makes sense or not.
pub(super) fn nonsense(event: usize, number: u64) -> JournalEvent {
    let (entry, letter) = (EntryNumber(number), LetterNumber(number));
    let message = || Draft { msg_id: "from-nowhere", ..Draft::default() }.encode().unwrap();
    match event {
        0 => JournalEvent::Opened { unused: entry, frame_bytes_max: 10 },
        1 => JournalEvent::Restored { number: entry, message: message() },
        2 => JournalEvent::Fetched { number: entry, message: message() },
        3 => JournalEvent::Lost { number: entry },
        4 => JournalEvent::Refused { number: entry },
        5 => JournalEvent::Health(if number < 15 { Health::Good } else { Health::Full(FullReason::Disk) }),
        6 => JournalEvent::LetterLost { number: letter },
        7 => JournalEvent::LettersDiscarded { letters: number },
        _ => JournalEvent::Stored { up_to: entry },
    }
}
