//! The configuration of late 2019.

use super::*;

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
