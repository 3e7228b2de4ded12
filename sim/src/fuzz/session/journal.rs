//! A journal as the bytes would have it: true to what it holds, in whatever order and however late.

use arbitrary::{Arbitrary, Unstructured};
use edgehub_core::hub::{JournalEvent, LetterNumber};
use edgehub_core::journal::{EntryNumber, FullReason, Health};
use edgehub_core::{Input, Message, Output};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What was handed over and not forgotten, and what is asked for.
#[derive(Debug, Default)]
pub(super) struct Journal {
    live: BTreeMap<u64, Message>,
    storing: BTreeSet<u64>,
    asked: VecDeque<u64>,
    /// Dead letters that were handed over and of which nothing was heard.
    letters: VecDeque<LetterNumber>,
}

impl Journal {
    /// There is one, with nothing in it, and maybe one of dead letters.
    pub(super) fn opened(letters: bool) -> Vec<Input> {
        let opened = JournalEvent::Opened { unused: EntryNumber(5), frame_bytes_max: 100_000 };
        let letters = letters.then_some(JournalEvent::LettersOpened);
        letters.into_iter().chain([opened]).map(Input::Journal).collect()
    }

    pub(super) fn observe(&mut self, output: &Output) {
        match output {
            Output::Store { number, message, .. } => {
                self.live.insert(number.0, message.clone());
                self.storing.insert(number.0);
            }
            Output::Forget { first, last } => {
                self.live.retain(|number, _| !(first.0..=last.0).contains(number));
                self.storing.retain(|number| !(first.0..=last.0).contains(number));
            }
            Output::Bury { letter, .. } => self.letters.push_back(*letter),
            Output::Fetch { number } => self.asked.push_back(number.0),
            _ => {}
        }
    }

    pub(super) fn event(&mut self, bytes: &mut Unstructured<'_>) -> arbitrary::Result<JournalEvent> {
        let what = u8::arbitrary(bytes)?;
        // What came later has the upper half, where there are letters.
        if what >= 128
            && let Some(letter) = self.letters.pop_front()
        {
            return Ok(match what % 4 {
                0 => JournalEvent::LetterLost { number: letter },
                1 => JournalEvent::LettersDiscarded { letters: 1 },
                _ => JournalEvent::LetterStored { up_to: letter },
            });
        }
        Ok(match what % 8 {
            0 => {
                let healths = [Health::Good, Health::Failing, Health::Full(FullReason::Disk)];
                JournalEvent::Health(*bytes.choose(&healths)?)
            }
            1 => match self.storing.pop_first() {
                Some(number) => {
                    self.live.remove(&number);
                    JournalEvent::Refused { number: EntryNumber(number) }
                }
                None => JournalEvent::Refused { number: EntryNumber(u64::arbitrary(bytes)?) },
            },
            2 => match self.asked.pop_front() {
                Some(number) => JournalEvent::Lost { number: EntryNumber(number) },
                None => JournalEvent::Health(Health::Good),
            },
            3 | 4 => {
                match self.asked.pop_front().and_then(|number| Some((number, self.live.get(&number)?))) {
                    Some((number, message)) => {
                        JournalEvent::Fetched { number: EntryNumber(number), message: message.clone() }
                    }
                    None => JournalEvent::Health(Health::Good),
                }
            }
            _ => {
                let up_to = self.storing.pop_first().unwrap_or_default();
                JournalEvent::Stored { up_to: EntryNumber(up_to) }
            }
        })
    }
}
