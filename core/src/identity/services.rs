//! Which of several certificate services is asked: the one that answered last, and after a failure the next one at once, until
//! each had its turn. Only then comes the wait.
//!
//! What a round came to does not depend on who had the last turn: a service that is away says nothing about the node, and
//! takes nothing back of what another one said.

use super::Problem;

/// Whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Services {
    present: usize,
    /// How many failed since the last wait.
    failed: usize,
    /// What said most since then, of equals the last.
    said: Option<Problem>,
}

impl Services {
    /// The one to ask.
    pub(super) fn present(&self) -> usize {
        self.present
    }

    /// An attempt begins after a wait: each has a turn again.
    pub(super) fn begin(&mut self) {
        (self.failed, self.said) = (0, None);
    }

    /// The present one is of the cloud that is meant: who answered before and failed may be of another one.
    pub(super) fn is_of_the_cloud(&mut self) {
        self.said = None;
    }

    /// The present one of so many failed; what the round came to, unless there is one that had no turn yet. It is the next one's
    /// turn in any case.
    pub(super) fn next_of(&mut self, count: usize, problem: &Problem) -> Option<Problem> {
        self.failed += 1;
        self.present = (self.present + 1) % count.max(1);
        let said = self.said.take().filter(|said| said.weight() > problem.weight());
        let said = said.unwrap_or_else(|| problem.clone());
        if self.failed >= count {
            return Some(said);
        }
        self.said = Some(said);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Failure;
    use std::vec::Vec;

    fn silence() -> Problem {
        Problem::Unanswered(Failure::Unreachable("no route".into()))
    }

    #[test]
    fn each_has_one_turn_between_two_waits() {
        for count in 1..4 {
            let mut services = Services::default();
            for start in [0, count, 2 * count] {
                services.begin();
                let turn = |_| (services.present(), services.next_of(count, &silence()).is_none());
                let turns: Vec<(usize, bool)> = (0..count).map(turn).collect();
                let expected: Vec<(usize, bool)> =
                    (0..count).map(|turn| ((start + turn) % count, turn + 1 < count)).collect();
                assert_eq!(turns, expected);
            }
        }
    }

    #[test]
    fn a_round_comes_to_what_says_most_whoever_had_the_last_turn() {
        let check = |round: &[Problem], came_to: Problem| {
            let mut services = Services::default();
            for _ in 0..2 {
                services.begin();
                let last = round.iter().map(|problem| services.next_of(round.len(), problem)).last();
                assert_eq!(last, Some(Some(came_to.clone())));
            }
            // Nothing of it is left for the next one.
            services.begin();
            let next = round.iter().map(|_| services.next_of(round.len(), &silence())).last();
            assert_eq!(next, Some(Some(silence())));
        };
        let untrusted = Problem::Unanswered(Failure::Untrusted("unknown issuer".into()));
        let skew = Problem::ClockSkew { ahead_ms: 1 };
        check(&[silence()], silence());
        check(&[skew.clone(), silence()], skew.clone());
        check(&[untrusted.clone(), skew.clone(), silence()], untrusted.clone());
        check(&[skew, untrusted.clone()], untrusted.clone());
        check(&[silence(), silence()], silence());
        check(&[untrusted.clone(), silence()], untrusted.clone());
        check(&[silence(), untrusted.clone()], untrusted.clone());
        check(&[untrusted, Problem::NotAnAuthority, silence()], Problem::NotAnAuthority);
    }

    #[test]
    fn what_was_said_before_one_of_the_cloud_answered_does_not_count() {
        let mut services = Services::default();
        assert_eq!(services.next_of(2, &Problem::NotAnAuthority), None);
        services.is_of_the_cloud();
        assert_eq!(services.next_of(2, &silence()), Some(silence()));
    }
}
