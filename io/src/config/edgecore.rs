//! KubeEdge's `edgecore.yaml`: the section `modules.edgeHub`, and the node name of `modules.edged`.

use super::reader::{Section, is_host_and_port, lane_times};
use super::{
    DEFAULT_PROJECT_ID, HEARTBEAT, HubConfig, Lane, LaneConfig, NodeConfig, Profile, Token, default_files,
    extension,
};

use edgehub_core::identity::SERVICES_MAX;

const API_GROUP: &str = "edgecore.config.kubeedge.io/";
const TIMES: [&str; 3] = ["handshakeTimeout", "readDeadline", "writeDeadline"];
/// What else KubeEdge has in its file, for other programs than this one.
const OTHER_SECTIONS: &[&str] = &["database", "featureGates", "metadata"];
const OTHER_MODULES: &[&str] = &[
    "dbTest",
    "deviceTwin",
    "edgeMesh",
    "edgeStream",
    "eventBus",
    "metaManager",
    "serviceBus",
    "taskManager",
];
const RATE_MAX: u64 = i32::MAX as u64;

/// Reads the whole file. When the report has problems afterwards, the result is not to be used.
pub(super) fn read(root: &Section<'_>) -> NodeConfig {
    check_kind(root);
    let modules = root.section("modules");
    let node_name = node_name(&modules.section("edged"));
    let hub = modules.section("edgeHub");
    if !hub.flag("enable", true) {
        hub.warn_at("enable", "false, but this program is the edge hub and runs all the same");
    }
    let websocket = lane(&hub.section("websocket"), true, "127.0.0.1:10000");
    let quic = lane(&hub.section("quic"), false, "127.0.0.1:10001");
    let lane = match (websocket.enabled, quic.enabled) {
        (true, false) => Some(Lane::WebSocket),
        (false, true) => Some(Lane::Quic),
        (true, true) => Some(Lane::Auto),
        (false, false) => {
            hub.problem_at("websocket.enable", "neither websocket nor quic is enabled; enable one");
            None
        }
    };
    let mut files = default_files();
    files.ca = hub.file("tlsCaFile", files.ca);
    files.certificate = hub.file("tlsCertFile", files.certificate);
    files.key = hub.file("tlsPrivateKeyFile", files.key);
    let own = root.section("edgehub");
    let config = NodeConfig {
        profile: Profile::Current,
        node_name: node_name.unwrap_or_default(),
        project_id: hub.name("projectID").unwrap_or_else(|| DEFAULT_PROJECT_ID.to_owned()),
        lane: lane.unwrap_or(Lane::WebSocket),
        websocket: with_scheme(websocket.config),
        quic: quic.config,
        heartbeat: hub.seconds("heartbeat", HEARTBEAT),
        files,
        message_qps: rate(&hub, "messageQPS", 30),
        message_burst: rate(&hub, "messageBurst", 60),
        rotate_certificates: hub.flag("rotateCertificates", true),
        token: hub.text("token").map(Token::new),
        http_servers: http_servers(&hub),
        hub: extension::read(&own, &HubConfig::default()),
    };
    root.accept(OTHER_SECTIONS);
    modules.accept(OTHER_MODULES);
    for section in [root, &modules, &hub, &own] {
        section.warn_of_unknown();
    }
    config
}

fn check_kind(root: &Section<'_>) {
    if let Some(kind) = root.text("kind").filter(|kind| kind != "EdgeCore") {
        root.problem_at("kind", format!("expected EdgeCore, found {kind:?}; this is another program's file"));
    }
    if let Some(version) = root.text("apiVersion") {
        let known = version.strip_prefix(API_GROUP).is_some_and(|v| ["v1alpha1", "v1alpha2"].contains(&v));
        if !known {
            root.problem_at("apiVersion", format!("expected {API_GROUP}v1alpha2, found {version:?}"));
        }
    }
}

fn node_name(edged: &Section<'_>) -> Option<String> {
    if let Some(name) = edged.name("hostnameOverride") {
        return Some(name);
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim().to_lowercase();
    if host.is_empty() {
        edged.problem_at("hostnameOverride", "expected the node's name, found nothing");
        return None;
    }
    edged.warn_at("hostnameOverride", format!("not set; the node takes this machine's name, {host}"));
    Some(host)
}

struct LaneSection {
    enabled: bool,
    config: LaneConfig,
}

fn lane(section: &Section<'_>, enabled: bool, default: &str) -> LaneSection {
    let enabled = section.flag("enable", enabled);
    let mut servers = section.texts("server");
    if servers.is_empty() {
        servers.push(default.to_owned());
    }
    // A lane that is not used may hold anything: KubeEdge does not look at it either.
    for server in servers.iter().filter(|server| enabled && !is_host_and_port(server)) {
        section.problem_at("server", format!("expected HOST:PORT, found {server:?}"));
    }
    let config = lane_times(section, TIMES, servers);
    section.warn_of_unknown();
    LaneSection { enabled, config }
}

fn with_scheme(lane: LaneConfig) -> LaneConfig {
    let addresses = lane.addresses.iter().map(|server| format!("wss://{server}")).collect();
    LaneConfig { addresses, ..lane }
}

fn rate(hub: &Section<'_>, key: &'static str, default: u32) -> u32 {
    u32::try_from(hub.count(key, default.into(), 1..=RATE_MAX)).unwrap_or(default)
}

/// KubeEdge has one. Several are ours: of one cloud, as `server` may name several of its hubs.
fn http_servers(hub: &Section<'_>) -> Vec<String> {
    let servers = hub.texts("httpServer");
    for server in &servers {
        let address = server.strip_prefix("https://").map(|rest| rest.trim_end_matches('/'));
        if !address.is_some_and(is_host_and_port) {
            hub.problem_at("httpServer", format!("expected https://HOST:PORT, found {server:?}"));
        }
    }
    if servers.len() > SERVICES_MAX {
        hub.problem_at("httpServer", format!("expected at most {SERVICES_MAX} services, found more"));
    }
    servers
}
