//! How a node comes by its certificate, and keeps a valid one for years without a human.
//!
//! A state machine as the hub is one, with a driver of the same kind: inputs and outputs, time as an argument, randomness
//! from a seed. It asks for requests to be sent, keys to be made and files to be written, and decides everything: what is
//! trusted, when to renew, when to try again, and what to say when only a person can help.
//!
//! | file | its one job |
//! |---|---|
//! | `state` | the life of an identity, as a table |
//! | `config` | what it must know |
//! | `input`, `output` | the two closed lists |
//! | `attempt` | the steps of one attempt, to join or to renew |
//! | `found` | what lies on disk, and whether it is used |
//! | `trial` | a pair that is used though it may be worthless |
//! | `answers` | what a service answers, and every check before something is written |
//! | `failing` | why an attempt failed, and who is asked next |
//! | `retry`, `services` | the wait between two attempts; which of several services is asked |
//! | `roots` | who is trusted, and for how long |
//! | `clock` | which time it is when the cloud says otherwise |
//! | `token`, `date` | the two texts that are read |
//! | `health`, `problem` | how it is; what can go wrong, and what to do about it |
//!
//! Behaviour: KubeEdge `edge/pkg/edgehub/certificate`, less its defects: a token or an authority that changed is noticed
//! (D10), an expired certificate is followed by another attempt to join, and nothing here ever ends the process.

mod answers;
mod attempt;
mod clock;
mod config;
pub mod date;
mod failing;
mod found;
mod health;
mod input;
mod output;
mod problem;
mod retry;
mod roots;
mod services;
pub mod state;
mod token;
mod trial;

pub use clock::{SKEW_TOLERATED_MS, Verdict};
pub use config::IdentityConfig;
pub use health::IdentityHealth;
pub use input::{Answer, Authority, Certificate, Failure, IdentityInput, Validity, WorkNumber};
pub use output::{IdentityNote, IdentityOutput, Request, Trust};
pub use problem::{Problem, Skew, join_command};
pub use retry::{RETRY_FIRST, RETRY_LONGEST};
pub use state::{IdentityChange, IdentityState};
pub use token::{JoinToken, Sha256, TOKEN_BYTES_MAX, TokenError};

use crate::canary::{IdentityCanary, Planted};
use crate::rng::Rng;
use crate::time::{Instant, Now};
use alloc::collections::VecDeque;
use attempt::{Attempt, Step};
use clock::Clock;
use core::time::Duration;
use retry::Retry;
use roots::Roots;
use services::Services;

/// The longest body that is read, in bytes, of an answer and of a request. A certificate has some 500.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// How long a request may take unless it is configured, from the first packet to the last; and any other piece of work.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(30);

/// How often the files are looked at while only a person can help.
pub const LOOK_AGAIN: Duration = RETRY_LONGEST;

/// How often the clock is looked at while everything is well: the monotonic one stands still while a machine sleeps, and
/// the other one may be set.
pub const CLOCK_CHECK: Duration = Duration::from_secs(60 * 60);

/// The part of a certificate's life after which it is renewed, in thousandths: from here …
pub const ROTATION_FROM_PER_MILLE: u64 = 700;
/// … to here.
pub const ROTATION_TO_PER_MILLE: u64 = 900;

/// The most authorities that are trusted at one time: who lists those of a whole operating system has some 150.
pub const ROOTS_MAX: usize = 256;

/// The most certificate services that are asked one after the other.
pub const SERVICES_MAX: usize = 16;

/// When to look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdentityDeadline {
    /// The moment.
    pub at: Instant,
    /// What for.
    pub what_for: IdentityTimer,
}

/// What a deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityTimer {
    /// A piece of work takes too long.
    Work,
    /// The next attempt, or the next look at the files.
    Retry,
    /// The certificate is to be renewed, or its validity to be looked at.
    Check,
}

/// A pair, who is trusted with it, and under which number the driver holds both.
#[derive(Debug, Clone)]
struct InUse {
    held: WorkNumber,
    pair: Certificate,
    roots: Roots,
}

/// The identity of a node. Driven as a [`Hub`](crate::Hub) is.
#[derive(Debug)]
pub struct Identity {
    config: IdentityConfig,
    rng: Rng,
    now: Now,
    outputs: VecDeque<IdentityOutput>,
    state: IdentityState,
    attempt: Attempt,
    last_work: u64,
    retry: Retry,
    services: Services,
    clock: Clock,
    token: Option<JoinToken>,
    /// The token that the cloud refused.
    refused: Option<JoinToken>,
    /// The token that names another authority than the one that answers.
    mismatched: Option<JoinToken>,
    /// Under which number the driver holds the files that were read or written last …
    on_disk: WorkNumber,
    /// … and the pair with its roots: the same, unless what is in use is better than what lies there.
    held: WorkNumber,
    pair: Option<Certificate>,
    roots: Roots,
    /// What links are opened with.
    in_use: Option<InUse>,
    /// Found worthless by the cloud, though it seemed valid: the hash of a pair that was on trial.
    worthless: Option<Sha256>,
    /// Whether the next attempt is with that pair all the same, and not with the token.
    is_pairs_turn: bool,
    /// When in its life the present certificate is renewed.
    rotate_at_per_mille: u64,
    usable_since: Option<Instant>,
    /// The new authority that was told last: a renewal that fails meets it again.
    told_authority: Option<Sha256>,
    problem: Option<Problem>,
    planted: Planted<IdentityCanary>,
}

impl Identity {
    /// An identity that looks at its files first. `seed` decides every jitter.
    pub fn new(config: IdentityConfig, seed: u64, now: Now) -> Identity {
        let mut identity = Identity {
            config,
            rng: Rng::new(seed),
            now,
            outputs: VecDeque::new(),
            state: IdentityState::NoIdentity,
            attempt: Attempt::idle(now.mono),
            last_work: 0,
            retry: Retry::default(),
            services: Services::default(),
            clock: Clock::default(),
            token: None,
            refused: None,
            mismatched: None,
            on_disk: WorkNumber(0),
            held: WorkNumber(0),
            pair: None,
            roots: Roots::default(),
            in_use: None,
            worthless: None,
            is_pairs_turn: false,
            rotate_at_per_mille: ROTATION_FROM_PER_MILLE,
            usable_since: None,
            told_authority: None,
            problem: None,
            planted: Planted::default(),
        };
        identity.load();
        identity
    }

    /// Takes one input. Never fails, never panics, and does a bounded amount of work.
    pub fn handle(&mut self, now: Now, input: IdentityInput) {
        self.now = Now { mono: now.mono.max(self.now.mono), wall: now.wall };
        if self.attempt.ends <= self.now.mono {
            self.deadline_came();
        }
        match input {
            IdentityInput::Tick => {}
            IdentityInput::Token(token) => self.given(token),
            IdentityInput::Loaded { work, pair, roots, superseded, token } => {
                if self.attempt.awaits(work, Step::Loading) {
                    self.on_disk = work;
                    self.loaded(pair, Roots::new(roots, superseded), token);
                }
            }
            IdentityInput::Answered { work, answer } => match self.attempt.step {
                Step::Asking if self.attempt.work == work => self.authority(&answer),
                Step::Requesting if self.attempt.work == work => self.certificate(answer),
                Step::AskingTime if self.attempt.work == work => self.time_told(answer.date),
                _ => {}
            },
            IdentityInput::Unanswered { work, failure } => {
                if self.attempt.step.is_request() && self.attempt.work == work {
                    self.unanswered(failure);
                }
            }
            IdentityInput::KeyMade { work, request } => {
                if self.attempt.awaits(work, Step::MakingKey) {
                    self.key_made(request);
                }
            }
            IdentityInput::Written { work } => {
                if self.attempt.awaits(work, Step::Writing) {
                    self.on_disk = work;
                    self.written();
                }
            }
            IdentityInput::Failed { work, why } => {
                if matches!(self.attempt.step, Step::MakingKey | Step::Writing) && self.attempt.work == work {
                    self.failed(Problem::Local(why));
                }
            }
        }
    }

    /// The next thing to do, in order, until there is nothing more.
    pub fn poll_output(&mut self) -> Option<IdentityOutput> {
        self.outputs.pop_front()
    }

    /// When to look again. There always is such a moment: nothing here waits without end.
    pub fn next_deadline(&self) -> IdentityDeadline {
        let what_for = match self.attempt.step {
            Step::Waiting => IdentityTimer::Retry,
            Step::Idle => IdentityTimer::Check,
            _ => IdentityTimer::Work,
        };
        IdentityDeadline { at: self.attempt.ends, what_for }
    }

    /// Where it is in its life.
    pub fn state(&self) -> IdentityState {
        self.state
    }

    /// How it is.
    pub fn health(&mut self) -> IdentityHealth {
        IdentityHealth {
            state: self.state,
            problem: self.problem.clone(),
            clock_ahead_ms: self.clock.skew(self.now).or(match self.problem {
                Some(Problem::ClockSkew { ahead_ms }) => Some(ahead_ms),
                _ => None,
            }),
            validity: self.pair.as_ref().map(|pair| pair.validity),
            command: (self.state == IdentityState::NeedsToken).then(|| join_command(&self.config).into()),
        }
    }

    /// Moves on; `false` when the change has no place in this state, and then nothing changed.
    fn change(&mut self, change: IdentityChange) -> bool {
        let Some(next) = self.state.after(change) else { return false };
        self.state = next;
        self.note(IdentityNote::State(next));
        true
    }

    fn deadline_came(&mut self) {
        match self.attempt.step {
            Step::Idle => self.check(),
            Step::Waiting => self.begin(),
            Step::Asking | Step::Requesting | Step::AskingTime => {
                self.cancel();
                self.failed(Problem::TooLate { limit: self.config.request_limit });
            }
            // What is in use is there, whatever the disk does.
            Step::Loading if self.state.is_usable() => self.go_on(),
            Step::Loading | Step::MakingKey | Step::Writing => {
                self.failed(Problem::Local("the disk takes too long; check its health and load".into()));
            }
        }
    }

    /// A pair is there, and is as good as can be known.
    fn usable(&mut self) {
        self.problem = None;
        self.usable_since = Some(self.now.mono);
        let span = ROTATION_TO_PER_MILLE - ROTATION_FROM_PER_MILLE + 1;
        self.rotate_at_per_mille = ROTATION_FROM_PER_MILLE + self.rng.below(span);
        if self.planted.is(IdentityCanary::RotatesAtOnePoint) {
            self.rotate_at_per_mille = 800;
        }
        if self.planted.is(IdentityCanary::RotatesAtTheEnd) {
            self.rotate_at_per_mille = 1000;
        }
        let (held, roots) = (self.held, self.roots.clone());
        self.in_use = self.pair.clone().map(|pair| InUse { held, pair, roots });
        self.outputs.push_back(IdentityOutput::Use { files: held });
        // Whatever validity it has: the next thing never follows at once.
        self.attempt =
            Attempt::of(Step::Idle, self.now.mono + RETRY_FIRST.max(self.until_check()).min(CLOCK_CHECK));
    }

    /// The time until the certificate is to be renewed or ends; an hour at most. A pair that is used on trial is renewed at
    /// once: one on hearsay, which fails if it was a lie, and one of an unknown authority, which fails if it is a stranger's.
    fn until_check(&mut self) -> Duration {
        if self.config.renews() && self.is_on_trial() {
            return Duration::ZERO;
        }
        let time = self.clock.time(self.now).0;
        let Some(Certificate { validity, .. }) = &self.pair else { return CLOCK_CHECK };
        let per_mille = if self.config.renews() { self.rotate_at_per_mille } else { 1000 };
        let due = validity.point(per_mille).saturating_sub(time);
        Duration::from_millis(u64::try_from(due).unwrap_or(0)).min(CLOCK_CHECK)
    }

    /// All is well as far as is known: looks at the files, and then at the clock.
    fn check(&mut self) {
        if self.usable_since.is_some_and(|since| self.now.mono.since(since) >= RETRY_LONGEST) {
            self.retry.reset();
        }
        if self.planted.is(IdentityCanary::FilesUnwatched) {
            return self.go_on();
        }
        self.begin();
    }

    /// Looks at the clock: is it time to renew, is it too late?
    fn go_on(&mut self) {
        let time = self.clock.time(self.now);
        if self.pair.as_ref().is_none_or(|pair| pair.validity.at(time) != Verdict::Valid) {
            self.change(IdentityChange::Expired);
            return self.load();
        }
        let wait = self.until_check();
        if self.config.renews() && wait.is_zero() {
            self.change(IdentityChange::Due);
        }
        if self.state == IdentityState::Rotating {
            return self.renew();
        }
        // At least a second: the last second of a validity is as good as the others.
        self.attempt = Attempt::of(Step::Idle, self.now.mono + wait.max(Duration::from_secs(1)));
    }

    /// Only a person can help, or the clock.
    fn needs_token(&mut self, problem: Problem) {
        self.change(IdentityChange::NoToken);
        let wait =
            if self.planted.is(IdentityCanary::NeverLooksAgain) { LOOK_AGAIN * 1000 } else { LOOK_AGAIN };
        self.told(problem, wait);
        self.attempt = Attempt::of(Step::Waiting, self.now.mono + wait);
    }

    fn given(&mut self, token: JoinToken) {
        (self.refused, self.mismatched) = (None, None);
        self.token = Some(token);
        if self.state == IdentityState::NeedsToken {
            self.cancel();
            self.begin();
        }
    }

    /// Gives up a request that is on its way.
    fn cancel(&mut self) {
        if self.attempt.step.is_request() {
            self.outputs.push_back(IdentityOutput::Cancel { work: self.attempt.work });
        }
    }

    /// Tells of a problem. The same one again is told again, for the wait is another one.
    fn told(&mut self, problem: Problem, retry_in: Duration) {
        self.note(IdentityNote::Problem { problem: problem.clone(), retry_in });
        self.problem = Some(problem);
    }

    /// Gives the identity a bug; only ever called with the feature `canaries`.
    #[cfg(feature = "canaries")]
    pub(crate) fn plant(&mut self, planted: Planted<IdentityCanary>) {
        self.planted = planted;
    }

    fn note(&mut self, note: IdentityNote) {
        self.outputs.push_back(IdentityOutput::Note(note));
    }
}

impl Validity {
    /// A point of the life, in Unix milliseconds: 0 thousandths is its beginning, 1000 the moment after its end.
    pub fn point(self, per_mille: u64) -> i64 {
        let life = i128::from(self.not_after) + 1 - i128::from(self.not_before);
        let at = i128::from(self.not_before) * 1000 + life.max(0) * i128::from(per_mille);
        i64::try_from(at).unwrap_or(if at < 0 { i64::MIN } else { i64::MAX })
    }
}

#[cfg(test)]
mod tests;
