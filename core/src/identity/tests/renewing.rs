//! A life after the other.

use super::*;

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
