//! Defect D10: a certificate runs out while its node is offline. It is about certificates and not about a hub, so its scene has
//! a stage of its own: days on one side, the certificate machine or the model of the original on the other.

use super::{Exhibit, Verdict};
use bytes::Bytes;
use edgehub_core::Now;
use edgehub_core::identity::{
    Answer, Authority, Certificate, Failure, Identity, IdentityConfig, IdentityInput, IdentityOutput,
    JoinToken, Request, Sha256, Validity,
};

const THE_AUTHORITY: &[u8] = b"the authority";
const DAY: u64 = 86_400;
/// The wall clock at the beginning, in seconds of the Unix era.
const START: i64 = 1_800_000_000;
const GOES: u64 = 200 * DAY;
const TOKEN_COMES: u64 = 399 * DAY;
/// In the middle of the day: no wait that somebody rounded ends just then.
const RETURNS: u64 = 400 * DAY + 12_345;
const END: u64 = 403 * DAY;
const HASH: &str = "0707070707070707070707070707070707070707070707070707070707070707";

/// Plays the scene with both.
pub(super) fn exhibit() -> Exhibit {
    Exhibit {
        defect: "D10",
        wrong: "after certificate rotation the token and CA are not refreshed; an expired certificate needs a human",
        scene: "a node with a certificate of a year is offline from day 200 to day 400; on day 399 somebody puts a new token \
                into its configuration; three days pass",
        original: original(),
        ours: ours(),
    }
}

/// The original asks for a first certificate only where there are no files, with the token that it read at the start; a renewal
/// needs a certificate that the cloud still takes. So only the renewal can happen here.
fn original() -> Verdict {
    let mut site = Site::new();
    for at in (0..END).step_by(32) {
        if site.is_online(at) && site.is_valid(at) && site.age_per_mille(at) >= 800 {
            site.certificate = of_a_year(at);
        }
    }
    site.verdict(None)
}

fn ours() -> Verdict {
    let config = IdentityConfig::new("edge-1", "cloud", true);
    let mut site = Site::new();
    let mut at = 0;
    let mut identity = Identity::new(config, 1, now(at));
    loop {
        while let Some(output) = identity.poll_output() {
            if let Some(input) = site.answer(output, at) {
                identity.handle(now(at), input);
            }
        }
        if at >= RETURNS && site.is_valid(at) && identity.state().is_usable() {
            return site.verdict(Some(at));
        }
        at = identity.next_deadline().at.0.div_ceil(1_000_000);
        if at >= END {
            return site.verdict(None);
        }
        identity.handle(now(at), IdentityInput::Tick);
    }
}

fn now(at: u64) -> Now {
    Now::new(at * 1_000_000, (START + at as i64) * 1000)
}

/// The node's files and its way to the cloud.
struct Site {
    certificate: Validity,
    signed: Option<Validity>,
}

impl Site {
    fn new() -> Site {
        Site { certificate: of_a_year(0), signed: None }
    }

    fn is_online(&self, at: u64) -> bool {
        !(GOES..RETURNS).contains(&at)
    }

    fn is_valid(&self, at: u64) -> bool {
        START + at as i64 <= self.certificate.not_after
    }

    fn age_per_mille(&self, at: u64) -> i64 {
        let life = self.certificate.not_after - self.certificate.not_before;
        (START + at as i64 - self.certificate.not_before) * 1000 / life
    }

    fn verdict(&self, valid_again: Option<u64>) -> Verdict {
        match valid_again {
            Some(at) => Verdict {
                holds: true,
                observed: format!("a valid certificate {} s after the return", at - RETURNS),
            },
            None if self.is_valid(END) => Verdict { holds: true, observed: "a valid certificate".into() },
            None => {
                Verdict { holds: false, observed: "no valid certificate three days after the return".into() }
            }
        }
    }

    /// What the machine asks for, done.
    fn answer(&mut self, output: IdentityOutput, at: u64) -> Option<IdentityInput> {
        let root = Bytes::from_static(THE_AUTHORITY);
        Some(match output {
            IdentityOutput::Load { work } => {
                let token = JoinToken::parse(&format!("{HASH}.a.b.c")).ok();
                let token = token.filter(|_| at >= TOKEN_COMES);
                let pair = Ok(Some(certificate(self.certificate, false)));
                IdentityInput::Loaded { work, pair, roots: vec![root], superseded: None, token }
            }
            IdentityOutput::Send { work, .. } if !self.is_online(at) => {
                IdentityInput::Unanswered { work, failure: Failure::Unreachable("no network".into()) }
            }
            IdentityOutput::Send { work, request: Request::Authority | Request::Time, .. } => {
                let answer = answer(root, certificate(of_a_year(0), true));
                IdentityInput::Answered { work, answer }
            }
            IdentityOutput::Send { work, .. } => {
                let signed = of_a_year(at);
                self.signed = Some(signed);
                let answer = answer(Bytes::from_static(b"signed"), certificate(signed, false));
                IdentityInput::Answered { work, answer }
            }
            IdentityOutput::MakeKey { work } => {
                IdentityInput::KeyMade { work, request: Bytes::from_static(b"request") }
            }
            IdentityOutput::Write { work, .. } => {
                self.certificate = self.signed.take().unwrap_or(self.certificate);
                IdentityInput::Written { work }
            }
            IdentityOutput::Cancel { .. } | IdentityOutput::Use { .. } | IdentityOutput::Note(_) => {
                return None;
            }
        })
    }
}

fn of_a_year(from: u64) -> Validity {
    let not_before = START + from as i64;
    Validity { not_before, not_after: not_before + 365 * DAY as i64 }
}

fn certificate(validity: Validity, is_authority: bool) -> Certificate {
    let node = (!is_authority).then(|| "edge-1".into());
    let hash = Sha256([7; 32]);
    let signed_by = Some(Authority { digest: hash, der: Bytes::from_static(THE_AUTHORITY) });
    Certificate { digest: hash, validity, node, is_authority, is_of_key: true, signed_by }
}

fn answer(body: Bytes, certificate: Certificate) -> Answer {
    Answer { status: 200, date: None, location: None, body, certificate: Some(certificate) }
}
