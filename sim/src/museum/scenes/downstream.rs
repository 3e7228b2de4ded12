//! Scenes on the way down.

use super::super::original::Schedule;
use super::super::stage::{META, Seen, TWIN, Verdict, answer, command, query};
use super::Scene;
use std::time::Duration;

/// The verdict on how many messages of a kind reached a module.
fn all_reach(seen: &[Seen], module: usize, kind: &str, sent: usize) -> Verdict {
    let arrived = seen.iter().map(|seen| seen.count_delivered(module, kind)).sum::<usize>();
    Verdict { holds: arrived == sent, observed: format!("{arrived} of {sent} reach the module") }
}

pub(super) const D3: Scene = Scene {
    defect: "D3",
    wrong: "the receive buffer holds 100 messages and silently discards the oldest",
    scene: "1,000 commands arrive while the module is busy for 5 s; then it takes one every millisecond",
    schedule: Schedule::WriterLast,
    nodes: 1,
    play: |hub| {
        hub.pass(Duration::from_secs(1));
        for number in 0..1000 {
            hub.arrives(command(&format!("command/{number}"), META));
        }
        hub.pass(Duration::from_secs(5));
        for _ in 0..1010 {
            hub.takes(META, 1);
            hub.pass(Duration::from_millis(1));
        }
    },
    verdict: |seen| all_reach(seen, META, "command/", 1000),
};

pub(super) const D7: Scene = Scene {
    defect: "D7",
    wrong: "a response is dropped when nobody is ready for it",
    scene: "a module asks, and does something else for 20 ms; the answer comes after 5 ms",
    schedule: Schedule::ReaderLast,
    nodes: 1,
    play: |hub| {
        hub.pass(Duration::from_secs(1));
        hub.sends(META, query("q"));
        hub.pass(Duration::from_millis(5));
        hub.arrives(answer("answer to q", "q"));
        hub.pass(Duration::from_millis(15));
        hub.takes(META, 10);
        hub.pass(Duration::from_secs(10));
    },
    verdict: |seen| all_reach(seen, META, "answer to q", 1),
};

pub(super) const D9: Scene = Scene {
    defect: "D9",
    wrong: "one slow module blocks everyone, or spawns an unbounded number of senders",
    scene: "`twin` takes nothing any more; 400 commands for it arrive, then ten for `metaManager`, which is ready; \
            two minutes pass",
    schedule: Schedule::WriterLast,
    nodes: 1,
    play: |hub| {
        hub.takes(META, 1000);
        hub.pass(Duration::from_secs(1));
        for number in 0..400 {
            hub.arrives(command(&format!("twin/{number}"), TWIN));
        }
        for number in 0..10 {
            hub.arrives(command(&format!("command/{number}"), META));
        }
        hub.pass(Duration::from_secs(120));
    },
    verdict: |seen| {
        let ready = all_reach(seen, META, "command/", 10);
        let told = seen.iter().map(|seen| seen.count_told("twin/")).sum::<usize>();
        let observed =
            format!("{} that is ready; {told} of the other's 400 are reported as dropped", ready.observed);
        Verdict { observed, ..ready }
    },
};

pub(super) const D11: Scene = Scene {
    defect: "D11",
    wrong: "the overflow path of the receive buffer takes a message that another thread has just taken, and blocks \
            for ever: connected and deaf",
    scene: "102 commands fill the buffer of a busy module; it becomes ready just when the reader is about to make \
            room; ten more arrive over two minutes",
    schedule: Schedule::ReaderLast,
    nodes: 1,
    play: |hub| {
        hub.pass(Duration::from_secs(1));
        for number in 0..102 {
            hub.arrives(command(&format!("command/{number}"), META));
        }
        hub.takes(META, 1000);
        for number in 0..10 {
            hub.pass(Duration::from_secs(12));
            hub.arrives(command(&format!("later/{number}"), META));
        }
        hub.pass(Duration::from_secs(1));
    },
    verdict: |seen| {
        let later = all_reach(seen, META, "later/", 10);
        let dials = seen.iter().map(|seen| seen.dials.len()).sum::<usize>();
        let observed = format!("{} after that; the link was opened {dials} ×", later.observed);
        Verdict { observed, ..later }
    },
};
