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

use super::roots::Roots;
use super::{
    Authority, BODY_BYTES_MAX, Certificate, Identity, IdentityChange, IdentityOutput, IdentityState, Problem,
    Request, Trust, WorkNumber,
};
use crate::canary::IdentityCanary;
use crate::time::Instant;
use alloc::boxed::Box;
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
    /// Whom to trust from here on.
    pub(super) roots: Roots,
    /// Under which number the key is held.
    pub(super) key: WorkNumber,
    /// The certificate that is being written.
    pub(super) got: Option<Certificate>,
    /// How far the own clock was ahead of what somebody said who need not be the cloud, in milliseconds.
    pub(super) ahead_ms: Option<i64>,
    /// Why a connection failed that both clocks have to allow.
    pub(super) out_of_date: Option<Box<str>>,
    /// Who signed the pair that was found in the files, if one was, and if that is known.
    pub(super) replaced: Option<Option<Authority>>,
    /// Whether the pair is tried that the cloud did not take before: a renewal, though the node has nothing to use.
    pub(super) is_second_trial: bool,
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
    pub(super) fn step(&mut self, step: Step) -> WorkNumber {
        self.last_work += 1;
        let work = WorkNumber(self.last_work);
        self.attempt.step = step;
        self.attempt.work = work;
        let is_stuck = step.is_request() && self.planted.is(IdentityCanary::StallUnnoticed);
        self.attempt.ends = self.now.mono + self.config.request_limit * if is_stuck { 1000 } else { 1 };
        work
    }

    /// Whether the attempt is one with the token, and not one with the pair.
    pub(super) fn joins(&self) -> bool {
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

    pub(super) fn ask(&mut self, step: Step, request: Request, trust: Trust) {
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

    pub(super) fn make_key(&mut self) {
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

    pub(super) fn written(&mut self) {
        if !self.planted.is(IdentityCanary::UsesWhatWasReplaced) {
            self.held = self.on_disk;
        }
        self.pair = self.attempt.got.take();
        self.roots = core::mem::take(&mut self.attempt.roots);
        self.change(IdentityChange::Stored);
        self.usable();
    }
}
