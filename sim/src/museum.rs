//! The defects D1–D11 of the original hub, as a museum: each is a short scene that is played twice, with a small model
//! of the original and with the real hub under all checks. One verdict, which looks at nothing but what can be seen
//! from outside, fails the first and passes the second.
//!
//! | file | its one job |
//! |---|---|
//! | `stage` | what a scene can do to a hub, and what is seen of it |
//! | `original` | the model of the original |
//! | `ours` | the real hub on the same stage |
//! | `scenes`, `scenes/*` | the scenes |
//! | `certificates` | the one that is not about a hub |
//! | `table` | the catalogue, as `docs/museum.md` shows it |

mod certificates;
mod original;
mod ours;
mod scenes;
mod stage;
mod table;

pub use stage::Verdict;
pub use table::table;

use original::Original;
use ours::Ours;
use scenes::Scene;
use stage::{Seen, Subject};

/// One defect, and what came of its scene.
#[derive(Debug, Clone)]
pub struct Exhibit {
    /// Its number in the list of known defects.
    pub defect: &'static str,
    /// What was wrong in the original.
    pub wrong: &'static str,
    /// What happens in the scene.
    pub scene: &'static str,
    /// What the model of the original makes of it.
    pub original: Verdict,
    /// What the real hub makes of it.
    pub ours: Verdict,
}

/// Plays every scene, with both.
pub fn exhibits() -> Vec<Exhibit> {
    let mut exhibits: Vec<Exhibit> = scenes::ALL.iter().map(Scene::exhibit).collect();
    let place = exhibits.iter().position(|exhibit| exhibit.defect == "D11").unwrap_or(exhibits.len());
    exhibits.insert(place, certificates::exhibit());
    exhibits
}

impl Scene {
    fn exhibit(&self) -> Exhibit {
        let Scene { defect, wrong, scene, schedule, .. } = *self;
        let original = self.verdict_on(|_| Original::new(schedule));
        let ours = self.verdict_on(Ours::new);
        Exhibit { defect, wrong, scene, original, ours }
    }

    fn verdict_on<S: Subject>(&self, subject: impl Fn(u64) -> S) -> Verdict {
        let play = |node| {
            let mut subject = subject(node);
            (self.play)(&mut subject);
            subject.into_seen()
        };
        let seen: Vec<Seen> = (0..self.nodes).map(play).collect();
        match seen.iter().find_map(|seen| seen.violation.clone()) {
            Some(observed) => Verdict { holds: false, observed },
            None => (self.verdict)(&seen),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scene_fails_the_original_and_passes_ours() {
        for Exhibit { defect, original, ours, .. } in exhibits() {
            assert!(!original.holds, "{defect}: the original does not show it: {}", original.observed);
            assert!(ours.holds, "{defect}: {}", ours.observed);
        }
    }

    #[test]
    fn every_defect_is_there() {
        let defects: Vec<&str> = exhibits().iter().map(|exhibit| exhibit.defect).collect();
        let expected: Vec<String> = (1..=11).map(|number| format!("D{number}")).collect();
        assert_eq!(defects, expected);
    }

    #[test]
    fn the_committed_table_is_the_generated_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/museum.md");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == table(&exhibits()),
            "docs/museum.md is not what comes out now; run\n    \
             cargo run -p edgehub-sim -- museum --write docs/museum.md"
        );
    }
}
