//! A node as its driver and its operator see it: files, keys, clocks, and the token that somebody leaves there.

use super::cloud::{Cloud, NODE, der, place};
use crate::canary;
use crate::dice::Dice;
use bytes::Bytes;
use edgehub_core::Now;
use edgehub_core::UnixMillis;
use edgehub_core::identity::{
    Identity, IdentityConfig, IdentityInput, JoinToken, Request, Verdict, WorkNumber,
};
use std::collections::BTreeMap;

/// What is on disk: it changes as a whole.
#[derive(Debug, Clone)]
pub(super) struct Files {
    /// The place of the certificate.
    pub(super) certificate: usize,
    /// The private key.
    pub(super) key: u64,
    pub(super) roots: Vec<Bytes>,
    pub(super) superseded: Option<Bytes>,
}

pub(super) struct Node {
    pub(super) identity: Identity,
    /// When the process was started, in microseconds; its monotonic clock begins there.
    pub(super) started_at: u64,
    /// How far its wall clock is ahead.
    pub(super) clock_error_ms: i64,
    pub(super) disk: Option<Files>,
    /// What of it the link was opened with.
    pub(super) in_use: Option<Files>,
    /// What is being written, and whether it came of a token.
    pub(super) writing: Option<(Files, bool)>,
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
            in_use: None,
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
        (self.writing, self.in_use) = (None, None);
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

    pub(super) fn load(&self, work: WorkNumber, cloud: &Cloud) -> IdentityInput {
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

    pub(super) fn prepare(
        &mut self,
        key: WorkNumber,
        certificate: &[u8],
        roots: Vec<Bytes>,
        superseded: Option<Bytes>,
        cloud: &Cloud,
    ) {
        let place = place(certificate);
        assert!(place < cloud.certificates.len(), "something else than a certificate is written");
        let key = self.keys.get(&key).copied().unwrap_or_default();
        self.writing = Some((Files { certificate: place, key, roots, superseded }, self.joins));
    }

    /// The files are in place; tells whether a token brought them.
    pub(super) fn commit(&mut self) -> Option<bool> {
        let (files, joined) = self.writing.take()?;
        self.disk = Some(files);
        Some(joined)
    }

    /// Another process on the same files, to which somebody has given a token.
    pub(super) fn beside(&self, token: JoinToken, now: u64, dice: &mut Dice) -> Node {
        let mut node = Node::new(self.services, dice);
        (node.disk, node.token, node.clock_error_ms) = (self.disk.clone(), Some(token), self.clock_error_ms);
        node.started_at = now;
        let config = IdentityConfig { rotate: false, token_decides: true, ..config(self.services) };
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
