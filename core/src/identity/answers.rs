//! What a certificate service answers, and everything that is checked before something is written.

use super::attempt::Step;
use super::roots::Roots;
use super::{
    Answer, Certificate, Identity, IdentityChange, IdentityNote, IdentityOutput, Problem, Sha256, Verdict,
    problem,
};
use crate::canary::IdentityCanary;

impl Identity {
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

    /// The cloud said what time it is.
    pub(super) fn heard(&mut self, answer: &Answer, vouched: bool) {
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

    pub(super) fn is_ours(&self, certificate: &Certificate) -> bool {
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
fn body_of_authority(answer: &Answer, unchecked: impl Fn() -> bool, expected: Sha256) -> Result<(), Problem> {
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
