//! Scripts: at this second that happens, and the identity wants this.

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

#[test]
fn a_node_joins_with_a_token() {
    let mut script = Script::new();
    assert_eq!(script.seen, ["load"]);
    assert_eq!(script.loaded(None, Some(token("a"))), "authority of anybody");
    assert_eq!(script.answered(authority(CA)), "CaPinned, key");
    assert_eq!(script.key_made(), "Requested, join of 1");
    assert_eq!(script.answered(signed(certificate(START - 3600, START + YEAR))), "write 1");
    assert_eq!(script.written(), "Usable, use");
}

#[test]
fn a_certificate_is_renewed_between_70_and_90_percent_of_its_life() {
    let mut script = Script::joined();
    assert_eq!(script.wait_for_something(), "Rotating, authority of 1");
    let age = (script.wall - (START - 3600)) as f64 / (YEAR + 3600) as f64;
    assert!((0.7..=0.9).contains(&age), "{age}");
    assert_eq!(script.answered(authority(CA)), "key");
    assert_eq!(script.key_made(), "renew of 1");
    let begin = script.wall;
    assert_eq!(script.answered(signed(certificate(begin, begin + YEAR))), "write 1");
    assert_eq!(script.written(), "Usable, use");
    script.wait_for_something();
    assert!(script.wall - begin >= YEAR / 10 * 7);
}

#[test]
fn a_new_authority_is_accepted_through_the_old_one_and_both_are_trusted_for_a_while() {
    let mut script = Script::joined();
    script.wait_for_something();
    assert_eq!(script.answered(authority(b"another")), "new authority, key");
    assert_eq!(script.key_made(), "renew of 2");
    let by = |der: &'static [u8]| Some(Authority { digest: digest(der), der: Bytes::from_static(der) });
    let next = certificate(script.wall, script.wall + YEAR);
    script.answered(signed(Certificate { signed_by: by(b"another"), ..next }));
    script.written();
    assert_eq!(script.wait_for_something(), "Rotating, authority of 2");
    assert_eq!(script.answered(authority(b"another")), "key");
    assert_eq!(script.key_made(), "renew of 1");
}

#[test]
fn without_a_token_a_person_is_asked_and_the_files_are_looked_at() {
    let mut script = Script::new();
    let seen = script.loaded(None, None);
    assert!(seen.starts_with("NeedsToken, there is no certificate"), "{seen}");
    assert_eq!(script.wait(), "load");
    let seen = script.loaded(None, None);
    assert!(seen.starts_with("there is no certificate"), "{seen}");
    assert_eq!(script.wait(), "load");
    assert_eq!(script.loaded(Some(certificate(START, START + YEAR)), None), "Usable, use");
    assert_eq!(
        join_command(&script.identity.config),
        "edgehub join --cloud cloud.example --node edge-1 --token TOKEN"
    );
}

#[test]
fn a_refused_token_is_not_tried_again_and_another_one_is() {
    let mut script = Script::new();
    script.loaded(None, Some(token("a")));
    script.answered(authority(CA));
    script.key_made();
    let seen = script.answered(refusal(401, b"token is expired\n"));
    assert!(seen.starts_with("NeedsToken, the cloud refuses the token (token is expired)"), "{seen}");
    assert_eq!(script.wait(), "load");
    assert!(script.loaded(None, Some(token("a"))).starts_with("the cloud refuses the token"));
    assert_eq!(script.wait(), "load");
    assert_eq!(script.loaded(None, Some(token("b"))), "NoIdentity, authority of anybody");
}

#[test]
fn a_token_can_be_given() {
    let mut script = Script::new();
    script.loaded(None, None);
    assert_eq!(script.say(IdentityInput::Token(token("a"))), "load");
    assert_eq!(script.loaded(None, None), "NoIdentity, authority of anybody");
}

/// Each wrong answer to the question for the authority, and the words that name it.
#[test]
fn what_is_no_authority_is_named() {
    let check = |answer: Answer, words: &str| {
        let mut script = Script::new();
        script.loaded(None, Some(token("a")));
        let seen = script.answered(answer);
        assert!(seen.contains(words), "{seen} should say {words}");
        assert!(!seen.contains("key") || words.contains("key"), "{seen}");
        assert_eq!(script.identity.next_deadline().what_for, IdentityTimer::Retry);
    };
    check(authority(b"another"), &digest(CA).to_string());
    check(authority(b"another"), &digest(b"another").to_string());
    check(refusal(200, b"<html>"), "a web page");
    check(refusal(200, b"-----BEGIN CERTIFICATE-----"), "PEM");
    check(refusal(200, b""), "nothing");
    check(Answer { location: Some("https://x/".into()), ..refusal(302, b"") }, "points to https://x/");
    check(refusal(500, b"no\x07such"), "answers 500 (no such)");
    check(signed(certificate(START, START + YEAR)), "another cloud");
}

/// Each wrong answer to the request for a certificate.
#[test]
fn what_is_not_this_nodes_certificate_is_refused() {
    let check = |certificate: Certificate, words: &str| {
        let mut script = Script::new();
        script.loaded(None, Some(token("a")));
        script.answered(authority(CA));
        script.key_made();
        let seen = script.answered(signed(certificate));
        assert!(seen.contains(words) && seen.starts_with("NoIdentity"), "{seen} should say {words}");
    };
    let good = certificate(START, START + YEAR);
    check(Certificate { node: Some("edge-2".into()), ..good.clone() }, "the node edge-2");
    check(Certificate { node: None, ..good.clone() }, "not for a node");
    check(Certificate { is_of_key: false, ..good.clone() }, "another key");
    check(Certificate { signed_by: None, ..good }, "not signed");
    check(certificate(START - 2 * YEAR, START - YEAR), "not now");
}

#[test]
fn a_stalled_server_is_given_up_and_tried_again() {
    let mut script = Script::new();
    script.loaded(None, Some(token("a")));
    let seen = script.wait();
    assert!(seen.starts_with("cancel, the certificate service took longer than 30 s"), "{seen}");
    assert_eq!(script.wait(), "load");
    assert_eq!(script.answered(authority(CA)), "", "nobody waits for an answer now");
}

#[test]
fn an_expired_certificate_is_followed_by_a_join_if_there_is_a_token() {
    let mut script = Script::new();
    let old = certificate(START - YEAR, START - 1);
    assert_eq!(script.loaded(Some(old.clone()), Some(token("a"))), "authority of anybody");
    assert_eq!(script.answered(authority(CA)), "CaPinned, key");

    let mut script = Script::new();
    assert_eq!(script.loaded(Some(old), None), "authority of anybody", "to hear what time it is");
    let date = Some(UnixMillis(START * 1000));
    let seen = script.answered(Answer { date, ..authority(CA) });
    assert!(seen.starts_with("NeedsToken, the certificate expired on 2027-01-15 07:59:59 UTC"), "{seen}");
}

#[test]
fn a_wrong_clock_is_told_with_the_difference_and_the_pair_is_used() {
    for (pair, date, ahead) in [
        (certificate(START - 2 * YEAR, START - YEAR), START - YEAR - 100, YEAR + 100),
        (certificate(START + YEAR, START + 2 * YEAR), START + YEAR + 100, -YEAR - 100),
    ] {
        let mut script = Script::new();
        assert_eq!(script.loaded(Some(pair), None), "authority of anybody");
        let date = Some(UnixMillis(date * 1000));
        let expected = format!("ahead {ahead} s, Usable, use");
        assert_eq!(script.answered(Answer { date, ..authority(CA) }), expected);
        assert_eq!(script.identity.health().clock_ahead_ms, Some(ahead * 1000));
    }
}

#[test]
fn a_renewal_that_fails_until_the_end_becomes_a_join() {
    let mut script = Script::joined();
    let mut attempts = 0;
    let mut seen = script.wait_for_something();
    while !seen.contains("NoIdentity") {
        script.unanswered(Failure::Unreachable("no route".into()));
        attempts += 1;
        seen = script.wait_for_something();
    }
    assert_eq!(seen, "NoIdentity, load");
    // A tenth of a year, every 32 s.
    assert!(attempts > YEAR / 10 / 36, "{attempts}");
    assert_eq!(script.identity.state(), IdentityState::NoIdentity);
}

#[test]
fn a_pair_that_somebody_puts_there_is_used_within_an_hour_and_damage_is_not() {
    for rotates in [false, true] {
        let mut script = Script::joined();
        if rotates {
            script.wait_for_something();
            script.unanswered(Failure::Unreachable("no route".into()));
        }
        let begin = script.seconds;
        while script.wait() != "load" {}
        assert!(script.seconds - begin <= 3600);
        let damaged = Err("damaged".into());
        script.say(IdentityInput::Loaded {
            work: script.work,
            pair: damaged,
            roots: vec![],
            superseded: None,
            token: None,
        });
        if rotates {
            script.unanswered(Failure::Unreachable("no route".into()));
        }
        assert!(script.identity.state().is_usable());
        while script.wait() != "load" {}
        let by_hand = certificate(script.wall, script.wall + 2 * YEAR);
        assert_eq!(script.loaded(Some(by_hand), None), "Usable, use");
    }
}

#[test]
fn a_token_that_is_given_by_hand_decides_which_cloud_is_meant() {
    let pair = || Some(certificate(START, START + YEAR));
    let of_another = || JoinToken::parse(&format!("{}.a.b.c", digest(b"another"))).ok();
    for (decides, token, expected) in [
        (false, of_another(), "Usable, use"),
        (true, Some(token("a")), "Usable, use"),
        (true, of_another(), "authority of anybody"),
    ] {
        let mut script = Script::with(|config| config.token_decides = decides);
        assert_eq!(script.loaded(pair(), token), expected);
    }
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let check = |pair: Result<Certificate, &str>, words: &str| {
        let mut script = Script::new();
        let pair = pair.map(Some).map_err(Into::into);
        let seen = script.say(IdentityInput::Loaded {
            work: script.work,
            pair,
            roots: vec![],
            superseded: None,
            token: None,
        });
        assert!(seen.starts_with("NeedsToken") && seen.contains(words), "{seen} should say {words}");
    };
    let good = certificate(START, START + YEAR);
    check(Ok(Certificate { is_of_key: false, ..good.clone() }), "not of one pair");
    check(Ok(Certificate { node: Some("edge-2".into()), ..good }), "the node edge-2");
    check(Err("own.key: damaged"), "own.key: damaged");
}

#[test]
fn without_a_certificate_service_the_files_are_looked_at_and_nobody_is_asked() {
    let mut script = Script::with(|config| config.services = 0);
    let foreign = Certificate { signed_by: None, ..certificate(START, START + YEAR) };
    assert_eq!(script.loaded(Some(foreign), None), "Usable, use", "who signs is not known");
    let seen = script.wait_for_something();
    assert_eq!(seen, "NoIdentity, load", "it is not renewed");
    assert_eq!(script.wall, START + YEAR + 1);
    let seen = script.loaded(Some(certificate(START, START + YEAR)), Some(token("a")));
    assert!(seen.starts_with("NeedsToken, the certificate expired"), "{seen}");
    assert_eq!(script.wait(), "load");
}

#[test]
fn a_first_connection_that_the_clocks_do_not_allow_tells_their_difference() {
    let out_of_date = || Failure::OutOfDate("not valid yet".into());
    for (date, words) in [
        (Some(START + YEAR), format!("{YEAR} s behind the cloud's")),
        (Some(START - YEAR), format!("{YEAR} s ahead of the cloud's")),
        (Some(START + 60), "not valid at this time (not valid yet)".into()),
        (None, "not valid at this time (not valid yet)".into()),
    ] {
        let mut script = Script::new();
        script.loaded(None, Some(token("a")));
        let date = date.map(|seconds| UnixMillis(seconds * 1000));
        script.answered(Answer { date, ..authority(CA) });
        script.key_made();
        let seen = script.unanswered(out_of_date());
        assert!(seen.starts_with("NoIdentity, ") && seen.contains(&words), "{seen} should say {words}");
        assert_eq!(script.wait(), "load", "another attempt follows");
    }
}

#[test]
fn a_renewal_that_the_clocks_do_not_allow_asks_anybody_what_time_it_is() {
    let check = |script: &mut Script, seen: String, words: &str| {
        assert!(seen.contains(words), "{seen} should say {words}");
        assert_eq!(script.identity.state(), IdentityState::Rotating);
        assert_eq!(script.identity.next_deadline().what_for, IdentityTimer::Retry);
    };
    let asked = || {
        let mut script = Script::joined();
        script.wait_for_something();
        assert_eq!(script.unanswered(Failure::OutOfDate("expired".into())), "time of anybody");
        script
    };
    let mut script = asked();
    let date = Some(UnixMillis((script.wall - YEAR) * 1000));
    let seen = script.answered(Answer { date, ..refusal(500, b"whatever") });
    check(&mut script, seen, &format!("clock is {YEAR} s ahead of the cloud's"));
    assert_eq!(script.identity.health().clock_ahead_ms, Some(YEAR * 1000));
    let mut script = asked();
    let seen = script.answered(refusal(200, b""));
    check(&mut script, seen, "(expired)");
    let mut script = asked();
    let seen = script.unanswered(Failure::OutOfDate("again".into()));
    check(&mut script, seen, "(expired)");
    let mut script = asked();
    let seen = script.wait();
    check(&mut script, seen, "took longer than");
}

#[test]
fn the_command_names_the_configuration_and_is_one_that_a_shell_understands() {
    let mut config = IdentityConfig::new("edge-1", "cloud", true);
    for (file, shown) in [("/opt/x.yaml", "/opt/x.yaml"), ("/opt/it's here", r"'/opt/it'\''s here'")] {
        config.file = Some(file.into());
        let expected = format!("edgehub join --config {shown} --cloud cloud --node edge-1 --token TOKEN");
        assert_eq!(join_command(&config), expected);
    }
}

#[test]
fn no_output_shows_the_token() {
    let request = Request::Join { request: Bytes::from_static(b"pkcs10"), jwt: "s3cret".into() };
    let trust = Trust::Anybody;
    let shown = format!("{:?}", IdentityOutput::Send { work: WorkNumber(1), service: 0, request, trust });
    assert!(shown.contains("pkcs10") && !shown.contains("s3cret"), "{shown}");
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

#[test]
fn a_pair_whose_authority_is_not_beside_it_is_used_and_renewed_at_once() {
    let mut script = on_trial(None);
    assert_eq!(script.answered(authority(b"of the nodes")), "new authority, key");
    assert_eq!(script.key_made(), "renew of 2");
    let next = |der: &'static [u8]| {
        let signed_by = Some(Authority { digest: digest(der), der: Bytes::from_static(der) });
        signed(Certificate { signed_by, ..certificate(START, START + YEAR) })
    };
    // Who vouches for servers signs no nodes.
    assert!(script.answered(next(CA)).contains("not signed by the cloud's authority"));
    script.wait();
    script.loaded(Some(of_unknown_authority()), None);
    script.answered(authority(b"of the nodes"));
    script.key_made();
    assert_eq!(script.answered(next(b"of the nodes")), "write 2");
    assert_eq!(script.written(), "Usable, use");
}

#[test]
fn a_pair_of_an_unknown_authority_that_the_cloud_does_not_take_counts_less_than_a_token() {
    let pair = || Some(of_unknown_authority());
    let mut script = on_trial(None);
    assert!(script.unanswered(untrusted()).contains("not trusted"));
    assert_eq!(script.identity.state(), IdentityState::Rotating, "it is used as long as there is no token");
    assert_eq!(script.wait(), "load");
    assert_eq!(script.loaded(pair(), None), "authority of 1");

    let mut script = on_trial(Some(token("a")));
    assert!(script.unanswered(untrusted()).starts_with("NoIdentity, "));
    assert_eq!(script.wait(), "load");
    let date = Some(UnixMillis(START * 1000));
    assert_eq!(script.loaded(pair(), Some(token("a"))), "authority of anybody");
    assert_eq!(script.answered(Answer { date, ..authority(CA) }), "CaPinned, key");
    script.key_made();
    let seen = script.answered(refusal(401, b"expired"));
    assert!(seen.starts_with("NeedsToken"), "{seen}");
    script.wait();
    assert_eq!(script.loaded(pair(), Some(token("a"))), "Usable, use", "there is nothing better");
}

#[test]
fn a_pair_of_an_unknown_authority_does_not_replace_one_of_a_known_authority() {
    let mut script = Script::joined();
    while script.wait() != "load" {}
    assert_eq!(script.loaded(Some(of_unknown_authority()), None), "");
}

#[test]
fn of_several_services_the_next_one_is_asked_at_once_and_each_once_before_a_wait() {
    let mut script = Script::with(|config| config.services = 3);
    assert_eq!(script.loaded(None, Some(token("a"))), "authority of anybody");
    let mut asked = vec![script.service];
    for round in 0..2 {
        for turn in 0..3 {
            let seen = script.unanswered(Failure::Unreachable("no route".into()));
            assert_eq!(seen.ends_with(", load"), turn < 2, "turn {turn} of round {round}: {seen}");
            if turn == 2 {
                assert_eq!(script.wait(), "load");
            }
            assert_eq!(script.loaded(None, Some(token("a"))), "authority of anybody");
            asked.push(script.service);
        }
    }
    assert_eq!(asked, [0, 1, 2, 0, 1, 2, 0]);
    // Whoever answers is asked for the rest, and again the next time.
    script.unanswered(Failure::TooLarge);
    script.loaded(None, Some(token("a")));
    script.answered(authority(CA));
    assert_eq!(script.key_made(), "Requested, join of 1");
    assert_eq!(script.service, 1);
    script.answered(signed(certificate(START - 3600, START + YEAR)));
    assert_eq!(script.written(), "Usable, use");
    assert_eq!(script.wait_for_something(), "Rotating, authority of 1");
    assert_eq!(script.service, 1);
}

#[test]
fn a_service_of_another_cloud_and_one_that_stalls_have_their_turn_too() {
    let mut script = Script::with(|config| config.services = 2);
    script.loaded(None, Some(token("a")));
    let seen = script.answered(authority(b"another"));
    assert!(seen.starts_with("the token is for another cloud") && seen.ends_with(", load"), "{seen}");
    script.loaded(None, Some(token("a")));
    let seen = script.wait();
    assert!(
        seen.starts_with("cancel, NeedsToken, the token is for another cloud"),
        "who stalls says nothing: {seen}"
    );
    assert_eq!(script.wait(), "load");
    script.loaded(None, Some(token("a")));
    assert_eq!(script.service, 0);
    // A token that one refuses is refused: they are of one cloud.
    script.answered(authority(CA));
    script.key_made();
    assert!(script.answered(refusal(401, b"expired")).starts_with("NeedsToken"));
}

/// Which one is away does not matter: what the other one says of the pair counts.
#[test]
fn a_service_that_is_away_does_not_keep_a_strangers_pair_in_use() {
    let pair = || Some(of_unknown_authority());
    let away = || Failure::Unreachable("no route".into());
    for is_last_away in [false, true] {
        let mut script = on_trial_of(2, Some(token("a")));
        let turns = if is_last_away { [untrusted(), away()] } else { [away(), untrusted()] };
        let [first, last] = turns;
        assert!(script.unanswered(first).ends_with(", load"));
        assert_eq!(script.identity.state(), IdentityState::Rotating, "the other one may take it");
        script.loaded(pair(), Some(token("a")));
        let seen = script.unanswered(last);
        assert!(seen.starts_with("NoIdentity, ") && seen.contains("not trusted"), "{seen}");
        assert_eq!(script.wait(), "load");
        assert_eq!(script.loaded(pair(), Some(token("a"))), "authority of anybody");
    }
    // Nobody said anything: it may be good.
    let mut script = on_trial_of(2, Some(token("a")));
    script.unanswered(away());
    script.loaded(pair(), Some(token("a")));
    script.unanswered(away());
    assert_eq!(script.identity.state(), IdentityState::Rotating);
}

#[test]
fn a_token_of_another_cloud_is_told_whichever_service_is_away() {
    let away = || Failure::Unreachable("no route".into());
    let mut script = Script::with(|config| config.services = 2);
    script.loaded(None, Some(token("a")));
    script.answered(authority(b"another"));
    script.loaded(None, Some(token("a")));
    let seen = script.unanswered(away());
    assert!(seen.starts_with("NeedsToken, the token is for another cloud"), "{seen}");
    // One is of the token's cloud, and fails: no token is missing.
    let mut script = Script::with(|config| config.services = 2);
    script.loaded(None, Some(token("a")));
    script.answered(authority(b"another"));
    script.loaded(None, Some(token("a")));
    script.answered(authority(CA));
    script.key_made();
    script.unanswered(away());
    assert_eq!(script.identity.state(), IdentityState::NoIdentity);
}

/// Somebody lied about the time, and the cloud was built anew meanwhile: nobody is there to put that right.
#[test]
fn a_pair_that_has_run_out_is_not_kept_on_hearsay_when_a_token_can_help() {
    let pair = || Some(certificate(START - 2 * YEAR, START - YEAR));
    let lie = Some(UnixMillis((START - YEAR - 100) * 1000));
    for (failure, is_left) in [(untrusted(), true), (Failure::Unreachable("no route".into()), false)] {
        let mut script = Script::new();
        assert_eq!(script.loaded(pair(), Some(token("a"))), "authority of anybody");
        assert!(script.answered(Answer { date: lie, ..authority(CA) }).ends_with("Usable, use"));
        assert_eq!(script.wait(), "load");
        assert_eq!(script.loaded(pair(), Some(token("a"))), "Rotating, authority of 1");
        let seen = script.unanswered(failure);
        assert_eq!(seen.starts_with("NoIdentity, "), is_left, "{seen}");
        script.wait();
        let next = if is_left { "authority of anybody" } else { "authority of 1" };
        assert_eq!(script.loaded(pair(), Some(token("a"))), next);
    }
}

/// The own clock was wrong, somebody lied about the time, and then the clock was put right.
#[test]
fn a_lie_about_the_time_counts_no_more_once_the_own_clock_allows_the_pair() {
    let pair = || Some(certificate(START - YEAR, START + YEAR));
    let mut script = Script::new();
    script.wall = START + 2 * YEAR;
    assert_eq!(script.loaded(pair(), None), "authority of anybody");
    // Valid for a second only, if it is true.
    let lie = Some(UnixMillis((START + YEAR - 1) * 1000));
    assert!(script.answered(Answer { date: lie, ..authority(CA) }).ends_with("Usable, use"));
    script.wall = START;
    assert_eq!(script.wait(), "load");
    assert_eq!(script.loaded(pair(), None), "", "it is used further on");
    assert_eq!(script.identity.state(), IdentityState::Usable);
    assert_eq!(script.identity.health().clock_ahead_ms, None);
}

/// By the time of a `Use` or a `Write` somebody may have put other files there.
#[test]
fn what_is_used_or_replaced_is_named_by_when_it_was_read_or_written() {
    let mut script = Script::new();
    let read = script.work;
    script.loaded(None, Some(token("a")));
    script.answered(authority(CA));
    script.key_made();
    script.answered(signed(certificate(START - 3600, START + YEAR)));
    assert_eq!(script.replaced, Some(read));
    let written = script.work;
    script.written();
    assert_eq!(script.used, Some(written));
    while script.wait() != "load" {}
    let read = script.work;
    assert_eq!(script.loaded(Some(certificate(START, START + 2 * YEAR)), None), "Usable, use");
    assert_eq!(script.used, Some(read));
    // Whoever gives a token by hand means it, whatever has happened since.
    let mut script = Script::with(|config| config.token_decides = true);
    script.loaded(None, Some(token("a")));
    script.answered(authority(CA));
    script.key_made();
    script.answered(signed(certificate(START - 3600, START + YEAR)));
    assert_eq!(script.replaced, None);
}

#[test]
fn who_vouches_for_the_servers_can_be_given_with_a_token() {
    let mut script = Script::with(|config| config.servers = vec![Bytes::from_static(b"company")]);
    script.loaded(None, Some(token("a")));
    assert_eq!(script.answered(authority(CA)), "CaPinned, key");
    assert_eq!(script.key_made(), "Requested, join of 2");
    // It signs no nodes.
    let of = |der: &'static [u8]| Some(Authority { digest: digest(der), der: Bytes::from_static(der) });
    let good = certificate(START - 3600, START + YEAR);
    let seen = script.answered(signed(Certificate { signed_by: of(b"company"), ..good.clone() }));
    assert!(seen.contains("not signed by the cloud's authority"), "{seen}");
    script.wait();
    script.loaded(None, Some(token("a")));
    script.answered(authority(CA));
    script.key_made();
    assert_eq!(script.answered(signed(good)), "write 2");
}

/// The clock was wrong for a while, and meanwhile somebody has put a stranger's pair there, or none: the one that links are opened
/// with is still the better one.
#[test]
fn what_is_in_use_is_not_left_for_something_worse_because_of_a_clock_that_was_wrong() {
    for found in [Some(of_unknown_authority()), None] {
        let mut script = Script::joined();
        let used = script.used;
        script.wall = START + 2 * YEAR;
        while !script.wait().contains("load") {}
        script.loaded(found.clone(), None);
        assert!(!script.loaded(found.clone(), None).contains("use"));
        script.unanswered(Failure::Unreachable("no route".into()));
        assert!(!script.identity.state().is_usable());
        script.wall = START + 100;
        while script.wait() != "load" {}
        assert_eq!(script.loaded(found, None), "Usable, use");
        assert_eq!(script.used, used);
    }
}

/// The cloud takes neither the pair nor the token: both have their turns, and nothing comes and goes meanwhile.
#[test]
fn a_strangers_pair_and_a_token_of_another_cloud_come_to_rest() {
    let pair = || Some(of_unknown_authority());
    let of_another = || JoinToken::parse(&format!("{}.a.b.c", digest(b"another"))).ok();
    let mut script = on_trial(of_another());
    assert!(script.unanswered(untrusted()).starts_with("NoIdentity, "));
    for round in 0..4 {
        assert_eq!(script.wait(), "load");
        assert_eq!(script.loaded(pair(), of_another()), "authority of anybody");
        let seen = script.answered(authority(CA));
        assert!(seen.contains("the token is for another cloud") && !seen.contains("use"), "{seen}");
        assert_eq!(seen.starts_with("NeedsToken, "), round == 0, "{seen}");
        assert!(script.identity.health().command.is_some());
        assert_eq!(script.wait(), "load");
        assert_eq!(script.loaded(pair(), of_another()), "authority of 1", "it may have been somebody else");
        let seen = script.unanswered(untrusted());
        assert!(seen.starts_with("the token is for another cloud"), "what helps is said further on: {seen}");
    }
    // The cloud is back, and takes the pair.
    script.wait();
    script.loaded(pair(), of_another());
    script.unanswered(Failure::Unreachable("no route".into()));
    script.wait();
    script.loaded(pair(), of_another());
    assert_eq!(script.answered(authority(CA)), "key");
    assert_eq!(script.key_made(), "renew of 1");
    assert_eq!(script.answered(signed(certificate(START, START + YEAR))), "write 1");
    assert_eq!(script.written(), "Usable, use");
}

/// It was not taken while nobody but a stranger said that it is valid; now the own clock says so.
#[test]
fn a_pair_that_was_doubted_on_hearsay_is_used_once_the_own_clock_allows_it() {
    let pair = || Some(certificate(START - YEAR, START + YEAR));
    let mut script = Script::new();
    script.wall = START + 2 * YEAR;
    script.loaded(pair(), Some(token("a")));
    let date = Some(UnixMillis(START * 1000));
    assert!(script.answered(Answer { date, ..authority(CA) }).ends_with("Usable, use"));
    script.wait();
    assert_eq!(script.loaded(pair(), Some(token("a"))), "Rotating, authority of 1");
    assert!(script.unanswered(untrusted()).starts_with("NoIdentity, "));
    script.wall = START + 100;
    script.wait();
    assert_eq!(script.loaded(pair(), Some(token("a"))), "Usable, use");
}

/// What the disk does says nothing of the pair.
#[test]
fn a_pair_that_the_cloud_takes_again_is_used_though_the_next_one_cannot_be_written() {
    let pair = || Some(of_unknown_authority());
    let mut script = on_trial(Some(token("a")));
    script.unanswered(untrusted());
    script.wait();
    script.loaded(pair(), Some(token("a")));
    script.unanswered(Failure::Unreachable("no route".into()));
    script.wait();
    assert_eq!(script.loaded(pair(), Some(token("a"))), "authority of 1");
    script.answered(authority(CA));
    script.key_made();
    assert_eq!(script.answered(signed(certificate(START, START + YEAR))), "write 1");
    script.say(IdentityInput::Failed { work: script.work, why: "no space".into() });
    script.wait();
    assert_eq!(script.loaded(pair(), Some(token("a"))), "Usable, use");
}

/// Only a stranger said that the pair is valid, and whoever did not take it need not have been the cloud: it has its turn again.
#[test]
fn a_pair_on_hearsay_has_its_turn_again_after_the_token() {
    let pair = || Some(certificate(START - YEAR, START + YEAR));
    let of_another = || JoinToken::parse(&format!("{}.a.b.c", digest(b"another"))).ok();
    let told = || Answer { date: Some(UnixMillis(START * 1000)), ..authority(CA) };
    let mut script = Script::new();
    script.wall = START + 2 * YEAR;
    script.loaded(pair(), of_another());
    script.answered(told());
    script.wait();
    script.loaded(pair(), of_another());
    assert!(script.unanswered(untrusted()).starts_with("NoIdentity, "));
    script.wait();
    assert_eq!(script.loaded(pair(), of_another()), "authority of anybody");
    assert!(script.answered(told()).starts_with("NeedsToken, "));
    script.wait();
    assert_eq!(script.loaded(pair(), of_another()), "authority of 1");
}

/// The cloud signs from its present moment on, and this clock is a few seconds behind: too little to be told.
#[test]
fn a_clock_that_is_some_seconds_behind_keeps_nobody_out() {
    let date = |script: &Script| Some(UnixMillis((script.wall + 4) * 1000));
    let mut script = Script::new();
    script.loaded(None, Some(token("a")));
    let answer = Answer { date: date(&script), ..authority(CA) };
    assert_eq!(script.answered(answer), "CaPinned, key");
    script.key_made();
    let begin = script.wall + 4;
    let answer = Answer { date: date(&script), ..signed(certificate(begin, begin + YEAR)) };
    assert_eq!(script.answered(answer), "write 1");
    assert_eq!(script.written(), "Usable, use");
    assert_eq!(script.wait_for_something(), "Rotating, authority of 1", "and it stays in use");
}
