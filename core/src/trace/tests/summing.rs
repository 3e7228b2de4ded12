//! What blocks say of their messages, against the stories of all of them.

use super::world::recording;
use crate::hub::{Note, Output};
use crate::time::Instant;
use crate::trace::explain::{What, stories};
use crate::trace::reseal::reseal;
use crate::trace::{
    BlockKind, BlockPlace, Contents, FalseSummary, Replay, ReplayError, Trace, Untrue, replay,
};
use core::ops::ControlFlow;
use core::time::Duration;
use std::collections::BTreeMap;
use std::vec::Vec;

fn records<'a>(trace: &'a Trace<'_>) -> impl Iterator<Item = &'a BlockPlace> {
    trace.blocks().iter().filter(|block| block.kind() == BlockKind::Records)
}

/// By block: how many messages the replay drops, and the greatest age of what the hub holds before one of its steps.
fn replayed(trace: &Trace<'_>) -> BTreeMap<u64, (u32, Duration)> {
    let mut found: BTreeMap<u64, (u32, Duration)> =
        records(trace).map(|block| (block.first_record(), (0, Duration::ZERO))).collect();
    let mut held: Option<Instant> = None;
    let all = Replay::new(trace).run(|moment| {
        if let Some((_, (dropped, oldest))) =
            found.range_mut(..=moment.record).next_back().filter(|_| moment.input.is_some())
        {
            let is_drop = |output: &&Output| matches!(output, Output::Note(Note::Dropped { .. }));
            *dropped += moment.outputs.iter().filter(is_drop).count() as u32;
            let now = moment.hub.now().mono;
            *oldest = (*oldest).max(held.map_or(Duration::ZERO, |since| now.since(since)));
        }
        held = moment.hub.holds_since();
        ControlFlow::Continue(())
    });
    all.unwrap();
    found
}

#[test]
fn a_block_says_what_was_dropped_and_how_old_what_ended_was() {
    let (mut late, mut blocks) = (0, 0);
    for seed in 0..8 {
        let file = recording(seed, 8000, Contents::Redacted);
        let trace = Trace::open(&file).unwrap();
        let found = replayed(&trace);
        let summary = |record: u64| {
            let block = records(&trace).find(|block| (block.first_record()..block.after()).contains(&record));
            block.unwrap().summary().unwrap()
        };
        for (&first, &(dropped, oldest)) in &found {
            let said = summary(first);
            assert_eq!(said.dropped, dropped, "seed {seed}, the block from record {first} on");
            assert!(said.longest >= oldest && said.longest <= oldest + oldest / 4, "{said:?}, {oldest:?}");
            blocks += 1;
        }
        for story in stories(&trace, |_| true).unwrap() {
            let begin = story.events[0].now.mono;
            for event in &story.events {
                let is_end = matches!(
                    event.what,
                    What::Confirmed { .. }
                        | What::Delivered { .. }
                        | What::Dropped { .. }
                        | What::RequestEnded { .. }
                );
                if is_end && event.record > 0 {
                    let age = event.now.mono.since(begin);
                    assert!(age <= summary(event.record).longest, "{story}");
                    late += u32::from(age > Duration::from_millis(500));
                }
            }
        }
    }
    assert!(late > 100 && blocks > 20, "{late} late, {blocks} blocks");
}

/// Whichever block says too little, the replay names it.
#[test]
fn a_summary_that_is_not_true_is_named() {
    let good = recording(4, 8000, Contents::Redacted);
    let trace = Trace::open(&good).unwrap();
    let (mut fewer, mut younger) = (0, 0);
    for wrong in records(&trace) {
        let (first, said) = (wrong.first_record(), wrong.summary().unwrap());
        for drops in [false, true].into_iter().filter(|&drops| !drops || said.dropped > 0) {
            let edited = reseal(
                &good,
                |_| {},
                |block| {
                    if block.kind == BlockKind::Records && block.first == first {
                        match drops {
                            true => block.summary.dropped -= 1,
                            false => block.summary.longest = Duration::from_millis(1),
                        }
                    }
                },
            );
            let edited = edited.unwrap();
            let Err(ReplayError::FalseSummary(FalseSummary { records, untrue, .. })) =
                replay(&Trace::open(&edited).unwrap())
            else {
                panic!("the block from record {first} on is believed")
            };
            assert_eq!(records, first..wrong.after());
            match untrue {
                Untrue::Dropped { said: few, found } => {
                    assert_eq!((few + 1, found), (said.dropped, said.dropped));
                    fewer += 1;
                }
                Untrue::Longest { found, .. } => {
                    assert!(found > Duration::from_millis(1) && found <= said.longest);
                    younger += 1;
                }
            }
        }
    }
    assert!(fewer > 2 && younger > 2, "{fewer} and {younger}");
    let sound = reseal(&good, |_| {}, |_| {}).unwrap();
    let all: Vec<_> = [&good, &sound].into_iter().map(|file| replay(&Trace::open(file).unwrap())).collect();
    assert!(all[0].is_ok() && all[0] == all[1]);
}
