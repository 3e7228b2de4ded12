//! A node as its driver and its operator see it: files, keys, clocks, and the token that somebody leaves there.

use super::cloud::{Cloud, NODE, der, place};
use crate::canary;
use crate::dice::Dice;
use bytes::Bytes;
use edgehub_core::Now;
use edgehub_core::UnixMillis;
use edgehub_core::identity::{
    Identity, IdentityConfig, IdentityInput, IdentityOutput, JoinToken, Request, Verdict, WorkNumber,
};
use std::collections::BTreeMap;

/// What is on disk: it changes as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Files {
    /// The place of the certificate.
    pub(super) certificate: usize,
    /// The private key.
    pub(super) key: u64,
    pub(super) roots: Vec<Bytes>,
    pub(super) superseded: Option<Bytes>,
}

/// What is being written.
struct Writing {
    files: Files,
    /// Whether it came of a token.
    joined: bool,
    /// What this process has seen there.
    seen: Option<Files>,
    /// What it replaces: that and nothing else, if it is known.
    instead_of: Option<Option<Files>>,
}

/// What became of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Committed {
    /// It is in place; it came of a token, or else of the pair before.
    Joined,
    Renewed,
    /// Something else than what it replaces was there, and still is.
    GivenUp,
    /// … and would not be any more, though this process has not seen it.
    Overwrote,
}

pub(super) struct Node {
    pub(super) identity: Identity,
    /// When the process was started, in microseconds; its monotonic clock begins there.
    pub(super) started_at: u64,
    /// How far its wall clock is ahead.
    pub(super) clock_error_ms: i64,
    pub(super) disk: Option<Files>,
    /// What of it was read or written last, and under which number.
    held: (WorkNumber, Option<Files>),
    /// What the link was opened with, and under which number it was held then.
    pub(super) in_use: Option<Files>,
    in_use_as: WorkNumber,
    writing: Option<Writing>,
    pub(super) disk_fails: bool,
    /// The token in the configuration.
    pub(super) token: Option<JoinToken>,
    /// Whether somebody keeps the token fresh.
    pub(super) fresh_tokens: bool,
    keys: BTreeMap<WorkNumber, u64>,
    pub(super) latest_key: u64,
    joins: bool,
    /// How many services its configuration names.
    services: usize,
}

impl Node {
    pub(super) fn new(services: usize, dice: &mut Dice) -> Node {
        Node {
            identity: identity(services, dice.seed()),
            started_at: 0,
            clock_error_ms: 0,
            disk: None,
            held: (WorkNumber(0), None),
            in_use: None,
            in_use_as: WorkNumber(0),
            writing: None,
            disk_fails: false,
            token: None,
            fresh_tokens: dice.chance(300),
            keys: BTreeMap::new(),
            latest_key: 0,
            joins: false,
            services,
        }
    }

    /// Starts the process; nothing is left of the one before but the files.
    pub(super) fn start(&mut self, seed: u64, now: u64) {
        self.started_at = now;
        (self.writing, self.in_use, self.held) = (None, None, (WorkNumber(0), None));
        self.in_use_as = WorkNumber(0);
        self.keys.clear();
        self.identity = canary::identity(config(self.services), seed, self.clocks(now));
    }

    pub(super) fn handle(&mut self, now: u64, input: IdentityInput) {
        self.identity.handle(self.clocks(now), input);
    }

    fn clocks(&self, now: u64) -> Now {
        let wall = super::START * 1000 + (now / 1000) as i64 + self.clock_error_ms;
        Now::new(now - self.started_at, wall)
    }

    /// What its wall clock shows, in seconds.
    pub(super) fn wall(&self, true_wall: i64) -> i64 {
        true_wall + self.clock_error_ms / 1000
    }

    pub(super) fn step_clock(&mut self, dice: &mut Dice) {
        let step = dice.magnitude(1, 10 * 365 * 86_400_000) as i64;
        self.clock_error_ms = if dice.chance(500) { step } else { -step };
    }

    pub(super) fn load(&mut self, work: WorkNumber, cloud: &Cloud) -> IdentityInput {
        self.held = (work, self.disk.clone());
        let roots = self.disk.as_ref().map(|files| files.roots.clone()).unwrap_or_default();
        let pair = self.disk.as_ref().and_then(|files| cloud.facts(files.certificate, files.key, &roots));
        let superseded = self.disk.as_ref().and_then(|files| files.superseded.clone());
        IdentityInput::Loaded { work, pair: Ok(pair), roots, superseded, token: self.token.clone() }
    }

    pub(super) fn make_key(&mut self, work: WorkNumber, dice: &mut Dice) -> IdentityInput {
        self.latest_key = dice.seed() >> 1;
        self.keys.insert(work, self.latest_key);
        IdentityInput::KeyMade { work, request: Bytes::from_static(b"request") }
    }

    /// Remembers what a request is for, to tell a join from a renewal.
    pub(super) fn sends(&mut self, request: &Request) {
        match request {
            Request::Authority | Request::Time => {}
            Request::Join { .. } => self.joins = true,
            Request::Renew { .. } => self.joins = false,
        }
    }

    /// Begins to write, as it was asked for.
    pub(super) fn prepare(&mut self, output: IdentityOutput, cloud: &Cloud) -> Option<WorkNumber> {
        let IdentityOutput::Write { work, key, certificate, roots, superseded, instead_of } = output else {
            return None;
        };
        let place = place(&certificate);
        assert!(place < cloud.certificates.len(), "something else than a certificate is written");
        let key = self.keys.get(&key).copied().unwrap_or_default();
        let files = Files { certificate: place, key, roots, superseded };
        let instead_of = instead_of.map(|number| self.held(number));
        let (_, seen) = std::mem::replace(&mut self.held, (work, Some(files.clone())));
        self.writing = Some(Writing { files, joined: self.joins, seen, instead_of });
        Some(work)
    }

    /// Uses what is held under a number; returns what was used before.
    pub(super) fn uses(&mut self, number: WorkNumber) -> Option<Files> {
        let used = if number == self.in_use_as { self.in_use.clone() } else { self.held(number) };
        self.in_use_as = number;
        std::mem::replace(&mut self.in_use, used)
    }

    /// What is held under a number.
    fn held(&self, number: WorkNumber) -> Option<Files> {
        assert_eq!(self.held.0, number, "something is meant that was neither read nor written last");
        self.held.1.clone()
    }

    pub(super) fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    /// The disk fails.
    pub(super) fn lose_writing(&mut self) {
        self.writing = None;
    }

    /// Puts the files in place that are being written, unless others are there than those that they replace.
    pub(super) fn commit(&mut self) -> Option<Committed> {
        let Writing { files, joined, seen, instead_of } = self.writing.take()?;
        if instead_of.is_some_and(|before| before != self.disk) {
            return Some(Committed::GivenUp);
        }
        if seen != self.disk {
            return Some(Committed::Overwrote);
        }
        self.disk = Some(files);
        Some(if joined { Committed::Joined } else { Committed::Renewed })
    }

    /// Another process on the same files, to which somebody has given a token.
    /// … and the authority of the servers, if that is another one.
    pub(super) fn beside(&self, token: JoinToken, servers: Option<usize>, now: u64, dice: &mut Dice) -> Node {
        let mut node = Node::new(self.services, dice);
        (node.disk, node.token, node.clock_error_ms) = (self.disk.clone(), Some(token), self.clock_error_ms);
        node.started_at = now;
        let servers = servers.map(der).into_iter().collect();
        let config = IdentityConfig { rotate: false, token_decides: true, servers, ..config(self.services) };
        node.identity = canary::identity(config, dice.seed(), node.clocks(now));
        node
    }

    /// Somebody copies the certificate and the key of another cloud's node here.
    pub(super) fn mixed_up(&mut self, cloud: &mut Cloud, wall: i64) {
        if let Some(files) = &mut self.disk {
            (files.certificate, files.key) = (cloud.strangers_pair(7, wall), 7);
        }
    }

    /// Somebody gives it a pair of the cloud, and the authority of its servers: as it is where no node joins by itself.
    pub(super) fn given_by_hand(&mut self, cloud: &mut Cloud, servers: usize) {
        let certificate = cloud.sign_now(7, super::START);
        self.disk = Some(Files { certificate, key: 7, roots: vec![der(servers)], superseded: None });
    }

    /// Whether the files are good at a true time, and so many seconds before and after.
    pub(super) fn has_valid_pair(&self, cloud: &Cloud, wall: i64, margin: i64) -> bool {
        self.is_valid(self.disk.as_ref(), cloud, wall, margin)
    }

    /// Whether these are.
    pub(super) fn is_valid(&self, files: Option<&Files>, cloud: &Cloud, wall: i64, margin: i64) -> bool {
        let signed = files.and_then(|files| cloud.certificates.get(files.certificate));
        let Some(signed) = signed else { return false };
        let is_valid = |at: i64| signed.validity.at(UnixMillis(at * 1000)) == Verdict::Valid;
        cloud.authorities.contains(&signed.by) && is_valid(wall - margin) && is_valid(wall + margin)
    }

    /// Whether the cloud takes the token, and the authority that it names, with what is kept of the files, vouches for the server.
    pub(super) fn can_join(&self, cloud: &Cloud, wall: i64) -> bool {
        let kept = self.disk.iter().flat_map(|files| &files.roots);
        let kept = kept.filter(|root| cloud.servers == Some(place(root))).cloned();
        let roots: Vec<Bytes> = kept.chain([der(cloud.present())]).collect();
        self.has_good_token(cloud, wall) && cloud.is_trusted(&roots, wall)
    }

    pub(super) fn has_good_token(&self, cloud: &Cloud, wall: i64) -> bool {
        self.token.as_ref().is_some_and(|token| cloud.takes(token, wall))
    }
}

fn config(services: usize) -> IdentityConfig {
    IdentityConfig { services, ..IdentityConfig::new(NODE, "cloud", true) }
}

fn identity(services: usize, seed: u64) -> Identity {
    canary::identity(config(services), seed, Now::new(0, super::START * 1000))
}
