//! What others do to the files.

use super::*;

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
