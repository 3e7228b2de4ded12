//! Traces that another version of the core has recorded.

use super::world::recording;
use crate::trace::cut::cut;
use crate::trace::explain::{Question, search};
use crate::trace::reseal::reseal;
use crate::trace::{
    BlockKind, Contents, Damage, FORMAT_VERSION, Header, OLDEST_FORMAT_VERSION, Refusal, Replay, ReplayError,
    Start, Trace, replay,
};
use std::ops::ControlFlow;
use std::string::ToString;
use std::time::Duration;
use std::vec::Vec;
use xxhash_rust::xxh3::xxh3_64;

const WORDS: &str = concat!(
    "recorded by version 0.0.1 in format 3, this is version ",
    env!("CARGO_PKG_VERSION"),
    " and format 3"
);

/// The same trace as an older version would have recorded it: with another seed, if its first random choice is to be
/// another one, and with states of another shape.
fn from_an_older_version(file: &[u8], seed_differs: bool, states_differ: bool) -> Vec<u8> {
    let older = |header: &mut Header| {
        header.core = "0.0.1".into();
        header.seed = header.seed.wrapping_add(u64::from(seed_differs));
    };
    reseal(file, older, |block| {
        // A structure ends with the mark of its shape, and the hub is the outermost one.
        if let Some(last) =
            block.raw.last_mut().filter(|_| states_differ && block.kind == BlockKind::Checkpoint)
        {
            *last ^= 1;
        }
    })
    .unwrap()
}

#[test]
fn another_version_is_named() {
    let file = recording(3, 2000, Contents::Redacted);
    assert_eq!(Trace::open(&file).unwrap().header().other_version(), None);
    let file = from_an_older_version(&file, false, false);
    let trace = Trace::open(&file).unwrap();
    assert_eq!(trace.header().other_version().map(|versions| versions.to_string()).as_deref(), Some(WORDS));
    assert!(replay(&trace).is_ok(), "it is a compatible one");
}

/// The same trace as format 2 has it: its blocks do not say what happened to messages, and are hashed anew.
fn in_format_2(file: &[u8]) -> Vec<u8> {
    let trace = Trace::open(file).unwrap();
    let first = trace.blocks()[0].offset();
    let mut out = file[..first - 8].to_vec();
    out[8] = 2;
    out.extend_from_slice(&xxh3_64(&out).to_le_bytes());
    for block in trace.blocks() {
        let block = &file[block.offset()..block.offset() + block.bytes()];
        let (head, body) = (&block[..52], &block[72..]);
        out.extend_from_slice(head);
        out.extend_from_slice(&xxh3_64(&[head, body].concat()).to_le_bytes());
        out.extend_from_slice(body);
    }
    out
}

#[test]
fn format_2_is_read_and_what_it_lacks_is_made_up_for() {
    let file = recording(7, 20_000, Contents::Redacted);
    let older = in_format_2(&file);
    let (now, then) = (Trace::open(&file).unwrap(), Trace::open(&older).unwrap());
    assert!(then.damage().is_empty() && then.blocks().len() == now.blocks().len() && now.blocks().len() > 5);
    assert!(then.blocks().iter().all(|block| block.summary().is_none()));
    assert_eq!(replay(&then), replay(&now));
    for question in [Question::Dropped, Question::Pending, Question::Late(Duration::from_millis(300))] {
        let found = search(&now, question, usize::MAX).unwrap();
        assert!(!found.is_empty() && search(&then, question, usize::MAX).unwrap() == found, "{question:?}");
    }
    let words = then.header().other_version().unwrap().to_string();
    assert!(
        words.contains("in format 2, this is") && words.contains("and format 3; since format 3, "),
        "{words}"
    );
    // What is made of it is of this version, and says of its blocks what it has found out.
    let part = cut(&then, now.blocks()[2].begin()..=now.blocks()[4].end(), 1).unwrap();
    let part = Trace::open(&part).unwrap();
    assert!(part.header().other_version().is_none() && replay(&part).is_ok());
    assert!(part.blocks().iter().any(|block| block.summary().is_some_and(|said| said.dropped > 0)));
}

#[test]
fn an_unknown_format_is_refused_with_all_numbers() {
    let mut file = recording(7, 10, Contents::Redacted);
    for unknown in [OLDEST_FORMAT_VERSION - 1, FORMAT_VERSION + 1, u16::MAX] {
        file[8..10].copy_from_slice(&unknown.to_le_bytes());
        let refusal = Trace::open(&file).unwrap_err();
        assert_eq!(refusal, Refusal::UnknownVersion { found: unknown });
        let words = refusal.to_string();
        assert!(
            words.contains(&std::format!("version {unknown};")) && words.contains("versions 2 to 3"),
            "{words}"
        );
    }
}

#[test]
fn a_divergence_names_both_versions() {
    let file = from_an_older_version(&recording(3, 2000, Contents::Redacted), true, false);
    let Err(ReplayError::Divergence(divergence)) = replay(&Trace::open(&file).unwrap()) else {
        panic!("another seed is noticed")
    };
    let words = divergence.to_string();
    assert!(words.starts_with("two versions of the hub part here") && words.ends_with(WORDS), "{words}");
    assert!(words.contains(&std::format!("record {} at", divergence.record)), "{words}");
}

#[test]
fn a_state_of_another_version_is_not_called_damaged() {
    let file = recording(7, 20_000, Contents::Redacted);
    let older = from_an_older_version(&file, false, true);
    let trace = Trace::open(&older).unwrap();
    let whole = replay(&trace);
    assert!(whole.is_ok(), "it replays from its beginning, without its checkpoints");
    let checkpoints = trace.blocks().iter().filter(|block| block.kind() == BlockKind::Checkpoint);
    let places: Vec<usize> = checkpoints.map(|block| block.offset()).collect();
    assert!(places.len() >= 3);
    let near = Replay::near(&trace, trace.blocks().len()).run(|_| ControlFlow::Continue(()));
    assert_eq!(near, whole, "no checkpoint is any use, and its beginning is");
    // A part that begins with a checkpoint has nothing else to begin with.
    let whole = Trace::open(&file).unwrap();
    let middle = whole.blocks()[whole.blocks().len() / 2].begin();
    let part = cut(&whole, middle..=whole.blocks().last().unwrap().end(), 1).unwrap();
    let part = from_an_older_version(&part, false, true);
    let part = Trace::open(&part).unwrap();
    assert_eq!(part.header().start, Start::Checkpoint);
    let near = Replay::near(&part, part.blocks().len()).run(|_| ControlFlow::Continue(()));
    for replayed in [replay(&part), near] {
        assert!(matches!(&replayed, Err(ReplayError::OtherVersion(_))), "{replayed:?}");
        assert!(replayed.unwrap_err().to_string().ends_with(WORDS));
    }
    let restored = part.restore(&part.blocks()[0]).unwrap_err();
    assert!(
        matches!(restored, Damage::OtherVersion { .. }) && restored.to_string().ends_with(WORDS),
        "{restored}"
    );
}
