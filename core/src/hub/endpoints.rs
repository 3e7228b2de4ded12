//! Which of several endpoints is dialled.
//!
//! ```text
//!   order of this node:   A ── B ── C            ordered as configured, or drawn once from the seed
//!
//!   link held, then lost ──▶ the same one        sticky
//!   attempt failed ────────▶ the next one, soon  until each has failed once: then the backoff
//!   link on B for long ────▶ A again             where the order is the operator's, and A was left in peace for long enough
//! ```
//!
//! An endpoint that failed is the last choice for a while, and for longer each time it fails again: a preferred one that opens
//! and drops does not make the node flap. Whatever is left for it is done over the present link until then.

use super::{Hub, LinkEnd, LinkState};
use crate::canary::{Canary, Planted};
use crate::config::{Choice, Endpoints};
use crate::hub::timers::{Deadline, TimerKind};
use crate::limits::{BACKOFF_FLOOR, RETURN_PENALTY_MAX, RETURN_POSTPONED_FOR, RETURN_POSTPONED_MAX};
use crate::rng::Rng;
use crate::time::Instant;
use alloc::vec::Vec;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// What is known of one endpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Health {
    /// Its place in the configuration.
    endpoint: usize,
    /// Failures in a row.
    failures: u32,
    /// It is the last choice until then.
    shunned_until: Instant,
    /// It has failed since a link held last, or since each has failed once.
    tried: bool,
}

/// The endpoints in the order of this node's preference.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Selection {
    order: Vec<Health>,
    /// The place in that order of the one that is dialled.
    present: usize,
    /// When the first one is to be tried again.
    return_at: Option<Instant>,
    postponed: u32,
    /// The present link leads to one that is not in the list any more.
    elsewhere: bool,
}

impl Selection {
    /// Whether a state out of a file can be one.
    pub(super) fn is_consistent(&self) -> bool {
        self.postponed < u32::MAX / 2 && self.present <= self.order.len()
    }

    pub(super) fn new(config: &Endpoints, rng: &mut Rng) -> Selection {
        let mut left: Vec<(usize, u64)> =
            config.weights.iter().map(|weight| u64::from((*weight).max(1))).enumerate().collect();
        let mut order = Vec::with_capacity(left.len());
        while !left.is_empty() {
            let at = match config.choice {
                _ if left.len() == 1 => 0,
                Choice::Ordered => 0,
                Choice::Random => rng.below(left.len() as u64) as usize,
                Choice::Weighted => weighted(&left, rng),
            };
            let (endpoint, _) = left.remove(at);
            order.push(Health { endpoint, failures: 0, shunned_until: Instant(0), tried: false });
        }
        Selection { order, present: 0, return_at: None, postponed: 0, elsewhere: false }
    }

    /// Another list has come. Whoever is in both stays the present one.
    pub(super) fn reconfigure(&mut self, config: &Endpoints, rng: &mut Rng) {
        let endpoint = (!self.elsewhere).then(|| self.present());
        *self = Selection::new(config, rng);
        let place = self.order.iter().position(|health| Some(health.endpoint) == endpoint);
        (self.present, self.elsewhere) = (place.unwrap_or(0), place.is_none());
    }

    /// The endpoint to dial, by its place in the configuration.
    pub(super) fn present(&self) -> usize {
        self.order.get(self.present).map_or(0, |health| health.endpoint)
    }

    /// The present one is dialled.
    pub(super) fn dials(&mut self) {
        self.elsewhere = false;
    }

    /// Whether the present link or dial leads to one that is not in the list any more.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.elsewhere
    }

    /// A link held: its endpoint is as good as any.
    pub(super) fn held(&mut self, planted: Planted) {
        self.elsewhere = false;
        self.order.iter_mut().for_each(|health| health.tried = false);
        if let Some(health) = self.order.get_mut(self.present) {
            health.failures = 0;
            health.shunned_until = Instant(0);
        }
        if planted.is(Canary::NotSticky) {
            self.present = (self.present + 1) % self.order.len().max(1);
        }
    }

    /// The present endpoint failed. Returns whether another one is left to be tried soon.
    pub(super) fn failed(&mut self, now: Instant, config: &Endpoints, planted: Planted) -> bool {
        if self.order.len() < 2 {
            self.elsewhere = false;
            return false;
        }
        if core::mem::take(&mut self.elsewhere) {
            return true;
        }
        if let Some(health) = self.order.get_mut(self.present) {
            let times = 1 << health.failures.min(RETURN_PENALTY_MAX.ilog2());
            health.failures = health.failures.saturating_add(1);
            health.shunned_until = now + config.return_after.saturating_mul(times);
            health.tried = true;
        }
        let round_over = self.order.iter().all(|health| health.tried);
        if round_over {
            self.order.iter_mut().for_each(|health| health.tried = false);
        }
        let untried = self.order.iter().enumerate().filter(|(_, health)| !health.tried);
        let best = untried.min_by_key(|(place, health)| (health.shunned_until > now, *place));
        if let Some((place, _)) = best
            && !planted.is(Canary::FailsOverNever)
        {
            self.present = place;
        }
        !round_over
    }

    /// A link is up: when is the preferred endpoint worth another attempt? What is not in the list any more is left for it in
    /// any case.
    pub(super) fn up(&mut self, now: Instant, config: &Endpoints, rng: &mut Rng) {
        self.postponed = 0;
        self.return_at = None;
        let stays = config.choice != Choice::Ordered || self.present == 0;
        if stays && !self.elsewhere {
            return;
        }
        let spread = rng.between(Duration::ZERO, config.return_after / 4);
        let free = self.order.first().map_or(now, |first| first.shunned_until);
        self.return_at = Some(free.max(now + config.return_after) + spread);
    }

    /// The link to another endpoint is left for the preferred one.
    fn go_back(&mut self) {
        self.elsewhere = false;
        self.order.iter_mut().for_each(|health| health.tried = false);
        self.present = 0;
    }
}

/// A place, drawn by weight.
fn weighted(left: &[(usize, u64)], rng: &mut Rng) -> usize {
    let mut drawn = rng.below(left.iter().map(|(_, weight)| weight).sum::<u64>().max(1));
    left.iter()
        .position(|(_, weight)| match drawn.checked_sub(*weight) {
            Some(rest) => {
                drawn = rest;
                false
            }
            None => true,
        })
        .unwrap_or(0)
}

impl Hub {
    /// When the preferred endpoint is tried again.
    pub(super) fn return_deadline(&self) -> Option<Deadline> {
        let at = self.selection.return_at.filter(|_| self.state == LinkState::Up)?;
        (!self.planted.is(Canary::ReturnsNever)).then_some(Deadline { at, kind: TimerKind::Return })
    }

    pub(super) fn endpoint_up(&mut self) {
        self.selection.up(self.now.mono, &self.config.endpoints, &mut self.rng);
        if self.planted.is(Canary::ReturnsAtOnce)
            && let Some(at) = &mut self.selection.return_at
        {
            *at = self.now.mono + RETURN_POSTPONED_FOR;
        }
    }

    /// Leaves the present link for the preferred endpoint, at a moment at which nothing has to be sent again if there is one.
    pub(super) fn return_to_preferred(&mut self) {
        if self.outbox.unconfirmed() > 0 && self.selection.postponed < RETURN_POSTPONED_MAX {
            self.selection.postponed += 1;
            self.selection.return_at = Some(self.now.mono + RETURN_POSTPONED_FOR);
            return;
        }
        self.selection.return_at = None;
        self.link_lost(LinkEnd::Moved);
    }

    /// A link has ended, or did not open. Returns the wait before another endpoint is dialled, if that is not the backoff's.
    pub(super) fn other_endpoint(&mut self, end: LinkEnd, held: bool) -> Option<Duration> {
        let soon = match end {
            LinkEnd::Moved => {
                self.selection.go_back();
                true
            }
            _ if held => {
                self.selection.held(self.planted);
                false
            }
            _ => self.selection.failed(self.now.mono, &self.config.endpoints, self.planted),
        };
        soon.then(|| self.soon())
    }

    /// All nodes of an endpoint that has failed come to the next one: not in the same instant.
    pub(super) fn soon(&mut self) -> Duration {
        let longest = self.config.backoff_base.min(self.config.backoff_max).max(BACKOFF_FLOOR);
        self.rng.between(BACKOFF_FLOOR, longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(choice: Choice, weights: &[u32]) -> Endpoints {
        Endpoints { weights: weights.into(), choice, return_after: Duration::from_secs(60) }
    }

    fn first_of(choice: Choice, weights: &[u32], seeds: u64) -> Vec<u64> {
        let mut first = std::vec![0; weights.len()];
        for seed in 0..seeds {
            first[Selection::new(&config(choice, weights), &mut Rng::new(seed)).present()] += 1;
        }
        first
    }

    #[test]
    fn each_way_to_choose_has_its_order() {
        assert_eq!(first_of(Choice::Ordered, &[1, 9, 9], 100), [100, 0, 0]);
        let random = first_of(Choice::Random, &[1, 9, 9], 3000);
        assert!(random.iter().all(|first| (900..1100).contains(first)), "{random:?}");
        let weighted = first_of(Choice::Weighted, &[1, 2, 7], 3000);
        assert!((240..360).contains(&weighted[0]) && (540..660).contains(&weighted[1]), "{weighted:?}");
    }

    /// One endpoint leaves the random numbers to others.
    #[test]
    fn one_endpoint_draws_nothing() {
        for choice in [Choice::Ordered, Choice::Random, Choice::Weighted] {
            let (mut rng, mut untouched) = (Rng::new(1), Rng::new(1));
            let mut selection = Selection::new(&config(choice, &[3]), &mut rng);
            selection.up(Instant(0), &config(choice, &[3]), &mut rng);
            assert!(!selection.failed(Instant(0), &config(choice, &[3]), Planted::default()));
            assert_eq!(rng.below(u64::MAX), untouched.below(u64::MAX));
        }
    }

    #[test]
    fn each_is_tried_once_before_any_twice() {
        let config = config(Choice::Ordered, &[1, 1, 1]);
        let mut selection = Selection::new(&config, &mut Rng::new(1));
        let mut dialled = Vec::new();
        for second in 0..6 {
            dialled.push(selection.present());
            let more = selection.failed(Instant(second * 1_000_000), &config, Planted::default());
            assert_eq!(more, second % 3 != 2, "the backoff comes when each has failed");
        }
        assert_eq!(dialled, [0, 1, 2, 0, 1, 2]);
    }

    /// A dial or link that is under way to an endpoint that was taken out of the list, and which another list does not bring back.
    #[test]
    fn an_endpoint_that_was_taken_out_is_none_of_the_list() {
        let (one, three) = (config(Choice::Ordered, &[1]), config(Choice::Ordered, &[1, 1, 1]));
        let rng = &mut Rng::new(1);
        let mut selection = Selection::new(&three, rng);
        selection.failed(Instant(0), &three, Planted::default());
        assert_eq!(selection.present(), 1);
        selection.reconfigure(&one, rng);
        assert!(selection.is_elsewhere());
        selection.up(Instant(0), &one, rng);
        assert!(selection.return_at >= Some(Instant(60_000_000)), "it is left for the list's");
        selection.reconfigure(&three, rng);
        assert!(selection.is_elsewhere());
        assert!(selection.failed(Instant(0), &three, Planted::default()), "no backoff: another is dialled");
        assert_eq!(selection.present(), 0, "nothing is held against the first of the list");
    }

    #[test]
    fn what_is_not_in_the_list_any_more_is_left() {
        for choice in [Choice::Ordered, Choice::Random, Choice::Weighted] {
            let (of_three, of_one) = (config(choice, &[1, 1, 1]), config(choice, &[1]));
            let mut rng = Rng::new(1);
            let mut selection = Selection::new(&of_three, &mut rng);
            while selection.present() != 2 {
                selection.failed(Instant(0), &of_three, Planted::default());
            }
            selection.reconfigure(&of_one, &mut rng);
            selection.up(Instant(7), &of_one, &mut rng);
            let leaves = selection.return_at.expect("it is left");
            assert!((Instant(60_000_007)..Instant(75_000_008)).contains(&leaves), "{leaves:?}");
            selection.dials();
            selection.up(Instant(7), &of_one, &mut rng);
            assert_eq!(selection.return_at, None, "the only one is not");
        }
    }

    /// The one that failed lately is the last choice.
    #[test]
    fn what_failed_lately_comes_last() {
        let config = config(Choice::Ordered, &[1, 1, 1]);
        let mut selection = Selection::new(&config, &mut Rng::new(1));
        selection.failed(Instant(0), &config, Planted::default());
        assert_eq!(selection.present(), 1);
        selection.held(Planted::default());
        assert_eq!(selection.present(), 1, "sticky");
        selection.failed(Instant(59_999_999), &config, Planted::default());
        assert_eq!(selection.present(), 2, "the first one is shunned for a minute");
        selection.held(Planted::default());
        selection.failed(Instant(60_000_000), &config, Planted::default());
        assert_eq!(selection.present(), 0);
    }
}
