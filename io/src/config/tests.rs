//! Whole configurations of both dialects: what they become, and everything that is told about bad ones.

use proptest::prelude::*;

use super::*;
use edgehub_core::class::{Class, Classes, Delivery, Kind, Overflow, Rule};

/// What KubeEdge writes for a node, as far as it matters here, with sections of its other modules around it.
const EDGECORE: &str = "
apiVersion: edgecore.config.kubeedge.io/v1alpha2
kind: EdgeCore
database:
  aliasName: default
  dataSource: /var/lib/kubeedge/edgecore.db
featureGates: {requireAuthorization: false}
modules:
  deviceTwin: {enable: true}
  edgeHub:
    enable: true
    heartbeat: 15
    httpServer: https://192.0.2.1:10002
    messageBurst: 60
    messageQPS: 30
    projectID: e632aba927ea4ac2b575ec1603d56f10
    quic:
      enable: false
      handshakeTimeout: 30
      readDeadline: 15
      server: 192.0.2.1:10001
      writeDeadline: 15
    rotateCertificates: true
    tlsCaFile: /etc/kubeedge/ca/rootCA.crt
    tlsCertFile: /etc/kubeedge/certs/server.crt
    tlsPrivateKeyFile: /etc/kubeedge/certs/server.key
    token: \"secret.a.b.c\"
    websocket:
      enable: true
      handshakeTimeout: 30
      readDeadline: 15
      server: 192.0.2.1:10000
      writeDeadline: 15
  edged:
    hostnameOverride: edge-1
    tailoredKubeletConfig: {cgroupDriver: systemd}
  eventBus: {mqttMode: 2}
  metaManager: {enable: true}
";

const CLASSIC: &str = "
mqtt: {server: 'tcp://127.0.0.1:1883'}
edgehub:
  websocket:
    url: wss://192.0.2.1:10000/e632aba927ea4ac2b575ec1603d56f10/edge-1/events
    certfile: /etc/kubeedge/certs/edge.crt
    keyfile: /etc/kubeedge/certs/edge.key
    handshake-timeout: 40
    write-deadline: 16
    read-deadline: 17
    ssl-cipher: any
  quic:
    url: 192.0.2.1:10001
    cafile: /quic/ca.crt
    certfile: /quic/edge.crt
    keyfile: /quic/edge.key
    handshake-timeout: 31
    write-deadline: 11
    read-deadline: 12
  controller:
    protocol: websocket
    heartbeat: 20
    refresh-interval: 10
    auth-info-files-path: /var/IEF/secret
    placement-url: https://192.0.2.1:7444/v1
    project-id: e632aba927ea4ac2b575ec1603d56f10
    node-id: edge-1
";

fn good(text: &str) -> (NodeConfig, Vec<String>) {
    let (config, warnings) = NodeConfig::from_yaml(text).unwrap();
    (config, warnings.iter().map(ToString::to_string).collect())
}

/// Expects exactly these problems, one a line.
fn check_bad(text: &str, expected: &[&str]) {
    let errors = NodeConfig::from_yaml(text).unwrap_err().to_string();
    assert_eq!(errors.lines().collect::<Vec<_>>(), expected, "{text}");
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn kubeedges_own_file_is_read_as_it_is() {
    let (config, warnings) = good(EDGECORE);
    assert_eq!(warnings, [""; 0]);
    let times = |addresses: &str| LaneConfig {
        addresses: vec![addresses.into()],
        handshake_timeout: seconds(30),
        read_deadline: seconds(15),
        write_deadline: seconds(15),
    };
    let expected = NodeConfig {
        profile: Profile::Current,
        node_name: "edge-1".into(),
        project_id: DEFAULT_PROJECT_ID.into(),
        lane: Lane::WebSocket,
        websocket: times("wss://192.0.2.1:10000"),
        quic: times("192.0.2.1:10001"),
        heartbeat: seconds(15),
        files: default_files(),
        message_qps: 30,
        message_burst: 60,
        rotate_certificates: true,
        token: Some(Token::new("secret.a.b.c")),
        http_server: Some("https://192.0.2.1:10002".into()),
        hub: HubConfig::default(),
    };
    assert_eq!(config, expected);
    let [target] = config.websocket_targets().try_into().unwrap();
    assert_eq!(target, Target::new("wss://192.0.2.1:10000", DEFAULT_PROJECT_ID, "edge-1"));
    assert_eq!(config.active_lane(), &config.websocket);
}

#[test]
fn what_the_file_leaves_out_is_kubeedges_default() {
    let (config, warnings) = good("modules: {edged: {hostnameOverride: edge-1}}");
    assert_eq!(warnings, [""; 0]);
    let (mut full, _) = good(EDGECORE);
    full.websocket.addresses = vec!["wss://127.0.0.1:10000".into()];
    full.quic.addresses = vec!["127.0.0.1:10001".into()];
    full.token = None;
    full.http_server = None;
    assert_eq!(config, full);
}

#[test]
fn a_node_without_a_name_is_this_machine() {
    let (config, warnings) = good("modules: {edgeHub: {heartbeat: 5}}");
    assert!(!config.node_name.is_empty());
    let [warning] = warnings.try_into().unwrap();
    assert!(warning.starts_with("modules.edged.hostnameOverride: not set"), "{warning}");
}

#[test]
fn our_own_settings_sit_in_the_same_file() {
    let own = "
edgehub:
  pingInterval: 0.5
  pingMisses: 4
  backoff: {base: 2, max: 3}
  outbox: {messages: 5, bytes: 6}
  syncTimeout: 7
  confirm: {messages: 9, time: 0.25, limit: 100}
  stallLimit: 11
  recorder: {path: /srv/edgehub, memory: 8, contents: true, files: 4, fileBytes: 70000}
  acknowledge: {resource: hub, twin: module}
  duplicateWindow: {messages: 0, time: 8}
  journal: {dir: /var/lib/x, bytes: 50000000, classes: [telemetry], memory: 4096}
";
    let mut classes = Classes::default();
    classes.classes[3].persistent = true;
    let expected = HubConfig {
        classes,
        ping_interval: Duration::from_millis(500),
        ping_misses: 4,
        backoff_base: seconds(2),
        backoff_max: seconds(3),
        outbox_messages: 5,
        outbox_bytes: 6,
        sync_timeout: seconds(7),
        confirm: ConfirmConfig { messages: 9, time: Duration::from_millis(250), limit: seconds(100) },
        stall_limit: seconds(11),
        recorder: Some(RecorderConfig {
            path: "/srv/edgehub".into(),
            memory: 8,
            contents: true,
            files: 4,
            file_bytes: 70_000,
        }),
        acknowledged_by_hub: vec!["resource"],
        journal: Some(JournalConfig {
            dir: "/var/lib/x".into(),
            bytes: 50_000_000,
            classes: vec!["telemetry".into()],
            memory: 4096,
            set_aside: false,
        }),
        duplicate_messages: 0,
        duplicate_time: seconds(8),
        ..HubConfig::default()
    };
    let (config, warnings) = good(&format!("{EDGECORE}{own}"));
    assert_eq!((config.hub, warnings), (expected.clone(), vec![]));
    assert_eq!(config.profile, Profile::Current);
    let in_classic = own.replace("edgehub:\n", "");
    let (config, warnings) = good(&format!("{CLASSIC}{in_classic}"));
    assert_eq!((config.hub, warnings), (expected, vec![]));
    assert_eq!(config.profile, Profile::Classic);
}

#[test]
fn the_other_lane_and_several_servers() {
    let (config, warnings) = good(
        "
modules:
  edged: {hostnameOverride: edge-1}
  edgeHub:
    projectID: p
    websocket: {enable: false, server: unused}
    quic: {enable: true, server: ['a:1', 'b:2']}
",
    );
    assert_eq!(warnings, [""; 0]);
    assert_eq!(config.lane, Lane::Quic);
    assert_eq!(config.active_lane().addresses, ["a:1", "b:2"]);
    let (config, _) =
        good("modules: {edged: {hostnameOverride: e}, edgeHub: {websocket: {server: 'a:1, b:2'}}}");
    assert_eq!(config.websocket.addresses, ["wss://a:1", "wss://b:2"]);
    assert_eq!(config.websocket_targets().len(), 2);
}

#[test]
fn the_file_of_2019_is_read_as_it_is() {
    let (config, warnings) = good(CLASSIC);
    assert_eq!(warnings, [""; 0]);
    assert_eq!(config.profile, Profile::Classic);
    assert_eq!((config.node_name.as_str(), config.project_id.as_str()), ("edge-1", DEFAULT_PROJECT_ID));
    assert_eq!(config.lane, Lane::WebSocket);
    assert_eq!(
        config.websocket,
        LaneConfig {
            addresses: vec![format!("wss://192.0.2.1:10000/{DEFAULT_PROJECT_ID}/edge-1/events")],
            handshake_timeout: seconds(40),
            read_deadline: seconds(17),
            write_deadline: seconds(16),
        }
    );
    assert_eq!(config.files.ca, Path::new("/etc/kubeedge/ca/rootCA.crt"));
    assert_eq!(config.files.certificate, Path::new("/etc/kubeedge/certs/edge.crt"));
    assert_eq!(config.heartbeat, seconds(20));
    assert_eq!(config.hub.sync_timeout, seconds(20), "one heartbeat");
    assert!(!config.rotate_certificates);
}

#[test]
fn the_protocol_of_2019_chooses_lane_and_files() {
    let (config, warnings) = good(&CLASSIC.replace("protocol: websocket", "protocol: quic"));
    assert_eq!(warnings, [""; 0]);
    assert_eq!(config.lane, Lane::Quic);
    assert_eq!(config.active_lane().addresses, ["192.0.2.1:10001"]);
    assert_eq!(config.files.ca, Path::new("/quic/ca.crt"));
    assert_eq!(config.files.key, Path::new("/quic/edge.key"));
    check_bad(
        &CLASSIC.replace("protocol: websocket", "protocol: mqtt"),
        &["edgehub.controller.protocol: expected websocket, quic or auto, found \"mqtt\""],
    );
}

#[test]
fn both_lanes_make_a_choice() {
    let (config, _) = good(&CLASSIC.replace("protocol: websocket", "protocol: auto"));
    assert_eq!(config.lane, Lane::Auto);
    let urls: Vec<_> = config.targets().into_iter().map(|target| target.url).collect();
    assert_eq!(urls[0], "quic://192.0.2.1:10001");
    assert!(urls.len() == 2 && urls[1].starts_with("wss://"), "{urls:?}");
    let (config, _) =
        good("modules: {edged: {hostnameOverride: e}, edgeHub: {quic: {enable: true, server: 'h:1'}}}");
    assert_eq!((config.lane, config.targets().len()), (Lane::Auto, 2));
}

#[test]
fn the_url_of_2019_names_project_and_node() {
    let (config, _) = good("edgehub: {websocket: {url: 'wss://h:1/p/n/events'}}");
    assert_eq!((config.project_id.as_str(), config.node_name.as_str()), ("p", "n"));
    let (_, warnings) = good(&CLASSIC.replace("node-id: edge-1", "node-id: edge-2"));
    assert_eq!(warnings, ["edgehub.controller.node-id: \"edge-2\", but the url names the node \"edge-1\""]);
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
        ]
    );
    let (_, warnings) = good(&CLASSIC.replace("ssl-cipher", "cipher").replace("refresh-interval", "refresh"));
    assert_eq!(warnings.len(), 2, "{warnings:?}");
}

#[test]
fn a_switched_off_edge_hub_is_odd() {
    let (_, warnings) = good("modules: {edged: {hostnameOverride: e}, edgeHub: {enable: false}}");
    assert!(warnings[0].starts_with("modules.edgeHub.enable: false"), "{warnings:?}");
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
fn exactly_one_lane_is_enabled() {
    check_bad(
        "modules: {edged: {hostnameOverride: e}, edgeHub: {websocket: {enable: false}}}",
        &["modules.edgeHub.websocket.enable: neither websocket nor quic is enabled; enable one"],
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

/// A key that is there and says nothing is as good as one that is not there.
#[test]
fn blank_keys_of_the_classic_dialect_are_told() {
    let file = |url: &str, node: &str| {
        format!("edgehub: {{websocket: {{url: {url}}}, controller: {{node-id: {node}}}}}")
    };
    let no_url = "edgehub.websocket.url: expected wss://HOST:PORT/PROJECT/NODE/events, found nothing";
    for url in ["''", "','", "[]", "!"] {
        check_bad(&file(url, "edge-1"), &[no_url]);
    }
    let no_node = "edgehub.controller.node-id: expected the node's name, found nothing";
    check_bad(&file("wss://192.0.2.1:10000", "' '"), &[no_node]);
}

/// The classes of a file with this text in its section `edgehub`.
fn classes_of(section: &str) -> Classes {
    let (config, warnings) = good(&format!("{EDGECORE}edgehub:\n{section}"));
    assert_eq!(warnings, [""; 0]);
    config.hub.classes
}

#[test]
fn at_most_once_is_one_line() {
    let classes = classes_of("  classes: {telemetry: {delivery: at-most-once}}\n");
    let mut expected = Classes::default();
    expected.classes[3].delivery = Delivery::AtMostOnce;
    assert_eq!(classes, expected);
}

#[test]
fn every_field_of_classes_and_rules_can_be_set() {
    let classes = classes_of(
        "  journal: {dir: /j}
  classes:
    state: {persistent: false}
    alarms:
      priority: 9
      delivery: at-most-once
      timeToLive: 1.5
      messages: 100
      bytes: 100000
      overflow: reject
      coalesce: true
      persistent: true
      deadLetters: true
      messageBytes: 1000
      rateLimited: false
  rules:
    - {kind: request, group: g, source: s, operation: o, resource: r/*, class: alarms}
    - {class: state}
  otherwise: alarms
",
    );
    let mut expected = Classes::default();
    expected.classes[3].persistent = true;
    expected.classes.push(Class {
        name: "alarms".into(),
        priority: 9,
        delivery: Delivery::AtMostOnce,
        time_to_live: Some(Duration::from_millis(1500)),
        messages: Some(100),
        bytes: Some(100_000),
        overflow: Overflow::Reject,
        coalesce: true,
        persistent: true,
        dead_letters: true,
        message_bytes: Some(1000),
        rate_limited: false,
    });
    expected.otherwise = 4;
    let own = Rule {
        kind: Some(Kind::Request),
        group: Some("g".into()),
        source: Some("s".into()),
        operation: Some("o".into()),
        resource: Some("r/*".into()),
        class: 4,
    };
    expected.rules.splice(0..0, [own, Rule { class: 2, ..Rule::default() }]);
    assert_eq!(classes, expected);
}

#[test]
fn dead_letters_lie_beside_the_journal() {
    let letters = |section: &str| good(&format!("{EDGECORE}edgehub:\n{section}")).0.hub.letters;
    let class = "  classes: {state: {deadLetters: true}}\n";
    let with = |rest: &str| letters(&format!("{class}{rest}"));
    let expected = |dir: &str, bytes| Some(LettersConfig { dir: dir.into(), bytes, set_aside: false });
    assert_eq!(with("  journal: {dir: /j}\n"), expected("/j/dead-letters", 16 << 20));
    assert_eq!(with("  deadLetters: {dir: /l, bytes: 50000}\n"), expected("/l", 50_000));
    assert_eq!(letters("  journal: {dir: /j}\n"), None, "no class asks for them");
}

#[test]
fn bad_classes_are_all_told_at_once() {
    check_bad(
        &format!(
            "{EDGECORE}edgehub:
  classes:
    state: {{priority: 256, delivery: twice, persistent: true}}
    alarms: {{timeToLive: 0, messages: 0, overflow: explode, deadLetters: 1}}
    other: 5
    telemetry: {{messageBytes: 33554433, deadLetters: true}}
  rules:
    - {{group: [], class: nobody}}
    - {{kind: question}}
    - 7
  otherwise: nothing
"
        ),
        &[
            "edgehub.classes.other: expected a mapping, found 5",
            "edgehub.classes.alarms.timeToLive: expected a positive number of seconds, found 0",
            "edgehub.classes.alarms.messages: expected a whole number from 1 to 10000000, found 0",
            "edgehub.classes.alarms.overflow: expected one of drop-oldest, drop-newest, reject, found \"explode\"",
            "edgehub.classes.alarms.deadLetters: expected true or false, found 1",
            "edgehub.classes.state.priority: expected a whole number from 0 to 255, found 256",
            "edgehub.classes.state.delivery: expected one of at-least-once, at-most-once, found \"twice\"",
            "edgehub.classes.telemetry.messageBytes: expected a whole number from 1 to 33554432, found 33554433",
            "edgehub.rules[2]: expected a mapping, found 7",
            "edgehub.rules[0].group: expected text, found a list; put it in quotes",
            "edgehub.rules[0].class: expected one of the classes control, sync, state, telemetry, alarms, other, found \"nobody\"",
            "edgehub.rules[1].kind: expected one of answer, request, link-control, found \"question\"",
            "edgehub.rules[1].class: expected the name of a class, found nothing",
            "edgehub.rules[2].class: expected the name of a class, found nothing",
            "edgehub.otherwise: expected one of the classes control, sync, state, telemetry, alarms, other, found \"nothing\"",
            "edgehub.journal.dir: class state is persistent: expected a directory of this node's own, found nothing",
            "edgehub.deadLetters.dir: class telemetry has dead letters: expected a directory for them, or one for the journal, found nothing",
        ],
    );
    check_bad(&format!("{EDGECORE}edgehub:\n  rules: 3\n"), &["edgehub.rules: expected a list, found 3"]);
    let many: String = (0..13).map(|number| format!("    c{number}: {{}}\n")).collect();
    let told = "edgehub.classes: expected at most 16 classes, found";
    let errors = NodeConfig::from_yaml(&format!("{EDGECORE}edgehub:\n  classes:\n{many}")).unwrap_err();
    assert!(errors.to_string().starts_with(told), "{errors}");
}

#[test]
fn unknown_keys_of_classes_and_rules_are_told() {
    let section =
        "  classes: {state: {ttl: 3}}\n  rules: [{class: state, grup: g}]\n  deadLetters: {size: 3}\n";
    let (_, warnings) = good(&format!("{EDGECORE}edgehub:\n{section}"));
    let told = |path: &str| format!("{path}: unknown key; it changes nothing");
    let paths = ["edgehub.classes.state.ttl", "edgehub.rules[0].grup", "edgehub.deadLetters.size"];
    assert_eq!(warnings, paths.map(told));
}

#[test]
fn a_backlog_has_its_pace() {
    use edgehub_core::config::Drain;
    let drain = |section: &str| good(&format!("{EDGECORE}edgehub:\n  drain: {section}\n")).0.hub.drain;
    let set = Drain { per_second: 5, above: 7, spread: Duration::from_millis(500) };
    assert_eq!(drain("{rate: 5, above: 7, spread: 0.5}"), Some(set));
    assert_eq!(drain("{}"), HubConfig::default().drain);
    assert_eq!(drain("{rate: 0}"), None);
    check_bad(
        &format!("{EDGECORE}edgehub:\n  drain: {{rate: fast, above: -1, spread: 0}}\n"),
        &[
            "edgehub.drain.rate: expected a whole number from 0 to 4294967295, found \"fast\"",
            "edgehub.drain.above: expected a whole number from 0 to 10000000, found -1",
            "edgehub.drain.spread: expected a positive number of seconds, found 0",
        ],
    );
}

#[test]
fn a_session_is_asked_for_unless_told_otherwise() {
    use edgehub_core::Probe;
    let reach = |section: &str| good(&format!("{EDGECORE}edgehub:\n  {section}\n")).0.hub.reach;
    let seconds = Duration::from_secs;
    let set = Probe { after: seconds(5), limit: seconds(2), resource: "default/configmap/c".into() };
    assert_eq!(reach("probe: {after: 5, limit: 2, resource: default/configmap/c}").probe, Some(set));
    assert_eq!(reach("probe: {}").probe, Some(Probe::default()));
    assert_eq!(reach("probe: {enable: false}").probe, None);
    assert_eq!(reach("cloudKeepalive: 60").cloud_keepalive, seconds(60));
    check_bad(
        &format!("{EDGECORE}edgehub:\n  probe: {{after: 0, limit: soon}}\n"),
        &[
            "edgehub.probe.after: expected a positive number of seconds, found 0",
            "edgehub.probe.limit: expected a positive number of seconds, found \"soon\"",
        ],
    );
}

#[test]
fn several_servers_have_an_order() {
    use edgehub_core::config::{Choice, Endpoints};
    let endpoints =
        |section: &str| good(&format!("{EDGECORE}edgehub:\n  endpoints: {section}\n")).0.hub.reach.endpoints;
    let return_after = Duration::from_secs(60);
    let set = Endpoints { weights: vec![2, 1], choice: Choice::Weighted, return_after };
    assert_eq!(endpoints("{choice: weighted, weights: [2, 1], returnAfter: 60}"), set);
    assert_eq!(endpoints("{}"), Endpoints::default());
    check_bad(
        &format!("{EDGECORE}edgehub:\n  endpoints: {{choice: nearest, weights: [1, 0]}}\n"),
        &[
            "edgehub.endpoints.weights: expected up to 64 whole numbers from 1 on, one for each server, found [\"1\", \"0\"]",
            "edgehub.endpoints.choice: expected one of ordered, random, weighted, found \"nearest\"",
        ],
    );
}

#[test]
fn a_proxy_is_what_the_file_or_the_environment_says() {
    use crate::reach::{Proxy, ProxyChoice};
    let proxy = |section: &str| good(&format!("{EDGECORE}edgehub:\n  {section}\n")).0.hub.reach.proxy;
    let set = |except: &str| ProxyChoice::Proxy(Proxy::parse("http://u:p@proxy:1").unwrap(), except.into());
    assert_eq!(proxy("proxy: 'http://u:p@proxy:1'"), set(""));
    assert_eq!(proxy("{proxy: 'http://u:p@proxy:1', noProxy: [a, b]}"), set("a,b"));
    assert_eq!(proxy("proxy: none"), ProxyChoice::Direct);
    assert_eq!(proxy("pingMisses: 3"), ProxyChoice::Environment);
    check_bad(
        &format!("{EDGECORE}edgehub:\n  proxy: 'ftp://u:secret@p:1'\n"),
        &["edgehub.proxy: expected a proxy's URL with http:// or socks5://"],
    );
}
