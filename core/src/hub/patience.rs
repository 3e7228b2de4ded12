//! How long the hub waits for the answer to its question for a session: what is known of each endpoint decides.
//!
//! A CloudHub that answers such questions and leaves one unanswered has no session for the node. One that has never answered
//! any may have none either, or may be too old to be asked: it would serve the node, and be left again and again. So each
//! question that such an endpoint leaves unanswered doubles the patience with the next, up to a day; an answer ends that. Where
//! answers have come before, the first few links are left without more patience, and the longest is some minutes: an older
//! CloudHub may have taken that one's place.

use super::Hub;
use crate::canary::Canary;
use crate::config::Probe;
use crate::limits::{UNANSWERED_AT_ONCE, UNANSWERED_LONGEST, UNANSWERED_LONGEST_KNOWN};
use alloc::collections::BTreeMap;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// What is known of the endpoints.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Habits {
    /// By the endpoint's place in the configuration.
    of: BTreeMap<usize, Habit>,
    /// The endpoint of the present link or dial; `None` if the list is another one since.
    present: Option<usize>,
}

#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
struct Habit {
    /// It has answered a question.
    answers: bool,
    /// Questions in a row that it read and did not answer.
    unanswered: u32,
}

impl Habit {
    fn patience(self, limit: Duration) -> Duration {
        let (at_once, longest) = match self.answers {
            true => (UNANSWERED_AT_ONCE, UNANSWERED_LONGEST_KNOWN),
            false => (0, UNANSWERED_LONGEST),
        };
        let doublings = self.unanswered.saturating_sub(at_once).min(20);
        limit.saturating_mul(1 << doublings).min(longest.max(limit))
    }
}

impl Habits {
    /// An endpoint is dialled.
    pub(super) fn dials(&mut self, endpoint: usize) {
        self.present = Some(endpoint);
    }

    /// Another list of endpoints has come.
    pub(super) fn forget(&mut self) {
        *self = Habits::default();
    }

    /// A question was answered.
    pub(super) fn answered(&mut self) {
        if let Some(endpoint) = self.present {
            self.of.insert(endpoint, Habit { answers: true, unanswered: 0 });
        }
    }

    /// A question was read, and its time is over.
    pub(super) fn unanswered(&mut self) {
        if let Some(endpoint) = self.present {
            let habit = self.of.entry(endpoint).or_default();
            habit.unanswered = habit.unanswered.saturating_add(1);
        }
    }

    fn present(&self) -> Habit {
        self.present.and_then(|endpoint| self.of.get(&endpoint).copied()).unwrap_or_default()
    }
}

impl Hub {
    /// How long a question for the session may stay without an answer once it was read; `None` if none is asked.
    pub fn session_patience(&self) -> Option<Duration> {
        let Probe { limit, .. } = self.config.probe.as_ref()?;
        let impatient = self.planted.is(Canary::OldCloudLeftForEver);
        Some(if impatient { *limit } else { self.habits.present().patience(*limit) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    fn check(answers: bool, unanswered: u32, expected_s: u64) {
        assert_eq!(Habit { answers, unanswered }.patience(LIMIT), Duration::from_secs(expected_s));
    }

    #[test]
    fn whoever_never_answers_is_left_more_and_more_seldom() {
        check(false, 0, 30);
        check(false, 1, 60);
        check(false, 11, 30 << 11);
        check(false, 12, 86_400);
        check(false, u32::MAX, 86_400);
    }

    #[test]
    fn whoever_has_answered_is_left_soon() {
        check(true, 0, 30);
        check(true, 4, 30);
        check(true, 5, 60);
        check(true, 8, 480);
        check(true, 9, 600);
        check(true, u32::MAX, 600);
    }

    #[test]
    fn a_longer_limit_stays_what_it_is() {
        let limit = Duration::from_secs(2 * 86_400);
        assert_eq!(Habit { answers: true, unanswered: 9 }.patience(limit), limit);
    }

    #[test]
    fn each_endpoint_has_its_own_habit_and_another_list_none() {
        let mut habits = Habits::default();
        habits.dials(1);
        habits.unanswered();
        assert_eq!(habits.present().unanswered, 1);
        habits.dials(0);
        assert_eq!(habits.present().unanswered, 0);
        habits.dials(1);
        habits.answered();
        assert!(habits.present().answers && habits.present().unanswered == 0);
        habits.forget();
        habits.unanswered();
        habits.dials(1);
        assert!(!habits.present().answers && habits.present().unanswered == 0);
    }
}
