//! Questions about a trace: the state at a time, a part, a difference, a summary, an export.

use super::world::{SECRET, World, recording};
use crate::hub::{LinkState, View};
use crate::time::Instant;
use crate::trace::diff::{Parting, diff};
use crate::trace::export::{chrome_trace, json_lines};
use crate::trace::state::state_at;
use crate::trace::stats::stats;
use crate::trace::{Contents, Replay, Start, Trace, cut::cut, replay};
use core::ops::ControlFlow;
use std::collections::BTreeMap;
use std::string::ToString;
use std::vec::Vec;

fn views(trace: &Trace<'_>) -> Vec<(Instant, View)> {
    let mut views: Vec<(Instant, View)> = Vec::new();
    let all = Replay::new(trace).run(|moment| {
        let view = moment.hub.view();
        match views.last_mut() {
            // Of one instant, the last counts.
            Some(last) if last.0 == moment.now.mono => last.1 = view,
            _ => views.push((moment.now.mono, view)),
        }
        ControlFlow::Continue(())
    });
    all.unwrap();
    views
}

#[test]
fn the_state_at_any_time_is_the_state_then() {
    let file = recording(4, 20_000, Contents::Redacted);
    let trace = Trace::open(&file).unwrap();
    let views = views(&trace);
    for pair in views.windows(2).step_by(400) {
        let [(at, view), (next, _)] = pair else { unreachable!() };
        assert_eq!(state_at(&trace, *at).unwrap().as_ref(), Some(view));
        assert_eq!(
            state_at(&trace, Instant(next.0 - 1)).unwrap().as_ref(),
            Some(view),
            "until the next input"
        );
    }
    let begin = trace.header().begin.mono;
    assert_eq!(state_at(&trace, Instant(begin.0 - 1)).unwrap(), None);
    // A file that ends before its first input still says how the hub began.
    let end = trace.blocks()[0].offset();
    let empty = Trace::open(&file[..end]).unwrap();
    let state = state_at(&empty, begin).unwrap().unwrap();
    assert_eq!((state.link, state.now.mono), (LinkState::Opening, begin));
    let last = views.last().unwrap();
    assert_eq!(state_at(&trace, Instant(u64::MAX)).unwrap().as_ref(), Some(&last.1));
}

#[test]
fn a_part_replays_and_says_the_same() {
    for contents in [Contents::Redacted, Contents::Kept] {
        let file = recording(4, 20_000, contents);
        let trace = Trace::open(&file).unwrap();
        let views = views(&trace);
        let (from, to) = (views[views.len() / 3].0, views[views.len() / 2].0);
        let part = cut(&trace, from..=to, 99).unwrap();
        assert!(part.len() < file.len() / 2);
        let part = Trace::open(&part).unwrap();
        assert_eq!((part.header().start, part.damage()), (Start::Checkpoint, &[][..]));
        let replayed = replay(&part).unwrap();
        assert!(replayed.compared > 100 && replayed.skipped == 0);
        assert_eq!(state_at(&part, to).unwrap(), state_at(&trace, to).unwrap());
        // A part of the part, whose contents are filler by now.
        let middle = Instant((from.0 + to.0) / 2);
        let smaller = cut(&part, middle..=to, 99).unwrap();
        let smaller = Trace::open(&smaller).unwrap();
        assert!(replay(&smaller).unwrap().compared > 10);
        assert_eq!(state_at(&smaller, to).unwrap(), state_at(&trace, to).unwrap());
    }
}

#[test]
fn the_whole_of_a_trace_is_the_trace() {
    let file = recording(4, 3000, Contents::Redacted);
    let trace = Trace::open(&file).unwrap();
    let whole = cut(&trace, Instant(0)..=Instant(u64::MAX), 99).unwrap();
    let whole = Trace::open(&whole).unwrap();
    assert_eq!(whole.header(), trace.header());
    let (one, other) = (replay(&trace).unwrap(), replay(&whole).unwrap());
    assert_eq!((one.inputs, one.outputs), (other.inputs, other.outputs));
}

#[test]
fn a_difference_is_named() {
    let file = recording(4, 3000, Contents::Redacted);
    let trace = Trace::open(&file).unwrap();
    let same = diff(&trace, &trace);
    assert!(same.is_none() && same.equal > 3000, "{same:?}");
    let mut world = World::new(4, Contents::Redacted, 100_000);
    world.live(2000);
    world.handle(crate::Input::Shutdown);
    world.live(100);
    let other = world.end();
    let different = diff(&trace, &Trace::open(&other).unwrap());
    assert_eq!(different.header, []);
    let Parting { number, one, other } = different.record.unwrap();
    assert!(number >= 2000 && different.equal >= 2000);
    assert_ne!(one, other);
    assert!(other.unwrap().contains("shutdown"));
}

#[test]
fn a_summary_counts_what_happened() {
    let file = recording(6, 5000, Contents::Redacted);
    let trace = Trace::open(&file).unwrap();
    let (stats, replayed) = stats(&trace).unwrap();
    let views = views(&trace);
    let account = views.last().unwrap().1.account;
    assert_eq!(stats.links.len() as u64, account.links);
    assert_eq!(stats.drops.values().sum::<u64>(), account.up.dropped() + account.down.dropped());
    assert_eq!(stats.inputs, replayed.inputs);
    assert!(
        stats.round_trips.count > 10
            && stats.confirmed_after.count > 100
            && stats.slowest_requests.len() == 10
    );
    assert!(stats.slowest_requests.is_sorted_by(|one, other| one >= other));
    let most = views.iter().map(|(_, view)| view.outbox.len()).max().unwrap();
    assert!(stats.outbox_most.0 >= most);
}

#[test]
fn exports_hold_every_message_and_no_secret() {
    let file = recording(6, 3000, Contents::Redacted);
    let trace = Trace::open(&file).unwrap();
    let mut kinds: BTreeMap<std::string::String, usize> = BTreeMap::new();
    json_lines(&trace, true, |line| {
        *kinds.entry(line["type"].as_str().unwrap().into()).or_default() += 1;
        assert!(!line.to_string().contains(SECRET));
    })
    .unwrap();
    for kind in ["header", "input", "link", "rtt", "depth", "message"] {
        assert!(kinds.get(kind).is_some_and(|&count| count > 0), "{kind}: {kinds:?}");
    }
    assert!(kinds["message"] > 1000 && kinds["input"] == 3004, "{kinds:?}");
    let mut phases: BTreeMap<std::string::String, usize> = BTreeMap::new();
    let mut spans: BTreeMap<std::string::String, i32> = BTreeMap::new();
    chrome_trace(&trace, |event| {
        let span = spans.entry(std::format!("{} {}", event["cat"], event["id"])).or_default();
        *span += i32::from(event["ph"] == "b") - i32::from(event["ph"] == "e");
        assert!(*span >= 0, "it ends and has not begun: {event}");
        *phases.entry(event["ph"].as_str().unwrap().into()).or_default() += 1;
        assert!(event["ph"] == "M" || event["ts"].is_u64(), "{event}");
    })
    .unwrap();
    assert!(phases["b"] >= phases["e"] && phases["b"] > 1000 && phases["C"] > 100, "{phases:?}");
}
