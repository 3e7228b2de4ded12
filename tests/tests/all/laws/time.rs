//! Laws 2, 3, 8 and 9: early ticks, late ticks, and clocks that jump.

use super::{STEPS, hub_clock, run, state};
use crate::observer::is_hubs_own;
use crate::property::check;
use crate::world::{World, drain, plan, replay, start};
use edgehub_core::{Config, Input, Instant, LinkEvent, Note, Now, Output};
use proptest::prelude::*;
use std::time::Duration;

#[test]
fn law_02_a_tick_before_the_deadline_is_a_no_op() {
    check("laws::time::law_02_a_tick_before_the_deadline_is_a_no_op", 80, plan(STEPS), |plan| {
        let first = run(&plan);
        let mut hub = start(&first.config, first.seed);
        drain(&mut hub);
        let mut latest = Instant(1_000_000);
        for moment in &first.moments {
            // As late as a tick can come without being due, and without overtaking the next input.
            let due = hub.next_deadline().map_or(u64::MAX, |deadline| deadline.at.0);
            let tick = moment.now.mono.max(latest).0.min(due.saturating_sub(1));
            if tick >= latest.0 {
                let before = state(&hub);
                hub.handle(Now::new(tick, 7), Input::Tick);
                prop_assert_eq!(drain(&mut hub), vec![], "a tick at {} before {}", tick, due);
                prop_assert_eq!(state(&hub), before);
                latest = Instant(tick);
            }
            hub.handle(moment.now, moment.input.clone());
            latest = latest.max(moment.now.mono);
            prop_assert_eq!(without_clock_notes(&drain(&mut hub)), without_clock_notes(&moment.outputs));
        }
        Ok(())
    });
}

fn without_clock_notes(outputs: &[Output]) -> Vec<Output> {
    outputs.iter().filter(|output| !matches!(output, Output::Note(Note::ClockBack { .. }))).cloned().collect()
}

#[test]
fn law_03_progress() {
    check("laws::time::law_03_progress", 200, plan(STEPS), |plan| {
        World::run(&plan, |hub, moment| {
            // Whatever the input was, deadlines that had come are settled.
            if let Some(deadline) = hub.next_deadline() {
                assert!(deadline.at > moment.now.mono, "{deadline:?} is over at {:?}", moment.now.mono);
            }
        });
        Ok(())
    });
}

#[test]
fn law_08_time_skip() {
    check("laws::time::law_08_time_skip", 200, (plan(STEPS), 1u64..400), |(plan, days)| {
        let first = run(&plan);
        let mut hub = start(&first.config, first.seed);
        for (now, input) in first.inputs() {
            hub.handle(now, input);
        }
        drain(&mut hub);
        let late = hub_clock(&hub) + Duration::from_secs(days * 86_400);
        let waited = hub.pending_requests();
        hub.handle(Now { mono: late, ..Now::default() }, Input::Tick);
        let outputs = drain(&mut hub);
        let count = |wanted: fn(&Output) -> bool| outputs.iter().filter(|output| wanted(output)).count();
        let keepalives = count(|output| {
            matches!(output, Output::Write { message, .. }
                if is_hubs_own(message) && message.operation() == "keepalive")
        });
        let writes = count(|output| matches!(output, Output::Write { .. }));
        let pings = count(|output| matches!(output, Output::Ping { .. }));
        prop_assert!(keepalives <= 1, "{} keepalives", keepalives);
        // One for the time that passed; others only as receipts for what the same tick wrote.
        prop_assert!(pings <= 1 + writes, "{} pings, {} writes", pings, writes);
        prop_assert!(writes > 0 || pings <= 1);
        let opened = count(|output| matches!(output, Output::Open { .. }));
        let closed = count(|output| matches!(output, Output::Close { .. }));
        prop_assert!(opened <= 1 && closed <= 1, "{} opened, {} closed", opened, closed);
        let ended = count(|output| matches!(output, Output::Note(Note::SyncEnded { .. })));
        prop_assert!(ended <= waited);
        prop_assert!(hub.next_deadline().is_none_or(|deadline| deadline.at > late));
        Ok(())
    });
}

#[test]
fn law_09_a_monotonic_step_back_is_held() {
    check("laws::time::law_09_a_monotonic_step_back_is_held", 150, plan(STEPS), |plan| {
        let first = run(&plan);
        let mut latest = Instant(1_000_000);
        let held = first.inputs().map(|(now, input)| {
            latest = latest.max(now.mono);
            (Now { mono: latest, ..now }, input)
        });
        let held = replay(&first.config, first.seed, held);
        for (a, b) in first.moments.iter().zip(&held.moments) {
            prop_assert_eq!(without_clock_notes(&a.outputs), b.outputs.clone());
        }
        Ok(())
    });
}

#[test]
fn law_09_the_wall_clock_only_stamps() {
    check(
        "laws::time::law_09_the_wall_clock_only_stamps",
        150,
        (plan(STEPS), any::<i64>()),
        |(plan, wall)| {
            let first = run(&plan);
            let jumped = first
                .inputs()
                .enumerate()
                .map(|(at, (now, input))| (Now::new(now.mono.0, wall.wrapping_mul(at as i64 + 1)), input));
            let jumped = replay(&first.config, first.seed, jumped);
            for (a, b) in first.moments.iter().zip(&jumped.moments) {
                prop_assert_eq!(unstamped(&a.outputs), unstamped(&b.outputs));
            }
            Ok(())
        },
    );
}

/// Outputs with every message's time stamp taken out. Their lengths are the stamps' business too, so byte counts of
/// the driver are not compared; the hub's decisions are.
fn unstamped(outputs: &[Output]) -> Vec<serde_json::Value> {
    outputs
        .iter()
        .map(|output| {
            let mut value = serde_json::to_value(output).unwrap();
            if let Output::Write { message, .. } | Output::Deliver { message, .. } = output {
                let mut frame: serde_json::Value = serde_json::from_str(message.frame()).unwrap();
                frame["header"]["timestamp"] = 0.into();
                let member = value.as_object_mut().unwrap().values_mut().next().unwrap();
                member["message"] = frame;
            }
            value
        })
        .collect()
}

/// The end of time is a time like any other.
#[test]
fn the_end_of_time_is_bounded_work() {
    let mut hub = start(&Config::default(), 1);
    let epoch = hub.epoch();
    for mono in [1_000_000, u64::MAX - 1, u64::MAX, u64::MAX] {
        hub.handle(Now::new(mono, i64::MAX), Input::Link { epoch, event: LinkEvent::Opened });
        assert!(drain(&mut hub).len() < 50);
    }
}
