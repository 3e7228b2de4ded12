//! One attempt, to join or to renew:
//!
//! ```text
//!   join:   load ─▶ ask for the authority, trusting nobody ─▶ make key ─▶ request, with the token ─▶ write
//!   renew:  load ─▶ ask for the authority, through the roots ─▶ make key ─▶ request, with the pair ─▶ write
//! ```
//!
//! An authority is accepted in two ways only: its hash is the token's, or it came over a connection that an authority
//! which is trusted already vouches for. Nothing is written before everything was checked. When a connection fails because
//! a certificate is out of date, somebody is asked what time it is, to tell a clock that is wrong from a server that is.

use super::{
    Answer, BODY_BYTES_MAX, Certificate, Failure, Identity, IdentityChange, IdentityNote, IdentityOutput,
    IdentityState, JoinToken, Problem, ROOTS_MAX, Request, SKEW_TOLERATED_MS, Trust, Verdict, WorkNumber,
    problem,
};
use crate::canary::IdentityCanary;
use crate::time::{Instant, UnixMillis};
use alloc::boxed::Box;
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
    /// Somebody is asked what time it is, for the attempt has failed.
    AskingTime,
}

impl Step {
    /// Whether an answer of the cloud is awaited.
    pub(super) fn is_request(self) -> bool {
        matches!(self, Step::Asking | Step::Requesting | Step::AskingTime)
    }
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
    /// How far the own clock was ahead of what somebody said who need not be the cloud, in milliseconds.
    ahead_ms: Option<i64>,
    /// Why a connection failed that both clocks have to allow.
    out_of_date: Option<Box<str>>,
}

impl Attempt {
    pub(super) fn idle(now: Instant) -> Attempt {
        Attempt::of(Step::Idle, now)
    }

    pub(super) fn of(step: Step, ends: Instant) -> Attempt {
        Attempt {
            step,
            work: WorkNumber(0),
            ends,
            roots: Vec::new(),
            key: WorkNumber(0),
            got: None,
            ahead_ms: None,
            out_of_date: None,
        }
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
        let is_stuck = step.is_request() && self.planted.is(IdentityCanary::StallUnnoticed);
        self.attempt.ends = self.now.mono + self.config.request_limit * if is_stuck { 1000 } else { 1 };
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

    pub(super) fn loaded(
        &mut self,
        pair: Result<Option<Certificate>, Box<str>>,
        mut roots: Vec<Bytes>,
        token: Option<JoinToken>,
    ) {
        if token.is_some() {
            self.token = token;
        }
        roots.truncate(ROOTS_MAX);
        let found = self.own_pair(pair);
        if self.state.is_usable() {
            return self.looked_at(found.ok(), roots);
        }
        let unfit = found.as_ref().err().cloned();
        self.pair = found.ok();
        self.roots = roots;
        let valid_at = |time| self.pair.as_ref().is_some_and(|pair| pair.validity.at(time) == Verdict::Valid);
        if valid_at(self.now.wall) {
            self.clock.forget_hearsay();
        }
        if valid_at(self.clock.time(self.now)) {
            self.change(IdentityChange::Found);
            return self.usable();
        }
        let gives_up = self.pair.is_some() && self.planted.is(IdentityCanary::NoJoinAfterExpiry);
        let may_join = self.good_token().is_some() && !gives_up;
        if self.config.has_service && (may_join || self.pair.is_some()) {
            if may_join && self.mismatched != self.token {
                self.change(IdentityChange::TokenFound);
            }
            return self.ask(Step::Asking, Request::Authority, Trust::Anybody);
        }
        let unfit = unfit.or_else(|| self.validity_problem()).filter(|unfit| *unfit != Problem::NoToken);
        self.needs_token(unfit.or_else(|| self.token_problem()).unwrap_or(Problem::NoToken));
    }

    /// The pair in the files, if it is this node's and of the cloud that is meant, whatever time it is.
    fn own_pair(&self, pair: Result<Option<Certificate>, Box<str>>) -> Result<Certificate, Problem> {
        let pair = pair.map_err(Problem::Files)?.ok_or(Problem::NoToken)?;
        let is_fine = |canary| self.planted.is(canary);
        let meant = self.token.as_ref().filter(|_| self.config.token_decides).map(JoinToken::ca);
        match pair.signed_by {
            _ if !self.is_ours(&pair) => Err(Problem::WrongNode { found: pair.node }),
            _ if !pair.is_of_key => Err(Problem::KeyApart),
            None if self.config.has_service && !is_fine(IdentityCanary::StrangersPairUsed) => {
                Err(Problem::WrongAuthority)
            }
            found if meant.is_some() && found != meant && !is_fine(IdentityCanary::TokenDoesNotDecide) => {
                Err(Problem::WrongAuthority)
            }
            _ => Ok(pair),
        }
    }

    /// There is a pair in use, and perhaps another one in the files: somebody has put it there.
    fn looked_at(&mut self, found: Option<Certificate>, roots: Vec<Bytes>) {
        let time = self.clock.time(self.now);
        let is_new = |found: &Certificate| {
            let is_other = self.pair.as_ref().is_none_or(|pair| pair.digest != found.digest);
            (is_other || self.roots != roots) && found.validity.at(time) == Verdict::Valid
        };
        match found.filter(is_new) {
            Some(pair) => {
                (self.pair, self.roots) = (Some(pair), roots);
                self.change(IdentityChange::Found);
                self.usable();
            }
            None => self.go_on(),
        }
    }

    fn ask(&mut self, step: Step, request: Request, trust: Trust) {
        let work = self.step(step);
        self.outputs.push_back(IdentityOutput::Send { work, request, trust });
    }

    /// Begins to renew, through what is trusted already.
    pub(super) fn renew(&mut self) {
        let trust = if self.planted.is(IdentityCanary::RenewsThroughAnybody) {
            Trust::Anybody
        } else {
            Trust::Roots(self.roots.clone())
        };
        self.ask(Step::Asking, Request::Authority, trust);
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
        self.attempt.ahead_ms = answer.date.map(|date| self.ahead_of(date));
        self.attempt.roots = vec![answer.body.clone()];
        self.make_key(IdentityChange::CaMatches);
    }

    fn authority_through_trust(&mut self, answer: &Answer) {
        let digest = match certificate_in(answer, false) {
            Err(problem) => return self.failed(problem),
            Ok(certificate) if !certificate.is_authority => return self.failed(Problem::NotAnAuthority),
            Ok(certificate) => certificate.digest,
        };
        self.attempt.roots = vec![answer.body.clone()];
        match self.roots.first() {
            Some(present) if *present != answer.body => {
                if !self.planted.is(IdentityCanary::OldRootDropped) {
                    self.attempt.roots.push(present.clone());
                }
                let again = self.told_authority.replace(digest) == Some(digest);
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
        let trust = Trust::Roots(self.attempt.roots.clone());
        self.ask(Step::Requesting, request, trust);
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
        if certificate.signed_by.is_none() && !self.planted.is(IdentityCanary::RootUnchecked) {
            return Err(Problem::WrongAuthority);
        }
        let time = self.clock.time(self.now);
        let is_valid = certificate.validity.at(time) == Verdict::Valid;
        if !is_valid && !self.planted.is(IdentityCanary::ValidityUnchecked) {
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

    fn ahead_of(&self, date: UnixMillis) -> i64 {
        self.now.wall.0.saturating_sub(date.0)
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
    if certificate.digest != expected && !unchecked() {
        return Err(Problem::WrongHash { expected, found: certificate.digest });
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
