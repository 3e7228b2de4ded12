//! Several certificate services.

use super::*;

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
