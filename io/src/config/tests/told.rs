//! What is told of files, and what never is.

use super::*;
use proptest::prelude::*;

#[test]
fn a_key_of_several_lines_is_told_in_one() {
    let (_, warnings) = good(&format!("{EDGECORE}\"a\\nb\": 1\n"));
    assert_eq!(warnings, ["a\\nb: unknown key; it changes nothing"]);
}

#[test]
fn unknown_keys_are_told_with_their_path() {
    let text = "
modules:
  edged: {hostnameOverride: edge-1, unknown: 1}
  unknown: {a: 1}
  edgeHub: {heartBeat: 3, hartbeat: 4, websocket: {a: 1}, quic: {b: 1}}
edgehub: {pingIntervall: 3, backoff: {c: 1}, outbox: {d: 1}}
unknown: 1
";
    let (config, warnings) = good(text);
    assert_eq!(config.heartbeat, seconds(3));
    let mut paths: Vec<_> = warnings.iter().map(|warning| warning.split(':').next().unwrap()).collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        [
            "edgehub.backoff.c",
            "edgehub.outbox.d",
            "edgehub.pingIntervall",
            "modules.edgeHub.hartbeat",
            "modules.edgeHub.quic.b",
            "modules.edgeHub.websocket.a",
            "modules.unknown",
            "unknown",
        ]
    );
    let (_, warnings) = good(
        &CLASSIC
            .replace("ssl-cipher", "cipher")
            .replace("refresh-interval", "refresh")
            .replace("mqtt:", "mqqt:"),
    );
    assert_eq!(warnings.len(), 3, "{warnings:?}");
}

#[test]
fn deadlines_that_change_nothing_are_told() {
    let (_, warnings) = good(&EDGECORE.replacen("readDeadline: 15", "readDeadline: 20", 1));
    let says = "changes nothing: a link ends when its pings go unanswered (edgehub.pingInterval, edgehub.pingMisses)";
    assert_eq!(warnings, [format!("modules.edgeHub.quic.readDeadline: {says}")]);
    let (_, warnings) = good(&CLASSIC.replacen("write-deadline: 15", "write-deadline: 16", 1));
    assert_eq!(warnings, [format!("edgehub.websocket.write-deadline: {says}")]);
    check_bad(
        &EDGECORE.replacen("readDeadline: 15", "readDeadline: -1", 1),
        &["modules.edgeHub.quic.readDeadline: expected a positive number of seconds, found -1"],
    );
}

#[test]
fn every_problem_is_listed_at_once() {
    check_bad(
        "
apiVersion: v1
kind: CloudCore
modules:
  edged: {hostnameOverride: 'edge 1'}
  edgeHub:
    enable: maybe
    heartbeat: x
    messageQPS: 0
    messageBurst: 2147483648
    projectID: [1]
    httpServer: http://h:1
    tlsCaFile: {}
    websocket: {server: 'wss://h:1', handshakeTimeout: 0}
    quic: {enable: true, readDeadline: []}
edgehub:
  pingMisses: 0
  backoff: {base: 5, max: 4}
  outbox: 3
",
        &[
            "kind: expected EdgeCore, found \"CloudCore\"; this is another program's file",
            "apiVersion: expected edgecore.config.kubeedge.io/v1alpha2, found \"v1\"",
            "modules.edged.hostnameOverride: expected ASCII letters, digits and -._~ only, found \"edge 1\"",
            "modules.edgeHub.enable: expected true or false, found \"maybe\"",
            "modules.edgeHub.websocket.server: expected HOST:PORT, found \"wss://h:1\"",
            "modules.edgeHub.websocket.handshakeTimeout: expected a positive number of seconds, found 0",
            "modules.edgeHub.quic.readDeadline: expected a positive number of seconds, found a list",
            "modules.edgeHub.tlsCaFile: expected text, found a mapping; put it in quotes",
            "modules.edgeHub.projectID: expected text, found a list; put it in quotes",
            "modules.edgeHub.heartbeat: expected a positive number of seconds, found \"x\"",
            "modules.edgeHub.messageQPS: expected a whole number from 1 to 2147483647, found 0",
            "modules.edgeHub.messageBurst: expected a whole number from 1 to 2147483647, found 2147483648",
            "modules.edgeHub.httpServer: expected https://HOST:PORT, found \"http://h:1\"",
            "edgehub.outbox: expected a mapping, found 3",
            "edgehub.pingMisses: expected a whole number from 1 to 1000, found 0",
            "edgehub.backoff.base: expected at most backoff.max (4 s), found 5 s",
        ],
    );
    check_bad(
        &format!(
            "modules: {{edged: {{hostnameOverride: e}}, edgeHub: {{httpServer: [{}x]}}}}",
            "'https://a:1', ".repeat(16)
        ),
        &[
            "modules.edgeHub.httpServer: expected https://HOST:PORT, found \"x\"",
            "modules.edgeHub.httpServer: expected at most 16 services, found more",
        ],
    );
    check_bad(
        "edgehub: {controller: {heartbeat: -1}, websocket: {url: 'ws://h:1'}}",
        &[
            "edgehub.controller.node-id: expected the node's name, found nothing",
            "edgehub.websocket.url: the address `ws://h:1` cannot be used: the scheme must be `wss` and is `ws`",
            "edgehub.controller.heartbeat: expected a positive number of seconds, found -1",
        ],
    );
    check_bad(
        "edgehub: {controller: {node-id: []}, websocket: {url: {}}}",
        &[
            "edgehub.websocket.url: expected text, found a mapping; put it in quotes",
            "edgehub.controller.node-id: expected text, found a list; put it in quotes",
        ],
    );
    check_bad(
        "edgehub: {controller: {protocol: quic, node-id: edge-1}, quic: {url: 'h'}}",
        &["edgehub.quic.url: expected HOST:PORT, found \"h\""],
    );
    check_bad(
        "edgehub: {controller: {node-id: edge-1}}",
        &["edgehub.websocket.url: expected wss://HOST:PORT/PROJECT/NODE/events, found nothing"],
    );
}

#[test]
fn what_is_no_configuration_is_told_in_one_line() {
    check_bad("", &["the file is empty"]);
    check_bad("hello", &["expected a mapping of sections, found something else"]);
    for text in ["a: [", "a: 1\na: 2", "{", "\t", "a: &x [*x]"] {
        let errors = NodeConfig::from_yaml(text).unwrap_err().to_string();
        assert_eq!(errors.lines().count(), 1, "{errors}");
    }
    let both = format!("{CLASSIC}\nmodules: {{edgeHub: {{}}}}");
    let errors = NodeConfig::from_yaml(&both).unwrap_err().to_string();
    assert!(errors.contains("keep one of them"), "{errors}");
}

#[test]
fn a_file_is_named_in_what_is_told_about_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("edgecore.yaml");
    let missing = NodeConfig::load(&path).unwrap_err().to_string();
    assert!(missing.contains("edgecore.yaml: cannot be read"), "{missing}");
    fs::write(&path, EDGECORE.replace("heartbeat: 15", "heartbeat: x")).unwrap();
    let bad = NodeConfig::load(&path).unwrap_err().to_string();
    assert!(bad.contains("edgecore.yaml: modules.edgeHub.heartbeat: expected a positive number"), "{bad}");
    fs::write(&path, EDGECORE).unwrap();
    assert_eq!(NodeConfig::load(&path).unwrap().0, good(EDGECORE).0);
}

#[test]
fn a_token_is_not_shown() {
    let (config, _) = good(EDGECORE);
    assert!(!format!("{config:?}").contains("secret"));
    assert_eq!(config.token.unwrap().reveal(), "secret.a.b.c");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = NodeConfig::from_yaml(&text);
    }

    /// One line of a good file is replaced by anything: the reader's own code sees values of every kind.
    #[test]
    fn no_line_makes_it_panic(
        file in prop_oneof![Just(EDGECORE), Just(CLASSIC)],
        line in any::<prop::sample::Index>(),
        value in prop_oneof![
            Just("null"), Just("[]"), Just("{}"), Just("-1"), Just("1e308"), Just("99999999999999999999"),
            Just("''"), Just("\"\\0\""), Just("true"), Just("~"), Just("*a"), Just("&a b"), Just("0755"),
        ],
    ) {
        let mut lines: Vec<String> = file.lines().map(str::to_owned).collect();
        let line = line.index(lines.len());
        let key = lines[line].split(':').next().unwrap_or_default().to_owned();
        lines[line] = format!("{key}: {value}");
        if let Err(errors) = NodeConfig::from_yaml(&lines.join("\n")) {
            prop_assert!(!errors.problems.is_empty());
        }
    }

    /// Whatever good values a file has, they arrive.
    #[test]
    fn good_values_arrive(
        node in "[a-z][a-z0-9.-]{0,20}",
        heartbeat in 1u64..100_000,
        qps in 1u32..1_000_000,
        port in 1u16..,
    ) {
        let text = EDGECORE
            .replace("hostnameOverride: edge-1", &format!("hostnameOverride: '{node}'"))
            .replace("heartbeat: 15", &format!("heartbeat: {heartbeat}"))
            .replace("messageQPS: 30", &format!("messageQPS: {qps}"))
            .replace("server: 192.0.2.1:10000", &format!("server: 192.0.2.1:{port}"));
        let (config, warnings) = NodeConfig::from_yaml(&text).unwrap();
        prop_assert_eq!(warnings, vec![]);
        prop_assert_eq!(config.node_name, node);
        prop_assert_eq!(config.heartbeat, seconds(heartbeat));
        prop_assert_eq!(config.message_qps, qps);
        prop_assert_eq!(config.websocket.addresses, vec![format!("wss://192.0.2.1:{port}")]);
    }
}
