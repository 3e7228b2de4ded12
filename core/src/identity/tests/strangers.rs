//! A pair whose authority is not beside it.

use super::*;

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
