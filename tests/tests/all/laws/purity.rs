//! Laws 1, 4, 5 and 7: outputs depend on the inputs alone, and are all there, however they are taken.

use super::{STEPS, hub_clock, json, run, state, without_notes};
use crate::property::check;
use crate::world::{self, World, drain, plan, replay, start};
use edgehub_core::{Input, Now};
use proptest::prelude::*;

#[test]
fn law_01_purity() {
    check("laws::purity::law_01_purity", 150, plan(STEPS), |plan| {
        let first = run(&plan);
        // Inputs and outputs pass through their serialised form: a trace on disk is as good as the run itself.
        let inputs: Vec<(Now, Input)> = first
            .inputs()
            .map(|(now, input)| (now, serde_json::from_str(&serde_json::to_string(&input).unwrap()).unwrap()))
            .collect();
        let second = replay(&first.config, first.seed, inputs.into_iter());
        for (a, b) in first.moments.iter().zip(&second.moments) {
            prop_assert_eq!(json(&a.outputs), json(&b.outputs), "{:?}", a.input);
        }
        Ok(())
    });
}

#[test]
fn law_04_nothing_hidden() {
    check("laws::purity::law_04_nothing_hidden", 80, plan(STEPS), |plan| {
        let first = run(&plan);
        let mut hub = start(&first.config, first.seed);
        drain(&mut hub);
        for moment in &first.moments {
            hub.handle(moment.now, moment.input.clone());
            drain(&mut hub);
            let before = state(&hub);
            let again = Now { mono: hub_clock(&hub), ..moment.now };
            hub.handle(again, Input::Tick);
            prop_assert_eq!(drain(&mut hub), vec![], "after {:?}", moment.input);
            prop_assert_eq!(state(&hub), before);
        }
        Ok(())
    });
}

#[test]
fn law_05_drain() {
    check("laws::purity::law_05_drain", 150, (plan(STEPS), any::<u64>()), |(plan, when)| {
        let first = run(&plan);
        let mut hub = start(&first.config, first.seed);
        let mut outputs = Vec::new();
        drain(&mut hub);
        for (at, (now, input)) in first.inputs().enumerate() {
            hub.handle(now, input);
            // Drained now and then, by a pattern of the case's own.
            if when >> (at % 64) & 1 == 1 {
                outputs.extend(drain(&mut hub));
            }
        }
        outputs.extend(drain(&mut hub));
        prop_assert_eq!(outputs, first.outputs().cloned().collect::<Vec<_>>());
        Ok(())
    });
}

/// Nothing flows back from a note: [`World`] carries out every output and reads no note. What is left to show is that
/// it would do the same had it not been given them.
#[test]
fn law_07_notes_can_be_dropped() {
    check("laws::purity::law_07_notes_can_be_dropped", 100, plan(STEPS), |plan| {
        let mut kept = World::new(world::config(plan.config), plan.seed);
        let mut dropped = World::new(world::config(plan.config), plan.seed).dropping_notes();
        for step in &plan.steps {
            kept.step(step, &mut |_, _| {});
            dropped.step(step, &mut |_, _| {});
        }
        let (kept, dropped) = (kept.into_run(), dropped.into_run());
        prop_assert_eq!(kept.moments.len(), dropped.moments.len());
        for (a, b) in kept.moments.iter().zip(&dropped.moments) {
            prop_assert_eq!(&a.input, &b.input);
            prop_assert_eq!(without_notes(&a.outputs), b.outputs.clone());
        }
        Ok(())
    });
}
