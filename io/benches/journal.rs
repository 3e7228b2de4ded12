//! Messages per second through the journal, every one of them synced: `cargo bench -p edgehub --bench journal`.
//!
//! Takes the directory to write to from `EDGEHUB_BENCH_DIR`; a temporary directory may well be memory and no disk.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a measurement ends with its first surprise")]

use edgehub::core::UnixMillis;
use edgehub::journal::{Entry, EntryNumber, Event, Opened, Operation, Options};
use std::time::Instant;

const MESSAGES: u64 = 500_000;
const SIZE: usize = 256;
/// What a hub hands over at once, and how far it runs ahead of what is stored.
const BATCH: u64 = 64;
const AHEAD: u64 = 16 * 1024;

fn main() {
    let base = std::env::var_os("EDGEHUB_BENCH_DIR").map_or_else(std::env::temp_dir, Into::into);
    let dir = tempfile::tempdir_in(base).unwrap();
    let journal = Opened::open(dir.path(), "project/bench", Options::default()).unwrap().start().unwrap();
    let events = journal.events();
    let frame = bytestring::ByteString::from("x".repeat(SIZE));
    let (mut next, mut stored, mut syncs) = (1, 0, 0u64);
    let start = Instant::now();
    while stored < MESSAGES {
        while next <= MESSAGES && next <= stored + AHEAD {
            let batch = (next..=MESSAGES.min(next + BATCH - 1)).map(|number| {
                let (number, at) = (EntryNumber(number), UnixMillis(0));
                Operation::Store(Entry { number, class: 0, at, reason: None, frame: frame.clone() })
            });
            let batch: Vec<_> = batch.collect();
            next += batch.len() as u64;
            journal.append(batch).unwrap();
        }
        if let Event::Stored { up_to } = events.recv_blocking().unwrap() {
            // What is confirmed is forgotten, as a hub does.
            journal.append(vec![Operation::Forget { first: EntryNumber(stored + 1), last: up_to }]).unwrap();
            stored = up_to.0;
            syncs += 1;
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{MESSAGES} messages of {SIZE} bytes stored in {seconds:.2} s: {:.0} messages/s, {syncs} group commits of {} \
         messages on average",
        MESSAGES as f64 / seconds,
        MESSAGES / syncs
    );
}
