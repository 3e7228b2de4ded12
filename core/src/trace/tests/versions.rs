//! Traces that another version of the core has recorded.

use super::world::recording;
use crate::trace::cut::cut;
use crate::trace::reseal::reseal;
use crate::trace::{BlockKind, Contents, Damage, Header, Replay, ReplayError, Start, Trace, replay};
use std::ops::ControlFlow;
use std::string::ToString;
use std::vec::Vec;

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

#[test]
fn a_divergence_names_both_versions() {
    let file = from_an_older_version(&recording(3, 2000, Contents::Redacted), true, false);
    let Err(ReplayError::Divergence(divergence)) = replay(&Trace::open(&file).unwrap()) else {
        panic!("another seed is noticed")
    };
    assert!(divergence.to_string().ends_with(WORDS), "{divergence}");
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
