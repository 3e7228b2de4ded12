//! Any answers, at any times: nothing is written that was not checked, and nothing waits without end.

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use edgehub_core::identity::{
    Answer, Authority, Certificate, Failure, Identity, IdentityConfig, IdentityInput, IdentityOutput,
    JoinToken, Sha256, Validity, WorkNumber,
};
use edgehub_core::{Now, UnixMillis};

const HASH: &str = "0000000000000000000000000000000000000000000000000000000000000007";

#[derive(Debug, Arbitrary)]
struct Event<'a> {
    seconds: u32,
    wall: i64,
    /// How many pieces of work ago the one is about which is told.
    work_ago: u8,
    what: What<'a>,
}

#[derive(Debug, Arbitrary)]
enum What<'a> {
    Tick,
    Deadline,
    Loaded { pair: Option<Facts>, token: Option<u8> },
    Answered { status: u16, date: Option<i64>, hash: u8, body: &'a [u8], facts: Option<Facts> },
    Unanswered,
    KeyMade(&'a [u8]),
    Written,
    Failed(&'a str),
    Token(u8),
}

#[derive(Debug, Arbitrary)]
struct Facts {
    validity: (i64, i64),
    ours: bool,
    authority: bool,
    key: bool,
    root: bool,
}

/// Plays a list of events, then any bytes as a token.
pub fn identity(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let token = JoinToken::parse(text);
        assert!(token.is_err() || text.trim().split('.').count() == 4);
    }
    let mut input = Unstructured::new(data);
    let config = IdentityConfig::new("edge-1", "cloud", data.len().is_multiple_of(2));
    let config = IdentityConfig { services: 1 + data.len() % 3, ..config };
    let services = config.services;
    let mut now = Now::new(0, 1_800_000_000_000);
    let mut identity = Identity::new(config, data.len() as u64, now);
    let mut last = WorkNumber(0);
    drain(&mut identity, &mut last, None, services);
    while !input.is_empty() {
        let Ok(event) = Event::arbitrary(&mut input) else { break };
        now = Now::new(now.mono.0.saturating_add(u64::from(event.seconds) * 1_000_000), event.wall);
        let work = WorkNumber(last.0.saturating_sub(u64::from(event.work_ago)));
        let at = identity.next_deadline().at;
        let mut checked = None;
        let input = match event.what {
            What::Tick => IdentityInput::Tick,
            What::Deadline => {
                now = Now { mono: now.mono.max(at), ..now };
                IdentityInput::Tick
            }
            What::Loaded { pair, token: number } => {
                let pair = Ok(pair.map(|facts| certificate(facts, 1)));
                let superseded = work.0.is_multiple_of(3).then(|| Bytes::from_static(b"old"));
                let roots = std::iter::once(Bytes::new()).chain(superseded.clone()).collect();
                IdentityInput::Loaded { work, pair, roots, superseded, token: number.map(token) }
            }
            What::Answered { status, date, hash, body, facts } => {
                let certificate = facts.map(|facts| certificate(facts, hash));
                checked = certificate.clone();
                let body = Bytes::copy_from_slice(body);
                let date = date.map(UnixMillis);
                let answer = Answer { status, date, location: None, body, certificate };
                IdentityInput::Answered { work, answer }
            }
            What::Unanswered => IdentityInput::Unanswered { work, failure: Failure::TooLarge },
            What::KeyMade(request) => {
                IdentityInput::KeyMade { work, request: Bytes::copy_from_slice(request) }
            }
            What::Written => IdentityInput::Written { work },
            What::Failed(why) => IdentityInput::Failed { work, why: why.into() },
            What::Token(number) => IdentityInput::Token(token(number)),
        };
        identity.handle(now, input);
        drain(&mut identity, &mut last, checked, services);
        let next = identity.next_deadline().at;
        // At the end of time nothing can be later.
        assert!(next > now.mono || now.mono.0 > u64::MAX / 2, "a deadline in the past: {next:?} at {now:?}");
    }
}

fn token(number: u8) -> JoinToken {
    JoinToken::parse(&format!("{HASH}.a.b.c{number}")).unwrap_or_else(|error| unreachable!("{error}"))
}

fn certificate(facts: Facts, hash: u8) -> Certificate {
    let sum = |last: u8| {
        let mut sum = [0; 32];
        sum[31] = last;
        Sha256(sum)
    };
    Certificate {
        digest: sum(hash),
        validity: Validity { not_before: facts.validity.0, not_after: facts.validity.1 },
        node: facts.ours.then(|| "edge-1".into()),
        is_authority: facts.authority,
        is_of_key: facts.key,
        signed_by: facts.root.then(|| Authority { digest: sum(9), der: Bytes::new() }),
    }
}

fn drain(identity: &mut Identity, last: &mut WorkNumber, checked: Option<Certificate>, services: usize) {
    let mut outputs = 0;
    while let Some(output) = identity.poll_output() {
        outputs += 1;
        if let IdentityOutput::Send { service, .. } = output {
            assert!(service < services, "asked {service} of {services}");
        }
        assert!(outputs < 20, "one input, and no end of outputs");
        match output {
            IdentityOutput::Load { work }
            | IdentityOutput::Send { work, .. }
            | IdentityOutput::MakeKey { work } => *last = work,
            IdentityOutput::Write { work, .. } => {
                *last = work;
                let good = checked.as_ref().is_some_and(|certificate| {
                    certificate.node.is_some() && certificate.is_of_key && certificate.signed_by.is_some()
                });
                assert!(good, "written unchecked: {checked:?}");
            }
            _ => {}
        }
    }
    let _ = identity.health();
}
