//! An attempt that fails: why, in words that help; who is asked next, and when.

use super::attempt::{Attempt, Step};
use super::problem::Weight;
use super::{
    Failure, Identity, IdentityChange, IdentityState, JoinToken, Problem, Request, SKEW_TOLERATED_MS, Trust,
    Verdict,
};
use crate::canary::IdentityCanary;
use crate::time::UnixMillis;
use core::time::Duration;

impl Identity {
    /// Nobody answered. A certificate that is out of date means that one of the clocks is wrong, or a server neglected: the
    /// difference of the clocks tells which.
    pub(super) fn unanswered(&mut self, failure: Failure) {
        let why = match failure {
            Failure::OutOfDate(why) if self.attempt.step != Step::AskingTime => why,
            other => {
                let first = self.attempt.out_of_date.take().map(Failure::OutOfDate);
                return self.failed(Problem::Unanswered(first.unwrap_or(other)));
            }
        };
        self.attempt.out_of_date = Some(why);
        match self.attempt.ahead_ms {
            _ if self.planted.is(IdentityCanary::OutOfDateUnexplained) => self.explained(None),
            None if !self.joins() => self.ask(Step::AskingTime, Request::Time, Trust::Anybody),
            ahead_ms => self.explained(ahead_ms),
        }
    }

    /// Somebody said what time it is. That explains a failure, and decides nothing: nobody vouches for it.
    pub(super) fn time_told(&mut self, date: Option<UnixMillis>) {
        let ahead_ms = date.map(|date| self.ahead_of(date));
        self.explained(ahead_ms);
    }

    fn explained(&mut self, ahead_ms: Option<i64>) {
        let why = self.attempt.out_of_date.take().unwrap_or_default();
        self.failed(match ahead_ms {
            Some(ahead_ms) if ahead_ms.saturating_abs() > SKEW_TOLERATED_MS => {
                Problem::ClockSkew { ahead_ms }
            }
            _ => Problem::Unanswered(Failure::OutOfDate(why)),
        });
    }

    pub(super) fn ahead_of(&self, date: UnixMillis) -> i64 {
        self.now.wall.0.saturating_sub(date.0)
    }

    /// The attempt failed with this service. If there is one that had no turn yet, it is asked at once; else all of them failed.
    pub(super) fn failed(&mut self, problem: Problem) {
        if !problem.is_of_service() || self.planted.is(IdentityCanary::ServiceStuck) {
            return self.all_failed(problem);
        }
        match self.services.next_of(self.config.services, &problem) {
            Some(_) if self.planted.is(IdentityCanary::LastServiceDecides) => self.all_failed(problem),
            Some(came_to) => self.all_failed(came_to),
            None => {
                self.change(IdentityChange::Failed);
                self.told(problem, Duration::ZERO);
                self.load();
            }
        }
    }

    /// No service brought a certificate; the next attempt follows, after a wait.
    fn all_failed(&mut self, problem: Problem) {
        self.change(IdentityChange::Failed);
        self.is_pairs_turn = self.joins();
        if self.joins() && matches!(problem, Problem::WrongHash { .. }) {
            // Another token may help, or another answer: whoever answers now may not be the cloud.
            self.mismatched = self.token.clone();
            return self.needs_token(problem);
        }
        if !self.joins()
            && self.is_on_trial()
            && problem.weight() == Weight::Answer
            && !self.planted.is(IdentityCanary::StrangersPairKept)
        {
            self.worthless = self.pair.as_ref().map(|pair| pair.digest);
            if self.is_tried() {
                self.change(IdentityChange::Doubted);
            }
        }
        if self.state == IdentityState::NeedsToken {
            // Nobody could say what time it is.
            let problem = self.token_problem().or_else(|| self.validity_problem()).unwrap_or(problem);
            return self.needs_token(problem);
        }
        if self.joins() && self.good_token().is_none() {
            let problem = self.token_problem().or_else(|| self.validity_problem()).unwrap_or(problem);
            return self.needs_token(problem);
        }
        let mut wait = self.retry.after_failure(&mut self.rng);
        if self.planted.is(IdentityCanary::RetriesAtOnce) {
            wait /= 10;
        }
        self.told(problem, wait);
        self.attempt = Attempt::of(Step::Waiting, self.now.mono + wait);
    }

    /// The token, unless it was refused.
    pub(super) fn good_token(&self) -> Option<&JoinToken> {
        let refused = |token: &&JoinToken| {
            self.refused.as_ref() == Some(*token) && !self.planted.is(IdentityCanary::RefusedTokenAgain)
        };
        let gives_up = self.pair.is_some() && self.planted.is(IdentityCanary::NoJoinAfterExpiry);
        self.token.as_ref().filter(|token| !refused(token) && !gives_up)
    }

    /// Why the token cannot be used, if that is what was said last.
    pub(super) fn token_problem(&self) -> Option<Problem> {
        let is_of_token = |problem: &Problem| match problem {
            Problem::TokenRefused { .. } => self.refused.is_some() && self.refused == self.token,
            Problem::WrongHash { .. } => self.mismatched.is_some() && self.mismatched == self.token,
            _ => false,
        };
        self.problem.clone().filter(is_of_token)
    }

    /// Why the pair cannot be used, by the clock.
    pub(super) fn validity_problem(&mut self) -> Option<Problem> {
        let time = self.clock.time(self.now);
        let validity = self.pair.as_ref()?.validity;
        match validity.at(time) {
            Verdict::Valid => None,
            Verdict::Expired => Some(Problem::Expired { not_after: validity.not_after }),
            Verdict::NotYetValid => Some(Problem::NotYetValid { not_before: validity.not_before }),
        }
    }
}
