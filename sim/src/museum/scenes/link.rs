//! Scenes of a link's life.

use super::super::original::Schedule;
use super::super::stage::{Seen, TWIN, Verdict, data};
use super::{Scene, seconds};
use std::time::Duration;

/// When the scene's link breaks.
const BREAKS_US: u64 = 100_000_000;
/// A link that went silent must be given up within this time.
const NOTICED_WITHIN_US: u64 = 60_000_000;

pub(super) const D4: Scene = Scene {
    defect: "D4",
    wrong: "no read deadline: a half-open link goes unnoticed for up to 15 minutes",
    scene: "the link goes silent after 100 s; half an hour passes",
    schedule: Schedule::WriterLast,
    nodes: 1,
    play: |hub| {
        hub.pass(Duration::from_micros(BREAKS_US));
        hub.link_goes_silent();
        hub.pass(Duration::from_secs(30 * 60));
    },
    verdict: |seen| {
        let again = seen.iter().flat_map(|seen| &seen.dials).find(|at| at.0 > BREAKS_US);
        let after = again.map(|at| at.0 - BREAKS_US);
        Verdict {
            holds: after.is_some_and(|after| after <= NOTICED_WITHIN_US),
            observed: match after {
                Some(after) => format!("dials again {} after the silence began", seconds(after)),
                None => String::from("never dials again"),
            },
        }
    },
};

const NODES: usize = 500;

pub(super) const D5: Scene = Scene {
    defect: "D5",
    wrong: "fixed retry interval: a restarted cloud is hit by all nodes at once",
    scene: "the cloud closes the links of 500 nodes in one instant and refuses them for two minutes; all nodes send \
            at that moment",
    schedule: Schedule::WriterLast,
    nodes: NODES as u64,
    play: |hub| {
        hub.pass(Duration::from_micros(BREAKS_US));
        hub.cloud_accepts(false);
        hub.link_closes();
        hub.sends(TWIN, data("m"));
        hub.pass(Duration::from_secs(120));
        hub.cloud_accepts(true);
        hub.pass(Duration::from_secs(120));
    },
    verdict: |seen| {
        let mut dials: Vec<u64> =
            seen.iter().flat_map(|seen| &seen.dials).map(|at| at.0).filter(|&at| at > BREAKS_US).collect();
        dials.sort_unstable();
        // The most dials in any 100 ms.
        let peak = (0..dials.len())
            .map(|first| dials[first..].partition_point(|&at| at < dials[first] + 100_000))
            .max()
            .unwrap_or_default();
        Verdict {
            holds: peak > 0 && peak <= NODES / 5,
            observed: format!("at most {peak} of 500 nodes dial within the same 100 ms"),
        }
    },
};

pub(super) const D6: Scene = Scene {
    defect: "D6",
    wrong: "two failures at once deadlock or reconnect twice",
    scene: "the cloud closes the link of a quiet node; a minute later, the next link is up, a module sends, and the old \
            link fails a second time; two minutes pass",
    schedule: Schedule::WriterLast,
    nodes: 1,
    play: |hub| {
        hub.pass(Duration::from_micros(BREAKS_US));
        hub.link_closes();
        hub.pass(Duration::from_secs(60));
        hub.sends(TWIN, data("m"));
        hub.old_link_fails_again();
        hub.pass(Duration::from_secs(120));
    },
    verdict: |seen| {
        let again = |seen: &Seen| seen.dials.iter().filter(|at| at.0 > BREAKS_US).count();
        let again = seen.iter().map(again).sum::<usize>();
        Verdict { holds: again == 1, observed: format!("reconnects {again} × for one lost link") }
    },
};
