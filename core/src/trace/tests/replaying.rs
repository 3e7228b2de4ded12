//! What was recorded happens again.

use super::world::{SECRET, World, recording};
use crate::hub::{Input, Output};
use crate::time::Now;
use crate::trace::{BlockKind, Contents, Recorder, Replay, ReplayError, Ring, Trace, replay};
use std::ops::ControlFlow;
use std::vec::Vec;

#[test]
fn a_recording_replays_bit_for_bit() {
    for seed in 0..40 {
        for contents in [Contents::Redacted, Contents::Kept] {
            let file = recording(seed, 1500, contents);
            let trace = Trace::open(&file).unwrap();
            assert_eq!(trace.damage(), []);
            assert!(trace.header().changed.is_empty());
            let replayed = replay(&trace).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert_eq!((replayed.inputs, replayed.skipped), (1503, 0));
            assert!(replayed.compared > 50, "{replayed:?}");
            assert_eq!(replayed.damage, []);
        }
    }
}

#[test]
fn the_replay_shows_the_inputs_and_outputs_themselves() {
    let mut world = World::new(3, Contents::Kept, usize::MAX).drains_each();
    world.live(2000);
    let told = world.told.clone();
    let file = world.end();
    let trace = Trace::open(&file).unwrap();
    let (mut inputs, mut outputs): (Vec<(Now, Input)>, Vec<Output>) = Default::default();
    let watched = Replay::new(&trace).run(|moment| {
        inputs.extend(moment.input.map(|input| (moment.now, input.clone())));
        outputs.extend_from_slice(moment.outputs);
        ControlFlow::Continue(())
    });
    watched.unwrap();
    let expected: Vec<_> = told.iter().skip(1).map(|(now, input, _)| (*now, input.clone())).collect();
    assert!(inputs == expected, "the inputs differ");
    let expected: Vec<_> = told.iter().flat_map(|(.., outputs)| outputs).cloned().collect();
    assert!(outputs == expected, "the outputs differ");
}

#[test]
fn a_redacted_recording_holds_no_content() {
    let file = recording(5, 3000, Contents::Redacted);
    let trace = Trace::open(&file).unwrap();
    let mut seen = 0;
    let replayed = Replay::new(&trace).run(|moment| {
        let shown = std::format!("{:?} {:?}", moment.outputs, moment.hub);
        assert!(!shown.contains(SECRET), "{shown}");
        for output in moment.outputs {
            if let Output::Write { message, .. } | Output::Deliver { message, .. } = output {
                assert!(!message.frame().contains(SECRET));
                seen += 1;
            }
        }
        ControlFlow::Continue(())
    });
    assert!(replayed.is_ok() && seen > 100);
    let kept = recording(5, 3000, Contents::Kept);
    assert!(kept.len() > file.len());
}

#[test]
fn a_replay_can_begin_at_every_checkpoint() {
    let file = recording(7, 20_000, Contents::Redacted);
    let trace = Trace::open(&file).unwrap();
    let checkpoints: Vec<usize> = (0..trace.blocks().len())
        .filter(|&block| trace.blocks()[block].kind() == BlockKind::Checkpoint)
        .collect();
    assert!(checkpoints.len() >= 3, "{checkpoints:?}");
    for block in checkpoints {
        let replayed = Replay::near(&trace, block).run(|_| ControlFlow::Continue(())).unwrap();
        assert!(replayed.inputs > 0 && replayed.skipped == 0 && replayed.compared > 0, "{replayed:?}");
    }
}

#[test]
fn a_full_ring_forgets_its_oldest_part_and_still_replays() {
    let mut world = World::new(9, Contents::Redacted, 100_000);
    world.live(30_000);
    let file = world.end();
    // Recorded once more from the replay, this time into the ring.
    let trace = Trace::open(&file).unwrap();
    let mut again: Option<Recorder> = None;
    let mut held_since = None;
    let mut ring = Ring::new(trace.header().clone(), 200_000);
    let replayed = Replay::new(&trace).run(|moment| {
        let recorder =
            again.get_or_insert_with(|| Recorder::new(trace.header().clone(), 4, 100_000).for_ring(200_000));
        if let Some(input) = moment.input {
            recorder.input_again(moment.now, input, moment.content_hash, held_since);
        }
        moment.outputs.iter().for_each(|output| recorder.output(output));
        recorder.drained(moment.hub);
        held_since = moment.hub.holds_since();
        while let Some(block) = recorder.next_block() {
            ring.push(&block);
        }
        ControlFlow::Continue(())
    });
    replayed.unwrap();
    let mut recorder = again.unwrap();
    recorder.finish_block();
    while let Some(block) = recorder.next_block() {
        ring.push(&block);
    }
    assert!(ring.has_dropped() && ring.bytes() <= 200_000, "{}", ring.bytes());
    let dump = ring.dump("for a test");
    let trace = Trace::open(&dump).unwrap();
    assert_eq!(trace.damage(), []);
    let replayed = replay(&trace).unwrap();
    assert!(replayed.inputs > 1000 && replayed.skipped == 0 && replayed.compared > 100, "{replayed:?}");
}

#[test]
fn another_core_is_noticed_at_the_first_record_that_differs() {
    let mut world = World::new(1, Contents::Redacted, usize::MAX);
    world.live(500);
    let mut file = world.end();
    // The same inputs for another seed: the first random choice differs.
    let trace = Trace::open(&file).unwrap();
    let mut header = trace.header().clone();
    let blocks_at = trace.blocks()[0].offset();
    header.seed += 1;
    file = [&header.encode(), &file[blocks_at..]].concat();
    let trace = Trace::open(&file).unwrap();
    let Err(ReplayError::Divergence(divergence)) = replay(&trace) else { panic!("nothing was noticed") };
    assert_ne!(divergence.recorded, divergence.replayed);
    assert!(!divergence.outputs.is_empty() && divergence.record < 500, "{divergence}");
}
