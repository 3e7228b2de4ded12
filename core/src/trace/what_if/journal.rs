//! What the journal owes the other hub.
//!
//! It answers as the recorded one did, and as fast; what its health was then, it is now. While it is not good, nothing
//! becomes durable, and nothing is refused: how much room its disk had, the recording does not say. A dead letter takes as
//! long as a message, and finds room.

use super::environment::Environment;
use crate::hub::{JournalEvent, LetterNumber, Output};
use crate::journal::{EntryNumber, Health};
use crate::message::Message;
use crate::time::Instant;
use alloc::collections::BTreeMap;

/// Entries by their numbers, and since when something is owed for each.
type Owed = BTreeMap<EntryNumber, Instant>;

/// The journal of the other hub, as the world sees it.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// What it was given and has not said to be durable.
    storing: Owed,
    /// Dead letters that it was given and has not said to be durable.
    burying: BTreeMap<LetterNumber, Instant>,
    /// What it was asked to read back.
    fetching: Owed,
    /// What it holds, as far as the other hub gave it.
    held: BTreeMap<EntryNumber, Message>,
    is_ailing: bool,
}

impl Journal {
    /// The hub wants this.
    pub(super) fn wanted(&mut self, now: Instant, output: &Output) {
        match output {
            Output::Store { number, message, .. } => {
                self.storing.insert(*number, now);
                self.held.insert(*number, message.clone());
            }
            Output::Forget { first, last } => {
                self.storing.retain(|number, _| !(first..=last).contains(&number));
                self.held.retain(|number, _| !(first..=last).contains(&number));
            }
            Output::Fetch { number } => drop(self.fetching.insert(*number, now)),
            Output::Bury { letter, .. } => drop(self.burying.insert(*letter, now)),
            _ => {}
        }
    }

    /// The hub is told this: what it pays is no longer owed.
    pub(super) fn told(&mut self, event: &JournalEvent) {
        match event {
            JournalEvent::Opened { .. }
            | JournalEvent::LettersOpened
            | JournalEvent::LettersDiscarded { .. } => {}
            JournalEvent::Restored { number, message } => {
                self.held.insert(*number, message.clone());
            }
            JournalEvent::Stored { up_to } => self.storing.retain(|number, _| number > up_to),
            JournalEvent::Refused { number } => {
                self.storing.remove(number);
                self.held.remove(number);
            }
            JournalEvent::Fetched { number, .. } | JournalEvent::Lost { number } => {
                self.fetching.remove(number);
            }
            JournalEvent::LetterStored { up_to } => self.burying.retain(|letter, _| letter > up_to),
            JournalEvent::LetterLost { number } => drop(self.burying.remove(number)),
            JournalEvent::Health(health) => self.is_ailing = *health != Health::Good,
        }
    }

    /// What becomes of a recorded event: answers were for the recorded hub, the rest is the disk's doing.
    pub(super) fn recorded(event: &JournalEvent) -> bool {
        matches!(
            event,
            JournalEvent::Opened { .. }
                | JournalEvent::Restored { .. }
                | JournalEvent::Health(_)
                | JournalEvent::LettersOpened
        )
    }

    /// When the next debt is due.
    pub(super) fn next(&self, environment: &Environment) -> Option<Instant> {
        let stored = self.storing.values().next().filter(|_| !self.is_ailing);
        let stored = stored.map(|&since| since + environment.storing());
        let buried = self.burying.values().next().map(|&since| since + environment.storing());
        let readable = self.fetching.iter().filter(|(number, _)| self.read(**number, environment).is_some());
        let fetched = readable.map(|(_, &since)| since + environment.fetching()).min();
        [stored, buried, fetched].into_iter().flatten().min()
    }

    /// Pays the debt that is due at this moment.
    pub(super) fn take(&mut self, due: Instant, environment: &Environment) -> Option<JournalEvent> {
        if !self.is_ailing {
            let is_due = |since: Instant| since + environment.storing() <= due;
            let stored = self.storing.iter().take_while(|(_, since)| is_due(**since)).last();
            if let Some((&up_to, _)) = stored {
                return Some(JournalEvent::Stored { up_to });
            }
        }
        let is_due = |since: Instant| since + environment.storing() <= due;
        let buried = self.burying.iter().take_while(|(_, since)| is_due(**since)).last();
        if let Some((&up_to, _)) = buried {
            return Some(JournalEvent::LetterStored { up_to });
        }
        let is_due = |since: Instant| since + environment.fetching() <= due;
        let mut owed = self.fetching.iter().filter(|(_, since)| is_due(**since));
        owed.find_map(|(&number, _)| {
            let message = self.read(number, environment)?.clone();
            Some(JournalEvent::Fetched { number, message })
        })
    }

    /// An entry; `None` for one that was stored before the trace begins and that the recorded hub never read back: what
    /// is in it is not known, and it stays where it is.
    fn read<'a>(&'a self, number: EntryNumber, environment: &'a Environment) -> Option<&'a Message> {
        self.held.get(&number).or_else(|| environment.entry(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::DropReason;
    use crate::message::Draft;
    use core::time::Duration;

    /// What stands for the disk's time in a recording that shows none.
    const TIME: Duration = Duration::from_millis(50);

    fn message() -> Message {
        Draft { msg_id: "m", ..Draft::default() }.encode().unwrap()
    }

    fn letter(number: u64) -> Output {
        Output::Bury {
            letter: LetterNumber(number),
            reason: DropReason::Expired,
            class: 0,
            message: message(),
        }
    }

    #[test]
    fn letters_become_durable_together_after_the_disks_time() {
        let (mut journal, environment) = (Journal::default(), Environment::default());
        assert_eq!(journal.next(&environment), None);
        journal.wanted(Instant(1000), &letter(1));
        journal.wanted(Instant(1000), &letter(2));
        journal.wanted(Instant(2000), &letter(3));
        let due = Instant(1000) + TIME;
        assert_eq!(journal.next(&environment), Some(due));
        assert_eq!(journal.take(Instant(due.0 - 1), &environment), None);
        let paid = journal.take(due, &environment).unwrap();
        assert_eq!(paid, JournalEvent::LetterStored { up_to: LetterNumber(2) });
        journal.told(&paid);
        assert_eq!(journal.next(&environment), Some(Instant(2000) + TIME));
        journal.told(&JournalEvent::LetterLost { number: LetterNumber(3) });
        assert_eq!(journal.next(&environment), None);
    }

    #[test]
    fn a_journal_that_ails_stores_nothing_and_still_buries() {
        let (mut journal, environment) = (Journal::default(), Environment::default());
        let store = Output::Store { number: EntryNumber(7), class: 0, message: message() };
        journal.wanted(Instant(0), &store);
        journal.told(&JournalEvent::Health(Health::Failing));
        assert_eq!((journal.next(&environment), journal.take(Instant(0) + TIME, &environment)), (None, None));
        journal.wanted(Instant(0), &letter(1));
        let paid = journal.take(Instant(0) + TIME, &environment);
        assert_eq!(paid, Some(JournalEvent::LetterStored { up_to: LetterNumber(1) }));
        journal.told(&paid.unwrap());
        journal.told(&JournalEvent::Health(Health::Good));
        let paid = journal.take(Instant(0) + TIME, &environment);
        assert_eq!(paid, Some(JournalEvent::Stored { up_to: EntryNumber(7) }));
    }

    #[test]
    fn what_was_restored_can_be_read_back() {
        let (mut journal, environment) = (Journal::default(), Environment::default());
        let number = EntryNumber(3);
        journal.wanted(Instant(0), &Output::Fetch { number });
        assert_eq!(journal.take(Instant(0) + TIME, &environment), None, "nobody knows what is in it");
        journal.told(&JournalEvent::Restored { number, message: message() });
        let paid = journal.take(Instant(0) + TIME, &environment);
        assert_eq!(paid, Some(JournalEvent::Fetched { number, message: message() }));
    }
}
