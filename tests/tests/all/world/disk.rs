//! What the hub is told of its journals.

use edgehub_core::hub::{JournalEvent, LetterNumber};
use edgehub_core::journal::{EntryNumber, FullReason, Health};
use edgehub_core::{Draft, Input};
use edgehub_sim::faithful::Faithful;

/// What a hub is told first: there are journals, and one message in them.
pub(super) fn opened() -> impl Iterator<Item = Input> {
    let message = Draft { msg_id: "restored", source: "edged", ..Draft::default() }.encode().unwrap();
    let restored = Input::Journal(JournalEvent::Restored { number: EntryNumber(3), message });
    Faithful::opened(EntryNumber(5)).into_iter().chain([restored])
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
