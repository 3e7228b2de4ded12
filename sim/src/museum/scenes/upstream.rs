//! Scenes on the way up.

use super::super::original::Schedule;
use super::super::stage::{META, Seen, TWIN, Verdict, answer, data, query};
use super::{Scene, seconds};
use std::time::Duration;

pub(super) const D1: Scene = Scene {
    defect: "D1",
    wrong: "the waiter is registered after the request is written, so a fast answer is lost",
    scene: "a module asks ten times, and the cloud answers at the very instant of each write",
    schedule: Schedule::WriterLast,
    nodes: 1,
    play: |hub| {
        hub.cloud_is_quick();
        hub.takes(META, 100);
        hub.pass(Duration::from_secs(1));
        for number in 0..10 {
            hub.sends(META, query(&format!("q{number}")));
            hub.pass(Duration::from_millis(100));
        }
    },
    verdict: |seen| {
        let answers = seen.iter().map(|seen| seen.count_delivered(META, "answer to")).sum::<usize>();
        Verdict { holds: answers == 10, observed: format!("{answers} of 10 answers reach the module") }
    },
};

pub(super) const D2: Scene = Scene {
    defect: "D2",
    wrong: "a message taken while the link is down is lost with its write, and loops of the old connection steal \
            messages from the new one",
    scene: "the cloud closes the link in the quiet after one of six messages; the others follow every 20 s",
    schedule: Schedule::WriterLast,
    nodes: 1,
    play: |hub| {
        hub.pass(Duration::from_secs(1));
        hub.sends(TWIN, data("m0"));
        hub.pass(Duration::from_secs(1));
        hub.link_closes();
        for number in 1..6 {
            hub.pass(Duration::from_secs(20));
            hub.sends(TWIN, data(&format!("m{number}")));
        }
        hub.pass(Duration::from_secs(120));
    },
    verdict: |seen| {
        let ids: Vec<String> = (0..6).map(|number| format!("m{number}")).collect();
        let lost = |seen: &Seen| {
            ids.iter().filter(|id| seen.reached_cloud(id).is_none() && !seen.told.contains(id)).count()
        };
        let lost = seen.iter().map(lost).sum::<usize>();
        let arrived = |seen: &Seen| ids.iter().filter(|id| seen.reached_cloud(id).is_some()).count();
        let arrived = seen.iter().map(arrived).sum::<usize>();
        Verdict {
            holds: lost == 0,
            observed: format!("{arrived} of 6 messages reach the cloud, {lost} vanish without a word"),
        }
    },
};

/// When CloudHub sends a message again that was not acknowledged.
const RESEND_US: u64 = 5_000_000;
/// When the acknowledgement is sent.
const ACKNOWLEDGED_US: u64 = 1_000_000;

pub(super) const D8: Scene = Scene {
    defect: "D8",
    wrong: "the rate limiter blocks the loop, so acknowledgements starve",
    scene: "a module sends 360 messages at once (limit 30/s, burst 60), another one acknowledges a command right \
            after; CloudHub resends after 5 s",
    schedule: Schedule::WriterLast,
    nodes: 1,
    play: |hub| {
        hub.pass(Duration::from_micros(ACKNOWLEDGED_US));
        for number in 0..360 {
            hub.sends(TWIN, data(&format!("m{number}")));
        }
        hub.sends(META, answer("ack", "command"));
        hub.pass(Duration::from_secs(60));
    },
    verdict: |seen| {
        let at = seen.iter().find_map(|seen| seen.reached_cloud("ack"));
        let waited = at.map(|at| at.0 - ACKNOWLEDGED_US);
        Verdict {
            holds: waited.is_some_and(|waited| waited < RESEND_US),
            observed: match waited {
                Some(waited) => format!("the acknowledgement leaves after {}", seconds(waited)),
                None => String::from("the acknowledgement never leaves"),
            },
        }
    },
};
