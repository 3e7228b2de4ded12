//! KubeEdge's `edgecore.yaml`.

use super::*;

#[test]
fn kubeedges_own_file_is_read_as_it_is() {
    let (config, warnings) = good(EDGECORE);
    assert_eq!(warnings, [""; 0]);
    let times =
        |addresses: &str| LaneConfig { addresses: vec![addresses.into()], handshake_timeout: seconds(30) };
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
        http_servers: vec!["https://192.0.2.1:10002".into()],
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
    full.http_servers.clear();
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
    for servers in ["['https://a:1', 'https://b:2/']", "'https://a:1, https://b:2/'"] {
        let (config, _) =
            good(&format!("modules: {{edged: {{hostnameOverride: e}}, edgeHub: {{httpServer: {servers}}}}}"));
        assert_eq!(config.http_servers, ["https://a:1", "https://b:2/"]);
    }
    let (config, _) =
        good("modules: {edged: {hostnameOverride: e}, edgeHub: {websocket: {server: 'a:1, b:2'}}}");
    assert_eq!(config.websocket.addresses, ["wss://a:1", "wss://b:2"]);
    assert_eq!(config.websocket_targets().len(), 2);
}

#[test]
fn a_switched_off_edge_hub_is_odd() {
    let (_, warnings) = good("modules: {edged: {hostnameOverride: e}, edgeHub: {enable: false}}");
    assert!(warnings[0].starts_with("modules.edgeHub.enable: false"), "{warnings:?}");
}

#[test]
fn exactly_one_lane_is_enabled() {
    check_bad(
        "modules: {edged: {hostnameOverride: e}, edgeHub: {websocket: {enable: false}}}",
        &["modules.edgeHub.websocket.enable: neither websocket nor quic is enabled; enable one"],
    );
}
