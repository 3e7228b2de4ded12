//! What is said first, before the ends know each other, and what it gets where it breaks a rule.

use super::rogue::RawCloud;
use super::*;
use edgehub_core::limits::CONTROL_PACKAGE_BYTES_MAX;

/// A node that does this first, on an open connection, breaks that rule.
fn check(violation: Violation, first: impl AsyncFn(&Raw) -> Option<SendStream>) {
    smol::block_on(async {
        let bench = Bench::start();
        let neighbour = Neighbour::of(&bench).await;
        let raw = bench.raw(ALPN).await;
        let _open = first(&raw).await;
        let found = bench.next_session().await.map(drop);
        assert!(matches!(found, Err(QuicError::Violation(it)) if it == violation), "{found:?}");
        assert_eq!(raw.end().await, code(violation).into_inner());
        neighbour.lives_on().await;
    });
}

/// The same for one that says this.
fn check_words(violation: Violation, words: &[u8]) {
    check(violation, async |raw: &Raw| Some(raw.stream(words).await));
}

fn too_large(bytes: usize) -> Violation {
    Violation::PackageTooLarge { bytes, limit: CONTROL_PACKAGE_BYTES_MAX }
}

#[test]
fn a_first_word_that_breaks_a_rule_is_answered_by_its_code() {
    check_words(too_large(1 << 20), &Header { compressed: false, length: 1 << 20 }.to_bytes());
    check_words(Violation::ControlLane, &writing::package(&message(1, "")));
    check_words(Violation::PackageVersion { version: u32::from_be_bytes(*b"GET ") }, b"GET / HTTP");
    check_words(Violation::PackageFlags { flags: 0x80 }, &Header { compressed: true, length: 9 }.to_bytes());
}

/// Not the length alone: all of it is sent, and thrown away.
#[test]
fn a_header_of_a_megabyte_is_refused() {
    let json = format!("{{\"Node_id\":[\"{NODE}\"],\"X\":[\"{}\"]}}", "x".repeat(1 << 20));
    let content = Content::Text(&json);
    let hello =
        Draft { msg_id: "header", operation: "header", resource: "header", content, ..Draft::default() };
    let package = writing::package(&hello.encode().unwrap());
    check(too_large(package.len() - edgehub_core::package::HEADER_BYTES), async |raw: &Raw| {
        let (mut send, answers) = raw.connection.open_bi().await.unwrap();
        raw.answers.lock().unwrap().push(answers);
        // The server stops listening somewhere in the middle.
        let _ = send.write_all(&package).await;
        Some(send)
    });
}

#[test]
fn a_control_lane_that_closes_before_the_first_word_is_named() {
    check(Violation::ControlLaneClosed, async |raw: &Raw| {
        let hello = hello();
        let mut control = raw.stream(&hello[..hello.len() - 1]).await;
        control.finish().unwrap();
        Some(control)
    });
}

/// It opens a connection, and never says who it is.
#[test]
fn a_node_that_says_nothing_is_left() {
    // Long enough for a handshake.
    const LIMIT: Duration = Duration::from_secs(2);
    smol::block_on(async {
        let loopback = Loopback::new().unwrap();
        let tls = loopback.server_options().unwrap().tls;
        let bench = Bench::within(LIMIT, loopback, &tls, false);
        let neighbour = Neighbour::of(&bench).await;
        let raw = bench.raw(ALPN).await;
        let found = bench.next_session().await.map(drop);
        assert!(matches!(found, Err(QuicError::Timeout(LIMIT))), "{found:?}");
        assert_eq!(raw.end().await, code(Violation::StreamUse).into_inner());
        neighbour.lives_on().await;
    });
}

/// A cloud that answers a node's hello with this is left by the name of that rule.
fn check_answer(violation: Violation, answer: &[u8]) {
    smol::block_on(async {
        let cloud = RawCloud::start();
        let client = Client::new(&Config::default(), false);
        let node = client.open(cloud.target(), HANDSHAKE, cloud.tls());
        let answers = async {
            let mut node = cloud.accept().await;
            node.control.write_all(answer).await.unwrap();
            node.connection.closed().await
        };
        let (opened, ended) = zip(node, answers).await;
        assert!(matches!(opened, Err(QuicError::Violation(it)) if it == violation), "{opened:?}");
        let ConnectionError::ApplicationClosed(close) = ended else { panic!("{ended}") };
        assert_eq!(close.error_code, code(violation));
    });
}

#[test]
fn an_answer_that_breaks_a_rule_is_left_by_its_code() {
    check_answer(too_large(1 << 20), &Header { compressed: false, length: 1 << 20 }.to_bytes());
    check_answer(Violation::ControlLane, &hello());
    check_answer(Violation::PackageType { code: 3 }, &broken_header(4, 3)[MESSAGES.len()..]);
}
