//! With a token.

use super::*;

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
