//! Scripts: at this second that happens, and the identity wants this.

mod clocks;
mod files;
mod joining;
mod renewing;
mod services;
mod strangers;

use super::*;
use crate::time::UnixMillis;
use bytes::Bytes;
use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

const START: i64 = 1_800_000_000;
const YEAR: i64 = 365 * 86_400;
const CA: &[u8] = b"the authority";

fn digest(body: &[u8]) -> Sha256 {
    let mut bytes = [0; 32];
    bytes.iter_mut().zip(body).for_each(|(to, from)| *to = *from);
    Sha256(bytes)
}

fn token(secret: &str) -> JoinToken {
    JoinToken::parse(&format!("{}.{secret}.b.c", digest(CA))).unwrap()
}

fn certificate(not_before: i64, not_after: i64) -> Certificate {
    Certificate {
        digest: digest(&not_after.to_be_bytes()),
        validity: Validity { not_before, not_after },
        node: Some("edge-1".into()),
        is_authority: false,
        is_of_key: true,
        signed_by: Some(Authority { digest: digest(CA), der: Bytes::from_static(CA) }),
    }
}

fn authority(body: &'static [u8]) -> Answer {
    let is_authority = true;
    let facts = certificate(0, START + 30 * YEAR);
    let certificate = Certificate { digest: digest(body), node: None, is_authority, ..facts };
    Answer { certificate: Some(certificate), ..refusal(200, body) }
}

fn refusal(status: u16, body: &'static [u8]) -> Answer {
    Answer { status, date: None, location: None, body: Bytes::from_static(body), certificate: None }
}

fn signed(certificate: Certificate) -> Answer {
    Answer { certificate: Some(certificate), ..refusal(200, b"signed") }
}

/// An identity, its time, and the last work it asked for.
struct Script {
    identity: Identity,
    seconds: u64,
    wall: i64,
    work: WorkNumber,
    service: usize,
    /// Which files were to be used last, and which to be replaced.
    used: Option<WorkNumber>,
    replaced: Option<WorkNumber>,
    seen: Vec<String>,
}

impl Script {
    fn new() -> Script {
        Script::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut IdentityConfig)) -> Script {
        let mut config = IdentityConfig::new("edge-1", "cloud.example", true);
        change(&mut config);
        let identity = Identity::new(config, 1, Now::new(0, START * 1000));
        let mut script = Script {
            identity,
            seconds: 0,
            wall: START,
            work: WorkNumber(0),
            service: 0,
            used: None,
            replaced: None,
            seen: vec![],
        };
        script.drain();
        script
    }

    fn drain(&mut self) {
        while let Some(output) = self.identity.poll_output() {
            let what = match output {
                IdentityOutput::Load { work } => self.ask(work, "load"),
                IdentityOutput::Send { work, service, request, trust } => {
                    self.service = service;
                    let request = match request {
                        Request::Authority => "authority",
                        Request::Time => "time",
                        Request::Join { .. } => "join",
                        Request::Renew { .. } => "renew",
                    };
                    match trust {
                        Trust::Anybody => self.ask(work, &format!("{request} of anybody")),
                        Trust::Roots(roots) => self.ask(work, &format!("{request} of {}", roots.len())),
                    }
                }
                IdentityOutput::Cancel { work } => {
                    assert_eq!(work, self.work);
                    "cancel".into()
                }
                IdentityOutput::MakeKey { work } => self.ask(work, "key"),
                IdentityOutput::Write { work, roots, instead_of, .. } => {
                    self.replaced = instead_of;
                    self.ask(work, &format!("write {}", roots.len()))
                }
                IdentityOutput::Use { files } => {
                    self.used = Some(files);
                    "use".into()
                }
                IdentityOutput::Note(IdentityNote::State(state)) => format!("{state:?}"),
                IdentityOutput::Note(IdentityNote::Problem { problem, .. }) => problem.to_string(),
                IdentityOutput::Note(IdentityNote::ClockSkew { ahead_ms }) => {
                    format!("ahead {} s", ahead_ms / 1000)
                }
                IdentityOutput::Note(IdentityNote::NewAuthority) => "new authority".into(),
            };
            self.seen.push(what);
        }
    }

    fn ask(&mut self, work: WorkNumber, what: &str) -> String {
        self.work = work;
        what.into()
    }

    fn now(&self) -> Now {
        Now::new(self.seconds * 1_000_000, self.wall * 1000)
    }

    /// Says something; returns what follows, with commas.
    fn say(&mut self, input: IdentityInput) -> String {
        self.seen.clear();
        self.identity.handle(self.now(), input);
        self.drain();
        self.seen.join(", ")
    }

    fn loaded(&mut self, pair: Option<Certificate>, token: Option<JoinToken>) -> String {
        let roots = pair.iter().map(|_| Bytes::from_static(CA)).collect();
        self.say(IdentityInput::Loaded { work: self.work, pair: Ok(pair), roots, superseded: None, token })
    }

    fn answered(&mut self, answer: Answer) -> String {
        self.say(IdentityInput::Answered { work: self.work, answer })
    }

    fn key_made(&mut self) -> String {
        self.say(IdentityInput::KeyMade { work: self.work, request: Bytes::from_static(b"request") })
    }

    fn written(&mut self) -> String {
        self.say(IdentityInput::Written { work: self.work })
    }

    /// Lets time pass to the next deadline.
    fn wait(&mut self) -> String {
        let at = self.identity.next_deadline().at;
        let seconds = at.0.div_ceil(1_000_000);
        self.wall += (seconds - self.seconds) as i64;
        self.seconds = seconds;
        self.say(IdentityInput::Tick)
    }

    fn unanswered(&mut self, failure: Failure) -> String {
        self.say(IdentityInput::Unanswered { work: self.work, failure })
    }

    /// … to the first one that brings something; the files are never others.
    fn wait_for_something(&mut self) -> String {
        loop {
            let mut seen = self.wait();
            if seen == "load" {
                seen = self.loaded(None, None);
            }
            if !seen.is_empty() {
                return seen;
            }
        }
    }

    /// Through a whole join.
    fn joined() -> Script {
        let mut script = Script::new();
        script.loaded(None, Some(token("a")));
        script.answered(authority(CA));
        script.key_made();
        script.answered(signed(certificate(START - 3600, START + YEAR)));
        assert_eq!(script.written(), "Usable, use");
        script
    }
}

/// Who vouches for the servers need not be who signs the nodes' certificates.
fn of_unknown_authority() -> Certificate {
    Certificate { signed_by: None, ..certificate(START - 3600, START + YEAR) }
}

fn untrusted() -> Failure {
    Failure::Untrusted("unknown issuer".into())
}

/// On trial: used, and renewed at once through who vouches for the servers, which stays.
fn on_trial(token: Option<JoinToken>) -> Script {
    on_trial_of(1, token)
}

/// … with so many services.
fn on_trial_of(services: usize, token: Option<JoinToken>) -> Script {
    let mut script = Script::with(|config| config.services = services);
    assert_eq!(script.loaded(Some(of_unknown_authority()), token.clone()), "Usable, use");
    assert_eq!(script.wait(), "load");
    assert_eq!(script.loaded(Some(of_unknown_authority()), token), "Rotating, authority of 1");
    script
}
