//! Traces that were cut off, damaged, or taken apart.

use super::world::recording;
use crate::rng::Rng;
use crate::trace::block::HEAD_BYTES;
use crate::trace::reseal::reseal;
use crate::trace::{BlockKind, BlockPlace, Contents, Damage, Refusal, Replay, ReplayError, Trace, replay};
use std::ops::ControlFlow;
use std::string::ToString;
use std::vec::Vec;

fn file() -> Vec<u8> {
    recording(2, 12_000, Contents::Redacted)
}

#[test]
fn a_truncated_trace_replays_up_to_the_cut() {
    let file = file();
    let whole = Trace::open(&file).unwrap();
    let mut rng = Rng::new(1);
    for _ in 0..100 {
        let cut = rng.below(file.len() as u64) as usize;
        let cut_off = &file[..cut];
        let trace = match Trace::open(cut_off) {
            Ok(trace) => trace,
            Err(refusal) => {
                assert!(cut < whole.blocks()[0].offset());
                assert!(matches!(refusal, Refusal::Truncated | Refusal::NotATrace), "{refusal}");
                continue;
            }
        };
        let kept = whole.blocks().iter().take_while(|block| block.offset() + block.bytes() <= cut).count();
        assert_eq!(trace.blocks(), &whole.blocks()[..kept]);
        let end = whole.blocks()[kept].offset();
        let expected: &[Damage] = if end == cut { &[] } else { &[Damage::Truncated { offset: end }] };
        assert_eq!(trace.damage(), expected);
        let replayed = replay(&trace).unwrap();
        assert_eq!((replayed.skipped, &*replayed.damage), (0, expected));
    }
}

#[test]
fn a_damaged_block_is_named_and_the_replay_goes_on_at_the_next_checkpoint() {
    let good = file();
    let whole = Trace::open(&good).unwrap();
    let all = replay(&whole).unwrap();
    let mut rng = Rng::new(1);
    for (number, block) in whole.blocks().iter().enumerate() {
        let mut file = good.clone();
        let at = block.offset() + rng.below(block.bytes() as u64) as usize;
        file[at] ^= 1 << rng.below(8);
        let trace = Trace::open(&file).unwrap();
        assert_eq!(trace.damage().len(), 1, "{:?}", trace.damage());
        assert_eq!(trace.damage()[0].offset(), block.offset());
        assert_eq!(trace.blocks().len(), whole.blocks().len() - 1);
        let later = &whole.blocks()[number + 1..];
        let resumes = later.iter().any(|block| block.kind() == BlockKind::Checkpoint);
        let replayed = match replay(&trace) {
            Ok(replayed) => replayed,
            Err(ReplayError::NoBeginning) if number == 0 && !resumes => continue,
            Err(error) => panic!("block {number}: {error}"),
        };
        if block.kind() == BlockKind::Checkpoint {
            assert_eq!(replayed.inputs, all.inputs, "a checkpoint that is not needed is not missed");
        } else {
            assert!(replayed.inputs < all.inputs);
            let until = later.iter().take_while(|block| block.kind() == BlockKind::Records);
            assert_eq!(replayed.skipped, until.map(|block| u64::from(block.records())).sum::<u64>());
        }
    }
}

/// A hash says that a block is as it was written, and not that it was written well.
#[test]
fn a_damaged_record_is_named_with_its_place() {
    let good = file();
    let mut number = 0;
    let edited = reseal(
        &good,
        |_| {},
        |block| {
            number += 1;
            if number == 2 {
                block.raw.pop();
            }
        },
    );
    let edited = edited.unwrap();
    let trace = Trace::open(&edited).unwrap();
    assert_eq!(trace.damage(), []);
    let block = trace.blocks()[1];
    let (mut last, mut places) = (0, 0);
    let read = trace.each_record(&block, |number, _| {
        (last, places) = (number, places + 1);
        true
    });
    let Err(damage @ Damage::Record { offset, record, at, .. }) = read else { panic!("{read:?}") };
    assert_eq!((offset, record, places), (block.offset(), last + 1, block.records() - 1));
    assert!(at > 10_000, "close to the end of the block: {at}");
    let words = damage.to_string();
    for number in [offset as u64, record, at as u64] {
        assert!(words.contains(&number.to_string()), "{words}");
    }
    let replayed = replay(&trace).unwrap();
    assert!(replayed.damage == [damage] && replayed.inputs > record / 2, "{replayed:?}");
}

/// What somebody writes into a state on purpose is refused where it is read: nothing behind it can trip over it.
#[test]
fn a_state_in_which_no_hub_can_be_is_refused() {
    let good = file();
    let whole = Trace::open(&good).unwrap();
    let is_state = |block: &&BlockPlace| block.kind() == BlockKind::Checkpoint;
    let state = *whole.blocks().iter().find(is_state).unwrap();
    let length = whole.restore(&state).map(|_| whole.raw(&state).unwrap().len()).unwrap();
    let mut rng = Rng::new(5);
    let (mut refused, mut accepted) = (0, 0);
    for _ in 0..300 {
        let (at, bits) = (rng.below(length as u64) as usize, 1 << rng.below(8));
        let edited = reseal(
            &good,
            |_| {},
            |block| {
                if block.kind == BlockKind::Checkpoint && block.raw.len() == length {
                    block.raw[at] ^= bits;
                }
            },
        );
        let edited = edited.unwrap();
        let trace = Trace::open(&edited).unwrap();
        let block = trace.blocks().iter().position(|block| is_state(&block)).unwrap();
        match trace.restore(&trace.blocks()[block]) {
            Ok(_) => accepted += 1,
            Err(_) => refused += 1,
        }
        // Whichever it is, the replay from there ends, if only at a difference.
        let _ = Replay::near(&trace, block).run(|_| ControlFlow::Continue(()));
    }
    assert!(refused > 20 && accepted > 20, "{refused} refused, {accepted} accepted");
}

#[test]
fn a_part_that_was_taken_out_is_missed() {
    let good = file();
    let whole = Trace::open(&good).unwrap();
    let (first, second) = (whole.blocks()[0], whole.blocks()[1]);
    let file = [&good[..first.offset()], &good[second.offset()..]].concat();
    let trace = Trace::open(&file).unwrap();
    let missing = Damage::Missing { offset: first.offset(), from: 0, to: second.first_record() };
    assert_eq!(trace.damage(), [missing]);
    assert!(replay(&trace).unwrap().skipped > 0);
}

/// Each of these heads claims all the rest of the file: hashing for each would take the square of its length.
#[test]
fn heads_that_claim_too_much_are_given_up() {
    let good = file();
    let first = Trace::open(&good).unwrap().blocks()[0].offset();
    let mut head = good[first..first + HEAD_BYTES].to_vec();
    let (heads, filter) = (2000_usize, 0_u16);
    let mut hostile = good[..first].to_vec();
    for number in 0..heads {
        let rest = ((heads - number - 1) * head.len()) as u32;
        head[5] = 0;
        head[6..8].copy_from_slice(&filter.to_le_bytes());
        head[8..12].copy_from_slice(&rest.to_le_bytes());
        head[12..16].copy_from_slice(&rest.to_le_bytes());
        hostile.extend_from_slice(&head);
    }
    let trace = Trace::open(&hostile).unwrap();
    assert!(trace.blocks().is_empty());
    assert!(trace.damage().len() < 20, "{} heads were hashed", trace.damage().len());
    let last = trace.damage().last().unwrap().to_string();
    assert!(last.contains("nothing behind it is looked at any more"), "{last}");
}

#[test]
fn any_damage_is_survived() {
    let good = file();
    let mut rng = Rng::new(3);
    for _ in 0..60 {
        let mut file = good.clone();
        for _ in 0..=rng.below(4) {
            let at = rng.below(file.len() as u64) as usize;
            match rng.below(3) {
                0 => file[at] = rng.next_u64() as u8,
                1 => drop(file.drain(at..(at + 900).min(file.len()))),
                _ => {
                    let from = rng.below(file.len() as u64) as usize;
                    let piece = file[from..(from + 5000).min(file.len())].to_vec();
                    file.splice(at..at, piece);
                }
            }
        }
        if let Ok(trace) = Trace::open(&file) {
            let _ = replay(&trace);
        }
    }
}
