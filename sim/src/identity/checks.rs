//! What must hold at every moment, seen from outside:
//!
//! - what is on disk is a pair, of this node, of an authority that is the cloud's, which lies beside it;
//! - an authority that was superseded leaves with the renewal after that, and what vouches for the servers never;
//! - a pair of an unknown authority never takes the place of one of a known authority;
//! - requests keep to the waits of the retry schedule, each service has one turn between two, and a request that nobody answers
//!   is given up;
//! - a token that was refused is not sent again;
//! - whoever has a good pair uses it, as soon as files and clock can be known to be good, and whoever has none and a token
//!   that the cloud takes joins, also if there is a worthless pair in use;
//! - a certificate does not run out before it was tried to renew it, between 70 and 90 % of its life;
//! - a pair that another process puts there is used within an hour, and is not overwritten unseen;
//! - what is used is what was judged, whatever the files are by then;
//! - clocks that differ are told, also those that keep a connection from being made, and so is a new authority, once;
//! - what vouched for the cloud before a renewal vouches for it during the renewal;
//! - whoever asks hears of the reason, and of the command, when only a person can help;
//! - when nothing new happens it comes to rest.

use super::cloud::{Cloud, NODE, der, is_early, place};
use super::node::{Files, Node};
use super::{IdentityReport, MINUTE, SECOND, START};
use edgehub_core::identity::{
    Failure, IdentityInput, IdentityNote, IdentityOutput, IdentityState, Problem, REQUEST_LIMIT, Request,
    Trust,
};
use std::collections::BTreeSet;

/// A look at the files while all is well, and what a look may have to wait for.
const LOOK: u64 = 61 * MINUTE + GRACE;

/// A look at the files every 32 s, an attempt that fails step by step, and some seconds.
const GRACE: u64 = 4 * MINUTE;

/// For how long what could be used is not, and what is used is no good.
#[derive(Default)]
struct Missed {
    /// When that was seen last, and whether the state was [`IdentityState::Usable`].
    last: Option<(u64, bool)>,
    /// So long it was that state, in which the clock is looked at every hour …
    idle: u64,
    /// … and so long another one, in which there is an attempt every 32 s.
    awake: u64,
}

impl Missed {
    fn seen(&mut self, now: u64, is_idle: bool) {
        let (before, was_idle) = self.last.replace((now, is_idle)).unwrap_or((now, is_idle));
        *(if was_idle { &mut self.idle } else { &mut self.awake }) += now - before;
    }
}

pub(super) struct Checks {
    seed: u64,
    /// When the last attempt began.
    attempt_at: Option<u64>,
    /// Attempts since the last one that brought something, less one.
    failures: u32,
    /// Services that had their turn since the last wait, and whether it is the next one's without a wait.
    turns: usize,
    is_next: bool,
    refused: BTreeSet<String>,
    asked_with: Option<String>,
    missed: Missed,
    /// Since when there is another pair in the files than in use, and which.
    unused_since: Option<(u64, usize)>,
    /// Since when an answer of the cloud is awaited.
    asked_since: Option<u64>,
    /// A connection that the clocks do not allow is to be explained.
    unexplained: bool,
    /// Whether every service was well whenever one was asked since the last wait, and how wrong the clock was at first.
    was_well: bool,
    was_wrong_ms: i64,
    state: IdentityState,
    /// Since when the pair in use is in use with a right clock, in a process that lives.
    steady: bool,
    skewed: bool,
    given: bool,
    /// The pairs that it had in use and left since it was to be at rest.
    left: Vec<usize>,
    /// The authority that the last answer held, and those that were told as new.
    answered: usize,
    told_authorities: BTreeSet<usize>,
}

impl Checks {
    pub(super) fn new(seed: u64) -> Checks {
        Checks {
            seed,
            attempt_at: None,
            failures: 0,
            turns: 0,
            is_next: false,
            refused: BTreeSet::new(),
            asked_with: None,
            missed: Missed::default(),
            unused_since: None,
            asked_since: None,
            unexplained: false,
            was_well: false,
            was_wrong_ms: 0,
            state: IdentityState::NoIdentity,
            steady: false,
            skewed: false,
            given: false,
            left: Vec::new(),
            answered: 0,
            told_authorities: BTreeSet::new(),
        }
    }

    /// The process begins anew, and knows nothing of the one before.
    pub(super) fn started(&mut self, now: u64) {
        *self = Checks::new(self.seed);
        self.missed.last = Some((now, false));
    }

    /// From here on nothing happens that is new.
    pub(super) fn is_to_rest(&mut self) {
        self.left.clear();
    }

    /// It has come to rest: a pair may run out, and is not used again then.
    pub(super) fn has_rested(&self) {
        let pairs: BTreeSet<&usize> = self.left.iter().collect();
        assert_eq!(pairs.len(), self.left.len(), "seed {}: no rest, pairs come and go", self.seed);
    }

    /// Something happened from outside: whatever was steady is not.
    pub(super) fn event(&mut self) {
        self.steady = false;
        self.missed = Missed::default();
    }

    pub(super) fn before(&mut self, node: &mut Node, input: &IdentityInput) {
        if matches!(input, IdentityInput::Answered { .. } | IdentityInput::Unanswered { .. }) {
            self.asked_since = None;
        }
        match input {
            IdentityInput::Token(_) => {
                self.given = true;
                self.turns = 0;
                self.refused.clear();
            }
            IdentityInput::Answered { answer, .. } if answer.status == 401 => {
                self.refused.extend(self.asked_with.take());
            }
            IdentityInput::Answered { answer, .. } if answer.status == 200 => {
                self.answered = place(&answer.body);
            }
            _ => {}
        }
        self.unexplained |= matches!(input, IdentityInput::Unanswered { failure: Failure::OutOfDate(_), .. });
        self.skewed = node.identity.health().clock_ahead_ms.is_some();
    }

    pub(super) fn after(
        &mut self,
        now: u64,
        node: &mut Node,
        cloud: &Cloud,
        outputs: &[IdentityOutput],
        report: &mut IdentityReport,
    ) {
        let mut told = false;
        for output in outputs {
            match output {
                IdentityOutput::Send { request, trust, .. } => {
                    self.asked_since = Some(now);
                    self.sent(now, node, request, trust, cloud);
                }
                IdentityOutput::Cancel { .. } => self.asked_since = None,
                IdentityOutput::Use { .. } => (self.failures, self.turns, self.is_next) = (0, 0, false),
                IdentityOutput::Note(IdentityNote::State(state)) => {
                    self.became(now, *state, node, cloud, report)
                }
                IdentityOutput::Note(IdentityNote::ClockSkew { .. }) => {
                    told = true;
                    report.skews += 1;
                }
                IdentityOutput::Note(IdentityNote::Problem { problem, retry_in }) => {
                    self.is_next = retry_in.is_zero();
                    self.turns = if self.is_next { self.turns + 1 } else { 0 };
                    let services = cloud.alive.len();
                    assert!(self.turns < services, "seed {}: more than {services} turns", self.seed);
                    told |= matches!(problem, Problem::ClockSkew { .. });
                    let is_bare = matches!(problem, Problem::Unanswered(Failure::OutOfDate(_)));
                    // Who lies about the time may say what the own clock shows, and who stalls or refuses says nothing. A clock
                    // that somebody sets meanwhile is another one by the time the answer comes to compare it with.
                    let is_same_clock = node.clock_error_ms == self.was_wrong_ms;
                    let is_left = self.unexplained && is_bare && self.was_well && is_same_clock;
                    assert!(!is_left, "seed {}: clocks that differ are not told: {problem}", self.seed);
                    self.unexplained = false;
                }
                IdentityOutput::Note(IdentityNote::NewAuthority) => {
                    let is_first = self.told_authorities.insert(self.answered);
                    assert!(is_first, "seed {}: authority {} is told as new again", self.seed, self.answered);
                    report.new_authorities += 1;
                }
                _ => {}
            }
        }
        assert_eq!(node.identity.state(), self.state, "seed {}: a state that was not told", self.seed);
        let health = node.identity.health();
        let helpless = self.state == IdentityState::NeedsToken;
        assert_eq!(health.command.is_some(), helpless, "seed {}: {health}", self.seed);
        assert!(!helpless || health.problem.is_some(), "seed {}: no reason: {health}", self.seed);
        let skewed = node.identity.health().clock_ahead_ms.is_some();
        assert!(told || !skewed || self.skewed, "seed {}: the clocks differ, untold, at {now}", self.seed);
        self.skewed = skewed;
    }

    fn sent(&mut self, now: u64, node: &mut Node, request: &Request, trust: &Trust, cloud: &Cloud) {
        node.sends(request);
        self.was_well &= cloud.is_well() && node.clock_error_ms == self.was_wrong_ms;
        match request {
            Request::Authority => {
                let is_next = std::mem::take(&mut self.is_next);
                if !is_next {
                    self.turns = 0;
                    (self.was_well, self.was_wrong_ms) = (cloud.is_well(), node.clock_error_ms);
                }
                if let Some(before) = self.attempt_at.filter(|_| !self.given && !is_next) {
                    let wait = (2 * SECOND) << self.failures.saturating_sub(1).min(4);
                    let shortest = if self.failures == 0 { SECOND } else { wait / 10 * 9 };
                    let gap = now - before;
                    assert!(gap >= shortest, "seed {}: {gap} µs after failure {}", self.seed, self.failures);
                }
                self.given = false;
                self.attempt_at = Some(now);
                self.failures += u32::from(!is_next);
            }
            Request::Join { jwt, .. } => {
                assert!(!self.refused.contains(&**jwt), "seed {}: a refused token again", self.seed);
                self.asked_with = Some(jwt.to_string());
            }
            Request::Renew { .. } => {
                let present = node.in_use.as_ref().and_then(|files| files.roots.first());
                let roots = match trust {
                    Trust::Roots(roots) => roots.as_slice(),
                    Trust::Anybody => &[],
                };
                let kept = present.is_none_or(|present| roots.contains(present));
                assert!(kept, "seed {}: the authority in use is not trusted any more", self.seed);
            }
            Request::Time => {}
        }
        if let Trust::Roots(roots) = trust {
            let known = roots.iter().all(|root| cloud.is_own(place(root)));
            assert!(known, "seed {}: a stranger's authority is trusted", self.seed);
        }
    }

    fn became(
        &mut self,
        now: u64,
        state: IdentityState,
        node: &Node,
        cloud: &Cloud,
        report: &mut IdentityReport,
    ) {
        let was = std::mem::replace(&mut self.state, state);
        if was.is_usable() && !state.is_usable() {
            self.left.extend(node.in_use.as_ref().map(|files| files.certificate));
        }
        let wall = START + (now / SECOND) as i64;
        let age =
            node.disk.as_ref().and_then(|files| cloud.certificates.get(files.certificate)).map(|signed| {
                let life = signed.validity.not_after - signed.validity.not_before;
                (wall - signed.validity.not_before) as f64 / life as f64
            });
        match (was, state) {
            (_, IdentityState::Usable) => {
                // A pair that is found late is renewed late.
                let is_on_trial = node.disk.as_ref().is_some_and(|files| !has_signer(files, cloud));
                let is_early = age.is_some_and(|age| age < 0.7);
                self.steady = node.clock_error_ms == 0 && is_early && !is_on_trial;
            }
            (IdentityState::Usable, IdentityState::Rotating) if self.steady => {
                let fits = age.is_some_and(|age| (0.699..0.901).contains(&age));
                assert!(fits, "seed {}: renewed at {age:?} of its life", self.seed);
                let quarter = age.map_or(0.0, |age| (age - 0.7).max(0.0) / 0.05) as usize;
                report.renewed_in[quarter.min(3)] += 1;
            }
            (IdentityState::Usable, IdentityState::NoIdentity) => {
                assert!(!self.steady, "seed {}: it ran out before it was renewed", self.seed);
                report.expiries += 1;
            }
            (IdentityState::Rotating, IdentityState::NoIdentity) => report.expiries += 1,
            (_, IdentityState::NeedsToken) => report.helpless += 1,
            // Another token, or another answer: the waits begin anew.
            (IdentityState::NeedsToken, IdentityState::NoIdentity) => self.failures = 0,
            _ => {}
        }
    }

    /// Every answer is given up in time. Whoever has a good pair in the files uses one, and so does whoever has a right clock, a
    /// disk that writes and a token with which a service that answers lets it join. In the second case a pair of a stranger's, or one
    /// that has run out, does not count as one: it is left for the token.
    pub(super) fn time(&mut self, now: u64, node: &Node, cloud: &Cloud) {
        let wall = START + (now / SECOND) as i64;
        self.looked(now, wall, node, cloud);
        let waits = self.asked_since.map_or(0, |since| now - since);
        let limit = REQUEST_LIMIT.as_micros() as u64;
        assert!(waits <= limit, "seed {}: an answer is awaited for {} s", self.seed, waits / SECOND);
        let is_right = node.clock_error_ms == 0;
        // One whose authority is not beside it, or that the own clock does not allow, is left for a token when somebody refuses it, and
        // who refuses it need not be the cloud: that it is good can be known when the cloud answers, over a connection for which
        // somebody vouches and that the clocks allow.
        let can_ask = cloud.answers() && !is_early(node.wall(wall));
        let is_known = |files: &Files| {
            is_right && has_signer(files, cloud) || can_ask && cloud.is_trusted(&files.roots, wall)
        };
        let has_pair = node.disk.as_ref().is_some_and(is_known) && node.has_valid_pair(cloud, wall, 300);
        let can_join = is_right && cloud.answers() && !node.disk_fails && node.can_join(cloud, wall);
        let state = node.identity.state();
        let uses_good =
            state.is_usable() && (!can_join || node.is_valid(node.in_use.as_ref(), cloud, wall, 0));
        if uses_good || !has_pair && !can_join {
            self.missed = Missed::default();
            return;
        }
        self.missed.seen(now, state == IdentityState::Usable);
        let Missed { idle, awake, .. } = self.missed;
        let holds = awake <= GRACE && idle <= LOOK;
        let (idle, awake) = (idle / SECOND, awake / SECOND);
        assert!(
            holds,
            "seed {}: {state:?}, for {awake} s and {idle} s without a look, with a good pair or token",
            self.seed,
        );
    }

    /// Whoever uses a pair looks whether there is another one.
    fn looked(&mut self, now: u64, wall: i64, node: &Node, cloud: &Cloud) {
        let place = |files: &Files| files.certificate;
        let found = node.disk.as_ref().map(place).filter(|found| {
            let can_know = node.clock_error_ms == 0 && node.has_valid_pair(cloud, wall, 300);
            can_know && node.in_use.as_ref().map(place) != Some(*found)
        });
        let since = self.unused_since.filter(|(_, place)| Some(*place) == found);
        self.unused_since = found.map(|found| since.unwrap_or((now, found)));
        let waited = self.unused_since.map_or(0, |(since, _)| now - since);
        assert!(waited <= LOOK, "seed {}: another pair unused for {} s", self.seed, waited / SECOND);
    }

    /// What is used is what was judged. It is signed by who lies beside it, or what was used before was not either, or is of no
    /// use any more.
    pub(super) fn used(&self, wall: i64, before: Option<&Files>, node: &mut Node, cloud: &Cloud) {
        let used = node.in_use.as_ref().and_then(|files| cloud.certificates.get(files.certificate));
        let used = used.map(|signed| signed.validity);
        assert_eq!(used, node.identity.health().validity, "seed {}: what is used was not judged", self.seed);
        let is_known = |files: Option<&Files>| files.is_some_and(|files| has_signer(files, cloud));
        let had_good = is_known(before) && node.clock_error_ms == 0 && node.is_valid(before, cloud, wall, 0);
        let holds = is_known(node.in_use.as_ref()) || !had_good;
        assert!(holds, "seed {}: a pair of no authority beside it is used", self.seed);
    }

    /// What is written is valid now: the cloud that answered said what time it is. Of the authorities beside it all stay but the one
    /// that was superseded, and that is the one that signed before, if it is known.
    pub(super) fn written(&self, wall: i64, node: &Node, cloud: &Cloud, renewed: bool) {
        let signer = |files: &Files| cloud.certificates.get(files.certificate).map(|signed| signed.by);
        let roots = |files: &Files| files.roots.iter().map(|root| place(root)).collect::<BTreeSet<_>>();
        if let (true, Some(new), Some(old)) = (renewed, &node.disk, &node.in_use) {
            let superseded = |files: &Files| files.superseded.as_ref().map(|root| place(root));
            let stay = roots(old).into_iter().filter(|root| Some(*root) != superseded(old));
            let due: BTreeSet<usize> = stay.chain(signer(new)).collect();
            assert_eq!(roots(new), due, "seed {}: authorities after a renewal", self.seed);
            let was = signer(old).filter(|was| has_signer(old, cloud) && Some(*was) != signer(new));
            assert_eq!(superseded(new), was, "seed {}: the authority that leaves", self.seed);
        }
        // Who vouches for the servers: without it no link is opened any more.
        if let (Some(new), Some(servers)) = (&node.disk, cloud.servers) {
            assert!(roots(new).contains(&servers), "seed {}: the servers are not trusted", self.seed);
        }
        assert!(
            node.has_valid_pair(cloud, wall, 0),
            "seed {}: a pair is written that is not valid",
            self.seed
        );
    }

    pub(super) fn disk(&self, node: &Node, cloud: &Cloud) {
        let Some(files) = &node.disk else { return };
        let signed = cloud.certificates.get(files.certificate);
        assert!(signed.is_some_and(|signed| signed.key == files.key), "seed {}: no pair on disk", self.seed);
        assert!(
            signed.is_some_and(|signed| signed.node == Some(NODE)),
            "seed {}: the pair of another node",
            self.seed
        );
        let roots: Vec<usize> = files.roots.iter().map(|root| place(root)).collect();
        let known = roots.iter().all(|root| cloud.is_own(*root));
        assert!(known && !roots.is_empty(), "seed {}: roots {roots:?}", self.seed);
        assert!(
            signed.is_some_and(|signed| roots.contains(&signed.by)),
            "seed {}: a pair of no authority beside it",
            self.seed
        );
    }
}

/// Whether who signed a pair lies beside it.
pub(super) fn has_signer(files: &Files, cloud: &Cloud) -> bool {
    cloud.certificates.get(files.certificate).is_some_and(|signed| files.roots.contains(&der(signed.by)))
}
