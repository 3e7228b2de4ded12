//! What the journal does on this disk, every message synced: `cargo bench -p edgehub --bench journal`. One line for each case.
//!
//! Takes the directory to write to from `EDGEHUB_BENCH_DIR`; a temporary directory may well be memory and no disk. The last
//! line is the disk alone: where it is not far below a millisecond, syncs are honest.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a measurement ends with its first surprise")]

use edgehub::core::UnixMillis;
use edgehub::journal::{Entry, EntryNumber, Event, Opened, Operation, Options};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// A way of handing messages over.
struct Case {
    size: usize,
    messages: u64,
    /// What a hub hands over at once …
    batch: u64,
    /// … and how far it runs ahead of what is stored.
    ahead: u64,
}

const CASES: [Case; 3] = [
    Case { size: 256, messages: 500_000, batch: 64, ahead: 16 * 1024 },
    Case { size: 1024, messages: 200_000, batch: 64, ahead: 4 * 1024 },
    Case { size: 256, messages: 2_000, batch: 1, ahead: 1 },
];

/// Syncs of the disk alone.
const SYNCS: usize = 1000;

fn main() {
    let base = std::env::var_os("EDGEHUB_BENCH_DIR").map_or_else(std::env::temp_dir, Into::into);
    for case in &CASES {
        let dir = tempfile::tempdir_in(&base).unwrap();
        case.run(dir.path());
    }
    disk_alone(&base);
}

impl Case {
    fn run(&self, dir: &Path) {
        let Case { size, messages, batch, ahead } = *self;
        let journal = Opened::open(dir, "project/bench", Options::default()).unwrap().start().unwrap();
        let events = journal.events();
        let frame = bytestring::ByteString::from("x".repeat(size));
        // When each number was handed over.
        let mut handed = Vec::new();
        let (mut next, mut stored) = (1, 0);
        // From handing over the oldest message of a commit to hearing that it is durable.
        let mut waits = Vec::new();
        let start = Instant::now();
        while stored < messages {
            while next <= messages && next <= stored + ahead {
                let batch = (next..=messages.min(next + batch - 1)).map(|number| {
                    let (number, at) = (EntryNumber(number), UnixMillis(0));
                    Operation::Store(Entry { number, class: 0, at, reason: None, frame: frame.clone() })
                });
                let batch: Vec<_> = batch.collect();
                next += batch.len() as u64;
                handed.resize(next as usize, Instant::now());
                journal.append(batch).unwrap();
            }
            if let Event::Stored { up_to } = events.recv_blocking().unwrap() {
                waits.push(handed[stored as usize + 1].elapsed());
                // What is confirmed is forgotten, as a hub does.
                let forget = Operation::Forget { first: EntryNumber(stored + 1), last: up_to };
                journal.append(vec![forget]).unwrap();
                stored = up_to.0;
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        let commits = waits.len() as u64;
        println!(
            "journal, {size} bytes, {batch} at a time, {ahead} ahead: {:.0} messages/s, {:.0} commits/s of {} messages, \
             durable after {}",
            messages as f64 / seconds,
            commits as f64 / seconds,
            messages / commits,
            percentiles(waits)
        );
    }
}

fn disk_alone(base: &Path) {
    let mut file = tempfile::tempfile_in(base).unwrap();
    let sync = || {
        let start = Instant::now();
        file.write_all(&[b'x'; 288]).unwrap();
        file.sync_data().unwrap();
        start.elapsed()
    };
    let waits: Vec<_> = std::iter::repeat_with(sync).take(SYNCS).collect();
    println!("the disk alone, 288 bytes appended and synced: {}", percentiles(waits));
}

fn percentiles(mut waits: Vec<Duration>) -> String {
    waits.sort_unstable();
    let at = |percent: usize| waits[(waits.len() - 1) * percent / 100].as_secs_f64() * 1000.0;
    format!("{:.2} ms (p50), {:.2} ms (p99)", at(50), at(99))
}
