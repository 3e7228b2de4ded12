//! One attempt, to join or to renew:
//!
//! ```text
//!   join:   load ─▶ ask for the authority, trusting nobody ─▶ make key ─▶ request, with the token ─▶ write
//!   renew:          ask for the authority, through the roots ─▶ make key ─▶ request, with the pair ─▶ write
//! ```
//!
//! An authority is accepted in two ways only: its hash is the token's, or it came over a connection that an authority
//! which is trusted already vouches for. Nothing is written before everything was checked.

use super::{
    Answer, BODY_BYTES_MAX, Certificate, Identity, IdentityChange, IdentityNote, IdentityOutput,
    IdentityState, JoinToken, Problem, ROOTS_MAX, Request, Trust, Verdict, WorkNumber, problem,
};
use crate::canary::IdentityCanary;
use crate::time::Instant;
use alloc::vec;
use alloc::vec::Vec;
use bytes::Bytes;

/// Where an attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// There is none: all is well until the next check.
    Idle,
    /// The wait for the next one.
    Waiting,
    /// The files are read.
    Loading,
    /// The authority's certificate is asked for.
    Asking,
    /// The key is made.
    MakingKey,
    /// The certificate is asked for.
    Requesting,
    /// The files are written.
    Writing,
}

/// The present attempt.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) step: Step,
    /// The work that the step waits for.
    pub(super) work: WorkNumber,
    /// When the step is over, whatever has come of it.
    pub(super) ends: Instant,
    /// The authorities to trust from here on, the newest first.
    roots: Vec<Bytes>,
    /// Under which number the key is held.
    key: WorkNumber,
    /// The certificate that is being written.
    got: Option<Certificate>,
}

impl Attempt {
    pub(super) fn idle(now: Instant) -> Attempt {
        Attempt::of(Step::Idle, now)
    }

    pub(super) fn of(step: Step, ends: Instant) -> Attempt {
        Attempt { step, work: WorkNumber(0), ends, roots: Vec::new(), key: WorkNumber(0), got: None }
    }

    /// Whether this is what the attempt waits for.
    pub(super) fn awaits(&self, work: WorkNumber, step: Step) -> bool {
        self.step == step && self.work == work
    }
}

impl Identity {
    /// The next step, with a number of its own.
    fn step(&mut self, step: Step) -> WorkNumber {
        self.last_work += 1;
        let work = WorkNumber(self.last_work);
        self.attempt.step = step;
        self.attempt.work = work;
        self.attempt.ends = self.now.mono + self.config.request_limit;
        work
    }

    fn joins(&self) -> bool {
        self.state != IdentityState::Rotating
    }

    /// Begins with what is on disk: files and token may have changed since.
    pub(super) fn load(&mut self) {
        self.attempt = Attempt::idle(self.now.mono);
        let work = self.step(Step::Loading);
        self.outputs.push_back(IdentityOutput::Load { work });
    }

    pub(super) fn loaded(&mut self, pair: Option<Certificate>, roots: Vec<Bytes>, token: Option<JoinToken>) {
        if token.is_some() {
            self.token = token;
        }
        let strange = pair.as_ref().and_then(|pair| self.strangeness(pair));
        self.pair = pair.filter(|pair| pair.is_of_key && self.is_ours(pair));
        self.roots = roots;
        self.roots.truncate(ROOTS_MAX);
        let valid_at = |time| self.pair.as_ref().is_some_and(|pair| pair.validity.at(time) == Verdict::Valid);
        if valid_at(self.now.wall) {
            self.clock.forget_hearsay();
        }
        if valid_at(self.clock.time(self.now)) {
            self.change(IdentityChange::Found);
            return self.usable();
        }
        if self.good_token().is_some() || self.pair.is_some() {
            if self.good_token().is_some() && self.mismatched != self.token {
                self.change(IdentityChange::TokenFound);
            }
            let work = self.step(Step::Asking);
            let (request, trust) = (Request::Authority, Trust::Anybody);
            return self.outputs.push_back(IdentityOutput::Send { work, request, trust });
        }
        self.needs_token(strange.or_else(|| self.token_problem()).unwrap_or(Problem::NoToken));
    }

    /// Begins to renew, through what is trusted already.
    pub(super) fn rotate(&mut self) {
        let time = self.clock.time(self.now);
        if self.pair.as_ref().is_none_or(|pair| pair.validity.at(time) != Verdict::Valid) {
            return self.expired();
        }
        self.attempt = Attempt::idle(self.now.mono);
        let work = self.step(Step::Asking);
        let trust = if self.planted.is(IdentityCanary::RenewsThroughAnybody) {
            Trust::Anybody
        } else {
            Trust::Roots(self.roots.clone())
        };
        self.outputs.push_back(IdentityOutput::Send { work, request: Request::Authority, trust });
    }

    /// The answer to the question for the authority's certificate.
    pub(super) fn authority(&mut self, answer: &Answer) {
        if self.joins() {
            self.authority_of_stranger(answer)
        } else {
            self.heard(answer, true);
            self.authority_through_trust(answer)
        }
    }

    /// Nobody vouches for it but the token. What it says of the time counts for one thing only: a pair that the own clock
    /// holds to be worthless may be tried. That costs nothing if it is a lie.
    fn authority_of_stranger(&mut self, answer: &Answer) {
        let valid =
            |pair: &Certificate| answer.date.is_some_and(|date| pair.validity.at(date) == Verdict::Valid);
        if self.pair.as_ref().is_some_and(valid) && !self.planted.is(IdentityCanary::CloudClockIgnored) {
            self.heard(answer, false);
            self.change(IdentityChange::Found);
            return self.usable();
        }
        let Some(token) = self.good_token() else {
            let problem =
                self.token_problem().or_else(|| self.validity_problem()).unwrap_or(Problem::NoToken);
            return self.needs_token(problem);
        };
        let expected = token.ca();
        match body_of_authority(answer, || self.planted.is(IdentityCanary::HashUnchecked), expected) {
            Err(problem @ Problem::WrongHash { .. }) => {
                // Another token may help, or another answer: whoever answers now may not be the cloud.
                self.mismatched = self.token.clone();
                return self.needs_token(problem);
            }
            Err(problem) => return self.failed(problem),
            Ok(()) => self.mismatched = None,
        }
        self.change(IdentityChange::TokenFound);
        self.attempt.roots = vec![answer.body.clone()];
        self.make_key(IdentityChange::CaMatches);
    }

    fn authority_through_trust(&mut self, answer: &Answer) {
        match certificate_in(answer, false) {
            Err(problem) => return self.failed(problem),
            Ok(certificate) if !certificate.is_authority => return self.failed(Problem::NotAnAuthority),
            Ok(_) => {}
        }
        self.attempt.roots = vec![answer.body.clone()];
        match self.roots.first() {
            Some(present) if *present != answer.body => {
                self.attempt.roots.push(present.clone());
                let again = self.told_authority.replace(answer.digest) == Some(answer.digest);
                if !again || self.planted.is(IdentityCanary::AuthorityToldAgain) {
                    self.note(IdentityNote::NewAuthority);
                }
            }
            _ => {}
        }
        self.make_key(IdentityChange::CaMatches);
    }

    fn make_key(&mut self, change: IdentityChange) {
        self.change(change);
        let work = self.step(Step::MakingKey);
        self.attempt.key = work;
        self.outputs.push_back(IdentityOutput::MakeKey { work });
    }

    pub(super) fn key_made(&mut self, request: Bytes) {
        if request.len() > BODY_BYTES_MAX {
            return self.failed(Problem::Local("the request for a certificate is too long".into()));
        }
        let request = match (self.joins(), self.good_token()) {
            (false, _) => Request::Renew { request },
            (true, Some(token)) => Request::Join { request, jwt: token.jwt().into() },
            (true, None) => return self.failed(Problem::NoToken),
        };
        self.change(IdentityChange::KeyMade);
        let work = self.step(Step::Requesting);
        let trust = Trust::Roots(self.attempt.roots.clone());
        self.outputs.push_back(IdentityOutput::Send { work, request, trust });
    }

    /// The answer to the request for a certificate.
    pub(super) fn certificate(&mut self, answer: Answer) {
        self.heard(&answer, true);
        match self.acceptable(&answer) {
            Err(Problem::TokenRefused { words }) if self.joins() => {
                self.refused = self.token.clone();
                self.needs_token(Problem::TokenRefused { words });
            }
            Err(problem) => self.failed(problem),
            Ok(certificate) => {
                let roots = self.attempt.roots.clone();
                let key = self.attempt.key;
                let work = self.step(Step::Writing);
                self.attempt.got = Some(certificate);
                let certificate = answer.body;
                self.outputs.push_back(IdentityOutput::Write { work, key, certificate, roots });
            }
        }
    }

    /// Checks everything that can be checked before it is written.
    fn acceptable(&mut self, answer: &Answer) -> Result<Certificate, Problem> {
        let certificate = certificate_in(answer, self.joins())?;
        if let Some(problem) = self.strangeness(certificate) {
            return Err(problem);
        }
        if !certificate.is_of_key && !self.planted.is(IdentityCanary::KeyUnchecked) {
            return Err(Problem::WrongKey);
        }
        if !certificate.is_of_root && !self.planted.is(IdentityCanary::RootUnchecked) {
            return Err(Problem::WrongAuthority);
        }
        let time = self.clock.time(self.now);
        if certificate.validity.at(time) != Verdict::Valid {
            return Err(Problem::NotValidNow(certificate.validity));
        }
        Ok(certificate.clone())
    }

    pub(super) fn written(&mut self) {
        self.pair = self.attempt.got.take();
        self.roots = core::mem::take(&mut self.attempt.roots);
        self.change(IdentityChange::Stored);
        self.usable();
    }

    /// The attempt failed; the next one follows.
    pub(super) fn failed(&mut self, problem: Problem) {
        self.change(IdentityChange::Failed);
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

    /// The cloud said what time it is.
    fn heard(&mut self, answer: &Answer, vouched: bool) {
        let Some(date) = answer.date else { return };
        let known = self.clock.skew(self.now).is_some();
        self.clock.heard(self.now, date, vouched);
        match self.clock.skew(self.now) {
            Some(ahead_ms) if !known && !self.planted.is(IdentityCanary::SkewUntold) => {
                self.note(IdentityNote::ClockSkew { ahead_ms });
            }
            _ => {}
        }
    }

    /// The token, unless it was refused.
    fn good_token(&self) -> Option<&JoinToken> {
        let refused = |token: &&JoinToken| {
            self.refused.as_ref() == Some(*token) && !self.planted.is(IdentityCanary::RefusedTokenAgain)
        };
        self.token.as_ref().filter(|token| !refused(token))
    }

    /// Why the token cannot be used, if that is what was said last.
    fn token_problem(&self) -> Option<Problem> {
        let is_of_token = |problem: &Problem| match problem {
            Problem::TokenRefused { .. } => self.refused.is_some() && self.refused == self.token,
            Problem::WrongHash { .. } => self.mismatched.is_some() && self.mismatched == self.token,
            _ => false,
        };
        self.problem.clone().filter(is_of_token)
    }

    /// Why the pair cannot be used, by the clock.
    fn validity_problem(&mut self) -> Option<Problem> {
        let time = self.clock.time(self.now);
        let validity = self.pair.as_ref()?.validity;
        match validity.at(time) {
            Verdict::Valid => None,
            Verdict::Expired => Some(Problem::Expired { not_after: validity.not_after }),
            Verdict::NotYetValid => Some(Problem::NotYetValid { not_before: validity.not_before }),
        }
    }

    fn is_ours(&self, certificate: &Certificate) -> bool {
        certificate.node.as_ref() == Some(&self.config.node)
    }

    /// Why a certificate is not this node's.
    fn strangeness(&self, certificate: &Certificate) -> Option<Problem> {
        if self.is_ours(certificate) || self.planted.is(IdentityCanary::NodeUnchecked) {
            return None;
        }
        Some(Problem::WrongNode { found: certificate.node.clone() })
    }
}

/// The authority's certificate, if its hash is the expected one.
fn body_of_authority(
    answer: &Answer,
    unchecked: impl Fn() -> bool,
    expected: super::Sha256,
) -> Result<(), Problem> {
    let looks = certificate_in(answer, false);
    if matches!(&looks, Err(Problem::Redirect { .. } | Problem::Status { .. })) {
        return looks.map(|_| ());
    }
    // HTML in its place says more than its hash.
    let certificate = looks?;
    if answer.digest != expected && !unchecked() {
        return Err(Problem::WrongHash { expected, found: answer.digest });
    }
    if certificate.is_authority { Ok(()) } else { Err(Problem::NotAnAuthority) }
}

/// The certificate in an answer.
fn certificate_in(answer: &Answer, with_token: bool) -> Result<&Certificate, Problem> {
    match answer.status {
        200 => answer
            .certificate
            .as_ref()
            .ok_or(Problem::NotACertificate { looks_like: looks_like(&answer.body) }),
        300..=399 => {
            let location = answer.location.as_deref().map_or_else(Default::default, str::as_bytes);
            Err(Problem::Redirect { location: problem::words(location) })
        }
        401 if with_token => Err(Problem::TokenRefused { words: problem::words(&answer.body) }),
        status => Err(Problem::Status { status, words: problem::words(&answer.body) }),
    }
}

fn looks_like(body: &[u8]) -> &'static str {
    let start = body.trim_ascii_start();
    match start.first() {
        None => "nothing",
        Some(b'<') => "a web page",
        Some(b'{' | b'[') => "JSON",
        Some(_) if start.starts_with(b"-----BEGIN ") => "PEM",
        Some(_) => "something else",
    }
}
