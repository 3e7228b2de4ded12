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
//!
//! Who vouches for the servers need not be who signs the nodes' certificates (see `roots`). So a pair whose authority is not
//! beside it is used, and renewed at once: if the cloud does not take it, it is a stranger's, and a token counts.

use super::{
    Answer, Authority, BODY_BYTES_MAX, Certificate, Failure, Identity, IdentityChange, IdentityNote,
    IdentityOutput, IdentityState, InUse, JoinToken, Problem, Request, Roots, SKEW_TOLERATED_MS, Trust,
    Verdict, WorkNumber, problem, problem::Weight,
};
use crate::canary::IdentityCanary;
use crate::time::{Instant, UnixMillis};
use alloc::boxed::Box;
use bytes::Bytes;
use core::time::Duration;

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
    /// Whom to trust from here on.
    roots: Roots,
    /// Under which number the key is held.
    key: WorkNumber,
    /// The certificate that is being written.
    got: Option<Certificate>,
    /// How far the own clock was ahead of what somebody said who need not be the cloud, in milliseconds.
    ahead_ms: Option<i64>,
    /// Why a connection failed that both clocks have to allow.
    out_of_date: Option<Box<str>>,
    /// Who signed the pair that was found in the files, if one was, and if that is known.
    replaced: Option<Option<Authority>>,
    /// Whether the pair is tried that the cloud did not take before: a renewal, though the node has nothing to use.
    is_second_trial: bool,
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
            roots: Roots::default(),
            key: WorkNumber(0),
            got: None,
            ahead_ms: None,
            out_of_date: None,
            replaced: None,
            is_second_trial: false,
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

    /// Whether the attempt is one with the token, and not one with the pair.
    fn joins(&self) -> bool {
        self.state != IdentityState::Rotating && !self.attempt.is_second_trial
    }

    /// An attempt after a wait.
    pub(super) fn begin(&mut self) {
        self.services.begin();
        self.load();
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
        roots: Roots,
        token: Option<JoinToken>,
    ) {
        if token.is_some() {
            self.token = token;
        }
        let signer = pair.as_ref().ok().and_then(Option::as_ref).map(|pair| pair.signed_by.clone());
        let found = self.own_pair(pair);
        if self.state.is_usable() {
            return self.looked_at(found.ok(), roots);
        }
        let unfit = found.as_ref().err().cloned();
        (self.held, self.pair, self.roots) = (self.on_disk, found.ok(), roots);
        self.attempt.replaced = signer;
        self.prefer_what_is_in_use();
        self.weigh_hearsay();
        let time = self.clock.time(self.now);
        match (self.is_valid_at(time), self.is_tried()) {
            (true, false) => {
                self.change(IdentityChange::Found);
                return self.usable();
            }
            (true, true) if self.is_pairs_turn => {
                self.attempt.is_second_trial = true;
                return self.renew();
            }
            _ => {}
        }
        let may_join = self.good_token().is_some();
        if self.config.services > 0 && (may_join || self.pair.is_some()) {
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
        let found = pair.signed_by.as_ref().map(|authority| authority.digest);
        match () {
            () if !self.is_ours(&pair) => Err(Problem::WrongNode { found: pair.node }),
            () if !pair.is_of_key => Err(Problem::KeyApart),
            () if meant.is_some() && found != meant && !is_fine(IdentityCanary::TokenDoesNotDecide) => {
                Err(Problem::WrongAuthority)
            }
            () => Ok(pair),
        }
    }

    /// Whether nothing on this node says who signed the pair in use.
    pub(super) fn is_of_unknown_authority(&self) -> bool {
        self.config.services > 0 && self.pair.as_ref().is_some_and(|pair| pair.signed_by.is_none())
    }

    /// Whether the pair is used though it may be worthless: it is valid on hearsay only, or of an unknown authority.
    pub(super) fn is_on_trial(&mut self) -> bool {
        self.clock.is_hearsay(self.now) || self.is_of_unknown_authority()
    }

    /// Whether the cloud did not take the pair, and there is a token that may help: whoever answered for either need not have been
    /// the cloud, so both have their turns.
    fn is_tried(&self) -> bool {
        let found = self.pair.as_ref().map(|pair| pair.digest);
        found.is_some() && found == self.worthless && self.good_token().is_some()
    }

    /// What links are opened with stays, once the own clock allows it again, if what lies on disk is damaged or a stranger's: as it
    /// does while it is valid all the time.
    fn prefer_what_is_in_use(&mut self) {
        let is_known = |pair: &Certificate| pair.signed_by.is_some() || self.config.services == 0;
        if self.pair.as_ref().is_some_and(is_known) || self.planted.is(IdentityCanary::StrangersPairUsed) {
            return;
        }
        let is_fine =
            |used: &&InUse| is_known(&used.pair) && used.pair.validity.at(self.now.wall) == Verdict::Valid;
        if let Some(InUse { held, pair, roots }) = self.in_use.as_ref().filter(is_fine).cloned() {
            (self.held, self.pair, self.roots) = (held, Some(pair), roots);
        }
    }

    fn is_valid_at(&self, time: UnixMillis) -> bool {
        self.pair.as_ref().is_some_and(|pair| pair.validity.at(time) == Verdict::Valid)
    }

    /// A pair that the own clock holds to be valid needs nobody's word, and nobody's word makes it worthless; nor does it count that
    /// it was not taken while somebody's word was all that it had.
    fn weigh_hearsay(&mut self) {
        if self.is_valid_at(self.now.wall) {
            self.clock.forget_hearsay();
            if !self.is_of_unknown_authority() {
                self.worthless = None;
            }
        }
    }

    /// There is a pair in use, and perhaps another one in the files: somebody has put it there.
    fn looked_at(&mut self, found: Option<Certificate>, roots: Roots) {
        self.weigh_hearsay();
        let time = self.clock.time(self.now);
        let may_be_unknown = self.config.services == 0
            || self.is_of_unknown_authority()
            || self.planted.is(IdentityCanary::StrangersPairUsed);
        let is_new = |found: &Certificate| {
            let is_other = self.pair.as_ref().is_none_or(|pair| pair.digest != found.digest);
            let is_known = found.signed_by.is_some() || may_be_unknown;
            (is_other || self.roots != roots) && is_known && found.validity.at(time) == Verdict::Valid
        };
        match found.filter(is_new) {
            Some(pair) => {
                (self.held, self.pair, self.roots) = (self.on_disk, Some(pair), roots);
                self.change(IdentityChange::Found);
                self.usable();
            }
            None => self.go_on(),
        }
    }

    fn ask(&mut self, step: Step, request: Request, trust: Trust) {
        let work = self.step(step);
        let service = self.services.present();
        self.outputs.push_back(IdentityOutput::Send { work, service, request, trust });
    }

    /// Begins to renew, through what is trusted already.
    pub(super) fn renew(&mut self) {
        let trust = if self.planted.is(IdentityCanary::RenewsThroughAnybody) {
            Trust::Anybody
        } else {
            Trust::Roots(self.roots.all.clone())
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
        let is_worth_it = self.pair.as_ref().is_some_and(valid) && !self.is_valid_at(self.now.wall);
        if is_worth_it && !self.planted.is(IdentityCanary::CloudClockIgnored) {
            self.heard(answer, false);
            if !self.is_tried() {
                self.change(IdentityChange::Found);
                return self.usable();
            }
        }
        let Some(token) = self.good_token() else {
            let problem =
                self.token_problem().or_else(|| self.validity_problem()).unwrap_or(Problem::NoToken);
            return self.needs_token(problem);
        };
        let expected = token.ca();
        match body_of_authority(answer, || self.planted.is(IdentityCanary::HashUnchecked), expected) {
            Err(problem) => return self.failed(problem),
            Ok(()) => self.mismatched = None,
        }
        self.services.is_of_the_cloud();
        self.change(IdentityChange::TokenFound);
        self.attempt.ahead_ms = answer.date.map(|date| self.ahead_of(date));
        let roots = match self.attempt.replaced.take() {
            Some(signer) => {
                let signer = signer.map(|authority| authority.der);
                self.roots.joined(&answer.body, signer.as_ref())
            }
            None => Roots::new([answer.body.clone()].into(), None),
        };
        self.attempt.roots = roots.and_servers(&self.config.servers);
        self.make_key();
    }

    fn authority_through_trust(&mut self, answer: &Answer) {
        let digest = match answer.authority() {
            Err(problem) => return self.failed(problem),
            Ok(certificate) => certificate.digest,
        };
        let signer = self.pair.as_ref().and_then(|pair| pair.signed_by.as_ref());
        let signer = signer.map(|authority| &authority.der);
        let is_new = !self.roots.all.contains(&answer.body);
        self.attempt.roots = match () {
            () if self.planted.is(IdentityCanary::OldRootDropped) => self.roots.joined(&answer.body, signer),
            () if self.planted.is(IdentityCanary::ServersRootDropped) => {
                Roots::default().renewed(&answer.body, signer)
            }
            () if self.planted.is(IdentityCanary::OldRootKept) => {
                Roots::new(self.roots.all.clone(), None).renewed(&answer.body, signer)
            }
            () => self.roots.renewed(&answer.body, signer),
        };
        if is_new {
            let again = self.told_authority.replace(digest) == Some(digest);
            if !again || self.planted.is(IdentityCanary::AuthorityToldAgain) {
                self.note(IdentityNote::NewAuthority);
            }
        }
        self.make_key();
    }

    fn make_key(&mut self) {
        if self.joins() {
            self.change(IdentityChange::CaMatches);
        }
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
        if self.joins() {
            self.change(IdentityChange::KeyMade);
        }
        let trust = Trust::Roots(self.attempt.roots.all.clone());
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
                if !self.joins() {
                    // The cloud takes the pair, whatever becomes of the next one.
                    self.worthless = None;
                }
                let Roots { all: roots, superseded } = self.attempt.roots.clone();
                let key = self.attempt.key;
                let work = self.step(Step::Writing);
                self.attempt.got = Some(certificate);
                let certificate = answer.body;
                let decides = self.config.token_decides || self.planted.is(IdentityCanary::OverwritesUnseen);
                let instead_of = (!decides).then_some(self.on_disk);
                self.outputs.push_back(IdentityOutput::Write {
                    work,
                    key,
                    certificate,
                    roots,
                    superseded,
                    instead_of,
                });
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
        let signer = certificate.signed_by.as_ref();
        let is_signed = signer.is_some_and(|signer| self.attempt.roots.may_sign(&signer.der));
        if !is_signed && !self.planted.is(IdentityCanary::RootUnchecked) {
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
        if !self.planted.is(IdentityCanary::UsesWhatWasReplaced) {
            self.held = self.on_disk;
        }
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
        let gives_up = self.pair.is_some() && self.planted.is(IdentityCanary::NoJoinAfterExpiry);
        self.token.as_ref().filter(|token| !refused(token) && !gives_up)
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

impl Answer {
    /// The authority's certificate, if that is what it holds.
    pub fn authority(&self) -> Result<&Certificate, Problem> {
        let certificate = certificate_in(self, false)?;
        if certificate.is_authority { Ok(certificate) } else { Err(Problem::NotAnAuthority) }
    }
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
