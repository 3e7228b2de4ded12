//! Traces: every one in `tests/data/traces` replays, and so does what is captured from real sockets.

use crate::conformance::import::import;
use crate::recordings::NAMES;
use edgehub_core::trace::{Record, Trace, replay};
use std::path::{Path, PathBuf};

/// Set to anything, it has the traces of the recordings written anew.
const UPDATE: &str = "EDGEHUB_UPDATE_TRACES";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/traces")
}

fn path(name: &str) -> PathBuf {
    folder().join(name).with_extension("trace")
}

/// A committed trace.
pub(crate) fn read(name: &str) -> Vec<u8> {
    let path = path(name);
    std::fs::read(&path).unwrap_or_else(|why| panic!("{}: {why}; write it with {UPDATE}=1", path.display()))
}

fn records(file: &[u8]) -> Vec<Record> {
    let trace = Trace::open(file).unwrap();
    assert_eq!(trace.damage(), []);
    let mut records = Vec::new();
    for block in trace.blocks() {
        trace
            .each_record(block, |_, record| {
                records.push(record);
                true
            })
            .unwrap();
    }
    records
}

/// What is committed is what the recordings make; only the settings of a later version may be missing in it.
#[test]
fn the_traces_of_the_recordings_can_be_made_again() {
    for name in NAMES {
        let made = import(name);
        if std::env::var_os(UPDATE).is_some() {
            std::fs::write(path(name), &made).unwrap();
        }
        let (made, committed) = (records(&made), records(&read(name)));
        assert!(made.len() > 10, "{name}");
        for (number, (made, committed)) in made.iter().zip(&committed).enumerate() {
            assert_eq!(
                made, committed,
                "{name}, record {number}; if that is meant to be, {UPDATE}=1 writes it anew"
            );
        }
        assert_eq!(made.len(), committed.len(), "{name}");
    }
}

#[test]
fn every_committed_trace_replays() {
    let mut count = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let file = std::fs::read(&path).unwrap();
        let trace = Trace::open(&file).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let replayed = replay(&trace).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        assert_eq!((replayed.skipped, &*replayed.damage), (0, &[][..]), "{}", path.display());
        assert!(replayed.compared > 0, "{}", path.display());
        count += 1;
    }
    assert!(count >= NAMES.len());
}
