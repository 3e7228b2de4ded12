//! What came lately: a message that the cloud sends again is delivered once, and acknowledged again.
//!
//! CloudHub sends a message with the same id until it is acknowledged. An id is remembered from its first arrival; the
//! window begins when the last copy has left the hub, and is bounded in number, bytes and time. A copy that was dropped
//! is missed: the next arrival is for whoever lacks it.

mod index;

use super::consistent::{is_small, is_sum, takes};
use super::input::ModuleId;
use crate::config::DuplicateWindow;
use crate::limits::DUPLICATE_IDS_BYTES_MAX;
use crate::time::Instant;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use index::Index;
use serde::{Deserialize, Serialize};

/// What is known of an arriving id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Nothing, or that somebody still lacks it.
    Wanted,
    /// Everybody has it, or it is on its way to them.
    Duplicate {
        /// Whether it was acknowledged to the cloud.
        acknowledged: bool,
    },
}

/// A longer id gives its memory back when it is forgotten.
const KEPT_ID_BYTES: usize = 128;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Known {
    id: String,
    /// Who was handed it, or has it in the inbox.
    receivers: Vec<ModuleId>,
    /// Copies in inboxes.
    queued: usize,
    /// Somebody lacks it.
    missed: bool,
    acknowledged: bool,
    in_window: bool,
}

/// The ids that came lately. Once the window is full, nothing here allocates any more.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Duplicates {
    /// Places in use, and free ones whose memory is kept.
    places: Vec<Known>,
    free: Vec<usize>,
    /// Each place in use, by its id's hash.
    index: Index,
    /// Those of which no copy waits, in the order in which that came about, and since when.
    window: VecDeque<(Instant, usize)>,
    window_bytes: usize,
}

impl Duplicates {
    /// Whether a state out of a file can be one: each place is in use and found by its id's hash, or free; and the window is
    /// made of places in use.
    pub(super) fn is_consistent(&self) -> bool {
        let of = |place: usize| self.places.get(place).map(|known| hash(&known.id));
        let Some(mut taken) = self.index.places(self.places.len(), of) else { return false };
        let used = taken.clone();
        let window_bytes =
            self.window.iter().map(|&(_, place)| self.places.get(place).map_or(0, |known| known.id.len()));
        let in_window = |known: &Known| known.in_window;
        self.free.iter().all(|&place| {
            takes(&mut taken, place)
                && self.places.get(place).is_some_and(|known| known.id.is_empty() && !known.in_window)
        }) && taken.into_iter().all(|taken| taken)
            && self
                .window
                .iter()
                .all(|&(_, place)| used.get(place) == Some(&true) && in_window(&self.places[place]))
            && self.window.len() == self.places.iter().filter(|known| in_window(known)).count()
            && self.window.iter().map(|&(_, place)| place).collect::<BTreeSet<_>>().len() == self.window.len()
            && is_sum(self.window_bytes as u64, window_bytes.map(|bytes| bytes as u64))
            && self.places.iter().all(|known| is_small(known.queued as u64))
    }

    /// A message with this id arrived. An empty id is never known.
    pub(super) fn arrived(&mut self, id: &str, now: Instant, limits: &DuplicateWindow) -> Arrival {
        self.shrink(now, limits);
        if id.is_empty() {
            return Arrival::Wanted;
        }
        let Some(place) = self.find(id) else {
            self.remember(id);
            return Arrival::Wanted;
        };
        let known = &mut self.places[place];
        if !known.missed {
            return Arrival::Duplicate { acknowledged: known.acknowledged };
        }
        // It goes to whoever lacks it, and its time begins anew after that.
        known.missed = false;
        self.leave_window(place);
        Arrival::Wanted
    }

    /// Ids that are known.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether a module has it, or will.
    pub(super) fn has(&self, id: &str, module: ModuleId) -> bool {
        self.find(id).is_some_and(|place| self.places[place].receivers.contains(&module))
    }

    /// A copy waits for a module.
    pub(super) fn given(&mut self, id: &str, module: ModuleId) {
        if let Some(known) = self.known(id) {
            known.receivers.push(module);
            known.queued += 1;
        }
    }

    /// A copy that waited, if only for a moment, is handed over.
    pub(super) fn taken(&mut self, id: &str) {
        if let Some(known) = self.known(id) {
            known.queued = known.queued.saturating_sub(1);
        }
    }

    /// A copy that waited is thrown away.
    pub(super) fn missed(&mut self, id: &str, module: ModuleId) {
        self.taken(id);
        if let Some(known) = self.known(id) {
            known.receivers.retain(|receiver| *receiver != module);
            known.missed = true;
        }
    }

    /// A module left: what it had and did not acknowledge is wanted by whoever comes in its place.
    pub(super) fn left(&mut self, module: ModuleId) {
        for known in self.places.iter_mut().filter(|known| known.receivers.contains(&module)) {
            known.receivers.retain(|receiver| *receiver != module);
            known.missed |= !known.acknowledged;
        }
    }

    /// The cloud is told that it has arrived.
    pub(super) fn acknowledged(&mut self, id: &str) {
        if let Some(known) = self.known(id) {
            known.acknowledged = true;
            known.missed = false;
        }
    }

    /// After every change: when no copy waits any more, its time in the window begins. Returns whether everybody has it.
    pub(super) fn settle(&mut self, id: &str, now: Instant, limits: &DuplicateWindow) -> bool {
        let Some(place) = self.find(id) else { return false };
        let known = &mut self.places[place];
        if known.queued > 0 {
            return false;
        }
        let received = !known.receivers.is_empty();
        let complete = received && !known.missed;
        if !received && !known.acknowledged {
            // Nobody has it, and nobody was to have it: it comes as a new one, if it comes again.
            self.leave_window(place);
            self.forget(place);
            return false;
        }
        if !known.in_window {
            known.in_window = true;
            self.window_bytes += known.id.len();
            self.window.push_back((now, place));
        }
        self.shrink(now, limits);
        complete
    }

    fn leave_window(&mut self, place: usize) {
        let known = &mut self.places[place];
        if core::mem::take(&mut known.in_window) {
            self.window_bytes -= known.id.len();
            self.window.retain(|(_, other)| *other != place);
        }
    }

    fn known(&mut self, id: &str) -> Option<&mut Known> {
        let place = self.find(id)?;
        self.places.get_mut(place)
    }

    fn find(&self, id: &str) -> Option<usize> {
        self.index.find(hash(id), |place| self.places.get(place).is_some_and(|known| known.id == id))
    }

    /// Remembers an id that is not known.
    fn remember(&mut self, id: &str) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(Known::default());
            self.places.len() - 1
        });
        self.places[place].id.push_str(id);
        self.index.insert(hash(id), place);
    }

    fn forget(&mut self, place: usize) {
        self.index.remove(place);
        let Known { mut id, mut receivers, .. } = core::mem::take(&mut self.places[place]);
        receivers.clear();
        id.clear();
        if id.capacity() > KEPT_ID_BYTES {
            id = String::new();
        }
        self.places[place] = Known { id, receivers, ..Known::default() };
        self.free.push(place);
    }

    /// Keeps the window within its limits.
    fn shrink(&mut self, now: Instant, limits: &DuplicateWindow) {
        while let Some(&(since, place)) = self.window.front()
            && (self.window.len() > limits.messages
                || self.window_bytes > DUPLICATE_IDS_BYTES_MAX
                || since + limits.time <= now)
        {
            self.window.pop_front();
            // Whatever is in the window waits nowhere.
            self.window_bytes -= self.places[place].id.len();
            self.forget(place);
        }
    }
}

/// FNV-1a.
fn hash(id: &str) -> u64 {
    id.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    const FIRST: ModuleId = ModuleId(1);
    const SECOND: ModuleId = ModuleId(2);
    const AGAIN: Arrival = Arrival::Duplicate { acknowledged: false };

    fn limits(messages: usize, seconds: u64) -> DuplicateWindow {
        DuplicateWindow { messages, time: Duration::from_secs(seconds) }
    }

    fn second(count: u64) -> Instant {
        Instant(0) + Duration::from_secs(count)
    }

    /// A message that one module gets at once.
    fn deliver(duplicates: &mut Duplicates, id: &str, at: u64, limits: &DuplicateWindow) {
        assert_eq!(duplicates.arrived(id, second(at), limits), Arrival::Wanted, "{id}");
        duplicates.given(id, FIRST);
        duplicates.taken(id);
        duplicates.settle(id, second(at), limits);
    }

    #[test]
    fn the_window_ends_by_number_and_by_time() {
        let mut duplicates = Duplicates::default();
        let two = limits(2, 10);
        deliver(&mut duplicates, "a", 0, &two);
        deliver(&mut duplicates, "b", 1, &two);
        assert_eq!(duplicates.arrived("a", second(9), &two), AGAIN);
        assert_eq!(duplicates.arrived("a", second(10), &two), Arrival::Wanted);
        let mut duplicates = Duplicates::default();
        for (at, id) in ["a", "b", "c"].into_iter().enumerate() {
            deliver(&mut duplicates, id, at as u64, &two);
        }
        assert_eq!(duplicates.arrived("b", second(3), &two), AGAIN);
        assert_eq!(duplicates.arrived("a", second(3), &two), Arrival::Wanted);
    }

    #[test]
    fn no_window_knows_nothing_that_has_left() {
        let (mut duplicates, none) = (Duplicates::default(), limits(0, 10));
        assert_eq!(duplicates.arrived("a", second(0), &none), Arrival::Wanted);
        duplicates.given("a", FIRST);
        assert_eq!(duplicates.arrived("a", second(1), &none), AGAIN, "it still waits");
        duplicates.taken("a");
        assert!(duplicates.settle("a", second(1), &none));
        assert_eq!(duplicates.arrived("a", second(1), &none), Arrival::Wanted);
    }

    #[test]
    fn ids_take_a_bounded_room() {
        let (mut duplicates, wide) = (Duplicates::default(), limits(usize::MAX, 1000));
        let id = |number: usize| alloc::format!("{number:0>4096}");
        let count = DUPLICATE_IDS_BYTES_MAX / 4096;
        for number in 0..=count {
            deliver(&mut duplicates, &id(number), 0, &wide);
        }
        assert_eq!((duplicates.index.len(), duplicates.window_bytes), (count, count * 4096));
        assert_eq!(duplicates.arrived(&id(1), second(0), &wide), AGAIN);
        assert_eq!(duplicates.arrived(&id(0), second(0), &wide), Arrival::Wanted);
    }

    #[test]
    fn who_lacks_it_gets_it_the_next_time() {
        let (mut duplicates, wide) = (Duplicates::default(), limits(8, 1000));
        duplicates.arrived("a", second(0), &wide);
        duplicates.given("a", FIRST);
        duplicates.taken("a");
        duplicates.given("a", SECOND);
        assert!(!duplicates.settle("a", second(0), &wide));
        duplicates.missed("a", SECOND);
        assert!(!duplicates.settle("a", second(1), &wide));
        assert_eq!(duplicates.arrived("a", second(2), &wide), Arrival::Wanted);
        assert!(duplicates.has("a", FIRST) && !duplicates.has("a", SECOND));
        duplicates.given("a", SECOND);
        duplicates.taken("a");
        assert!(duplicates.settle("a", second(2), &wide));
        duplicates.acknowledged("a");
        duplicates.left(FIRST);
        duplicates.left(SECOND);
        assert_eq!(duplicates.arrived("a", second(3), &wide), Arrival::Duplicate { acknowledged: true });
    }

    #[test]
    fn a_module_that_leaves_without_a_word_leaves_it_to_the_next() {
        let (mut duplicates, wide) = (Duplicates::default(), limits(8, 1000));
        deliver(&mut duplicates, "a", 0, &wide);
        duplicates.left(FIRST);
        assert_eq!(duplicates.arrived("a", second(1), &wide), Arrival::Wanted);
        // Nobody is there: nothing is remembered.
        assert!(!duplicates.settle("a", second(1), &wide));
        assert!(duplicates.index.is_empty() && duplicates.window.is_empty());
        assert_eq!(duplicates.arrived("", second(1), &wide), Arrival::Wanted);
        assert!(duplicates.index.is_empty());
    }
}
