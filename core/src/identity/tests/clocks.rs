//! Which time it is, and who says so.

use super::*;

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
