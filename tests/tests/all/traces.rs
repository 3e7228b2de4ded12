//! Traces: every one in `tests/data/traces` replays, and so does what is captured from real sockets.

use crate::conformance::import::import;
use crate::recordings::NAMES;
use edgehub_core::trace::explain::{Fate, Question, explain, search, stories};
use edgehub_core::trace::{Record, ReplayError, Trace, replay};
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

/// A trace that version 2 of the format was the newest for, as it was committed then.
#[test]
fn a_trace_of_an_older_format_is_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/old-traces/format-2.trace");
    let file = std::fs::read(path).unwrap();
    let trace = Trace::open(&file).unwrap();
    assert_eq!((trace.header().format, trace.damage()), (2, &[][..]));
    let versions = trace.header().other_version().unwrap().to_string();
    assert!(versions.contains("in format 2") && versions.contains("since format 3"), "{versions}");
    let all = stories(&trace, |_| true).unwrap();
    assert!(all.len() > 20);
    for (id, count) in [(&all[3].msg_id, 1), (&"no such message".into(), 0)] {
        let found = explain(&trace, id).unwrap();
        assert_eq!(found.iter().filter(|story| story.msg_id == *id).count(), count);
    }
    let dropped = all.iter().filter(|story| matches!(story.fate(), Fate::Dropped(_))).count();
    assert_eq!(search(&trace, Question::Dropped, usize::MAX).unwrap().len(), dropped);
    match replay(&trace) {
        Ok(replayed) => assert!(replayed.compared > 100),
        // Versions may decide otherwise; then it is said that it is two versions that do.
        Err(ReplayError::Divergence(divergence)) => {
            let words = divergence.to_string();
            assert!(words.contains("two versions") && words.contains("in format 2"), "{words}");
        }
        Err(error) => panic!("{error}"),
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
