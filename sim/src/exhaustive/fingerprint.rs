//! Whether two histories led to the same state.

use super::node::Node;
use std::fmt::{self, Write};

/// 128 bits of everything that a node remembers.
///
/// It is taken from the `Debug` form of the hub, its checks and its driver, which shows every field of theirs. A
/// message shows all that distinguishes it from the other messages of the alphabet. With a million states, two
/// different ones share a fingerprint with a probability below 2⁻⁸⁸.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fingerprint(u128);

/// FNV-1a over 128 bits, which takes the text as it is written and keeps none of it.
struct Fnv(u128);

const OFFSET: u128 = 0x6c62272e07bb014262b821756295c58d;
const PRIME: u128 = 0x0000000001000000000000000000013b;

impl Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u128::from(byte)).wrapping_mul(PRIME);
        }
        Ok(())
    }
}

impl Fingerprint {
    pub(super) fn of(node: &Node) -> Fingerprint {
        let mut hash = Fnv(OFFSET);
        // Writing into a hash cannot fail.
        let _ = write!(hash, "{node:?}");
        Fingerprint(hash.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exhaustive::event::Event;

    fn after(events: &[Event]) -> Fingerprint {
        let mut node = Node::new().unwrap();
        for &event in events {
            node.play(event).unwrap();
        }
        Fingerprint::of(&node)
    }

    #[test]
    fn what_changes_nothing_leads_to_the_same_state() {
        assert_eq!(after(&[]), after(&[]));
        assert_eq!(after(&[Event::Opened]), after(&[Event::Opened, Event::OldClosed, Event::SpuriousTick]));
    }

    #[test]
    fn every_other_event_leads_to_another_one() {
        let busy = [Event::Join, Event::Opened, Event::Request];
        let unchanged = [
            Event::OldOpened,
            Event::OldClosed,
            Event::OldAnswer,
            Event::SpuriousTick,
            // Refused where they come.
            Event::Join,
            Event::Opened,
            Event::OpenFailed,
            Event::WrongPong,
            Event::JournalOpened,
            Event::Restored,
        ];
        for event in Event::ALL {
            let same = after(&busy) == after(&[busy.as_slice(), &[event]].concat());
            assert_eq!(same, unchanged.contains(&event), "{event:?}");
        }
    }

    #[test]
    fn the_hash_is_the_published_one() {
        let mut hash = Fnv(OFFSET);
        hash.write_str("a").unwrap();
        assert_eq!(hash.0, 0xd228cb696f1a8caf78912b704e4a8964);
    }
}
