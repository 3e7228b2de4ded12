//! The durable journal on real files: `edgehub_core::journal` decides, a thread of its own does.
//!
//! ```no_run
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use edgehub::journal::{Opened, Options};
//! let opened = Opened::open("/var/lib/edgehub/journal".as_ref(), "project/edge-1", Options::default())?;
//! for entry in opened.entries() {
//!     println!("{} {}", entry.number, entry.frame);
//! }
//! let journal = opened.start()?;
//! # Ok(()) }
//! ```
//!
//! Handing over never blocks: [`Journal::append`] takes a whole batch or returns it, and what becomes of it comes as
//! [`Event`]s. Everything that was handed over while the disk was busy is written and synced together.
//!
//! | file | its one job |
//! |---|---|
//! | `open` | reading back, and making that durable |
//! | `directory` | the lock, the files, commands carried out |
//! | `writer_thread` | the loop around the core's machine |
//! | `dead_letters` | what was dropped: list, show |
//! | `requeue` | … and sent again |
//! | `error` | why a journal cannot be opened, and what to do |

mod dead_letters;
mod directory;
mod error;
mod open;
mod options;
mod requeue;
#[cfg(test)]
mod tests;
mod writer_thread;

pub use dead_letters::{cause_of, letter_reason, list};
pub use edgehub_core::journal::{
    Entry, EntryNumber, Event, FullReason, Health, Operation, Overflow, Place, Purpose, Refusal,
    RefusedReason, SegmentNumber, Settings, Skipped, Torn,
};
pub use error::JournalError;
pub use open::{Opened, Recovered};
pub use options::Options;
pub use requeue::{Requeued, requeue};

use async_channel::Receiver;
use edgehub_core::journal::Record;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use writer_thread::Order;

/// An open journal. Dropping it closes it in good order, without anyone waiting for that.
#[derive(Debug)]
pub struct Journal {
    orders: mpsc::Sender<Order>,
    events: Receiver<Event>,
    room: Arc<Room>,
}

impl Journal {
    /// Hands operations over, in order. A batch that holds entries is returned whole when too much waits for the disk
    /// already, and always when it is larger than all that may wait; one that only forgets and fetches always passes, for it is what makes room.
    pub fn append(&self, operations: Vec<Operation>) -> Result<(), Vec<Operation>> {
        let sizes = operations.iter().map(size).fold((0, 0), |sum, size| (sum.0 + size.0, sum.1 + size.1));
        if !self.room.enter(sizes.0, sizes.1) {
            return Err(operations);
        }
        self.orders.send(Order::Operations(operations)).map_err(|unsent| match unsent.0 {
            Order::Operations(operations) => operations,
            Order::Close => Vec::new(),
        })
    }

    /// What becomes of it. Cheap to clone; each event goes to one receiver.
    pub fn events(&self) -> Receiver<Event> {
        self.events.clone()
    }

    /// Ends: what waits is written and synced, as far as the disk lets it. [`Event::Closed`] is the last event.
    pub fn close(&self) {
        // When the thread has ended already, so has the journal.
        let _ = self.orders.send(Order::Close);
    }
}

/// What an operation adds to what waits: entries, and bytes of their records.
fn size(operation: &Operation) -> (usize, usize) {
    match operation {
        Operation::Store(entry) => (1, Record::of(entry).bytes()),
        Operation::Forget { .. } | Operation::Fetch(_) => (0, 0),
    }
}

/// What waits for the disk, counted on both sides of the thread.
#[derive(Debug)]
struct Room {
    entries: AtomicUsize,
    bytes: AtomicUsize,
    entries_max: usize,
    bytes_max: usize,
}

impl Room {
    fn new(entries_max: usize, bytes_max: usize) -> Room {
        Room { entries: AtomicUsize::new(0), bytes: AtomicUsize::new(0), entries_max, bytes_max }
    }

    /// Takes room for a batch. One larger entry may pass alone.
    fn enter(&self, entries: usize, bytes: usize) -> bool {
        if entries == 0 {
            return true;
        }
        let (entries_before, bytes_before) = (
            self.entries.fetch_add(entries, Ordering::AcqRel),
            self.bytes.fetch_add(bytes, Ordering::AcqRel),
        );
        let fits = (entries_before == 0 && entries == 1)
            || (entries_before + entries <= self.entries_max && bytes_before + bytes <= self.bytes_max);
        if !fits {
            self.leave(entries, bytes);
        }
        fits
    }

    fn leave(&self, entries: usize, bytes: usize) {
        self.entries.fetch_sub(entries, Ordering::AcqRel);
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
    }
}
