//! The configuration of late 2019: a top-level section `edgehub` with `controller`, `websocket` and `quic`.

use super::reader::{Section, is_host_and_port, lane_times};
use super::{
    DEFAULT_PROJECT_ID, HEARTBEAT, HubConfig, Lane, LaneConfig, NodeConfig, Profile, default_files, extension,
};
use crate::websocket::{complete_url, names_in_url};

const TIMES: [&str; 3] = ["handshake-timeout", "read-deadline", "write-deadline"];
/// Files that both lanes may name.
const FILES: [&str; 3] = ["cafile", "certfile", "keyfile"];
/// Known in 2019, and without meaning here: addresses are configured and not asked for, and keys are files.
const CONTROLLER_IGNORED: &[&str] =
    &["refresh-interval", "refresh-ak-sk-interval", "auth-info-files-path", "placement-url"];

/// What else the file had in 2019, for other modules than this one.
const OTHER_SECTIONS: &[&str] = &["edged", "mesh", "mqtt"];

/// Reads the whole file. When the report has problems afterwards, the result is not to be used.
pub(super) fn read(root: &Section<'_>) -> NodeConfig {
    let hub = root.section("edgehub");
    let controller = hub.section("controller");
    let lane = lane(&controller);
    let websocket_section = hub.section("websocket");
    let quic_section = hub.section("quic");
    let websocket = lane_config(&websocket_section);
    let quic = lane_config(&quic_section);
    let (active, used) = match lane {
        Lane::WebSocket | Lane::Auto => (&websocket_section, &websocket),
        Lane::Quic => (&quic_section, &quic),
    };
    let in_url = used.addresses.first().and_then(|url| names_in_url(url));
    let (project_in_url, node_in_url) = in_url.unzip();
    let node_name = node_name(&controller, node_in_url);
    let project_id =
        controller.name("project-id").or(project_in_url).unwrap_or_else(|| DEFAULT_PROJECT_ID.to_owned());
    let node = node_name.as_deref();
    if lane == Lane::Auto {
        check_addresses(&quic_section, Lane::Quic, &quic, &project_id, node);
    }
    check_addresses(active, lane, used, &project_id, node);

    let mut files = default_files();
    files.ca = active.file(FILES[0], files.ca);
    files.certificate = active.file(FILES[1], files.certificate);
    files.key = active.file(FILES[2], files.key);
    let heartbeat = controller.seconds("heartbeat", HEARTBEAT);
    if controller.flag("placement", false) {
        controller.warn_at("placement", "placement is not supported; the configured url is used");
    }
    controller.accept(CONTROLLER_IGNORED);
    controller.warn_of_unknown();
    for section in [&websocket_section, &quic_section] {
        section.accept(&FILES);
        section.warn_of_unknown_except("ssl-");
    }
    let own = extension::read(&hub, &HubConfig { sync_timeout: heartbeat, ..HubConfig::default() });
    root.accept(OTHER_SECTIONS);
    root.warn_of_unknown();
    hub.warn_of_unknown();
    NodeConfig {
        profile: Profile::Classic,
        node_name: node_name.unwrap_or_default(),
        project_id,
        lane,
        websocket,
        quic,
        heartbeat,
        files,
        message_qps: 30,
        message_burst: 60,
        rotate_certificates: false,
        token: None,
        http_servers: Vec::new(),
        hub: own,
    }
}

fn lane(controller: &Section<'_>) -> Lane {
    match controller.text("protocol").as_deref() {
        None | Some("websocket") => Lane::WebSocket,
        Some("quic") => Lane::Quic,
        Some("auto") => Lane::Auto,
        Some(other) => {
            controller.problem_at("protocol", format!("expected websocket, quic or auto, found {other:?}"));
            Lane::WebSocket
        }
    }
}

fn lane_config(section: &Section<'_>) -> LaneConfig {
    lane_times(section, TIMES, section.texts("url"))
}

fn node_name(controller: &Section<'_>, in_url: Option<String>) -> Option<String> {
    let configured = controller.name("node-id");
    if let (Some(node), Some(other)) = (&configured, &in_url)
        && node != other
    {
        controller.warn_at("node-id", format!("{node:?}, but the url names the node {other:?}"));
    }
    let name = configured.or(in_url);
    if name.is_none() && controller.is_blank("node-id") {
        controller.problem_at("node-id", "expected the node's name, found nothing");
    }
    name
}

fn check_addresses(section: &Section<'_>, lane: Lane, used: &LaneConfig, project: &str, node: Option<&str>) {
    if used.addresses.is_empty() && (section.is_blank("url") || section.is_empty_list("url")) {
        let form = match lane {
            Lane::WebSocket | Lane::Auto => "wss://HOST:PORT/PROJECT/NODE/events",
            Lane::Quic => "HOST:PORT",
        };
        section.problem_at("url", format!("expected {form}, found nothing"));
    }
    for address in &used.addresses {
        match lane {
            Lane::WebSocket | Lane::Auto => {
                // A missing node name has been reported; any name does to check the rest.
                if let Err(error) = complete_url(address, project, node.unwrap_or("node")) {
                    section.problem_at("url", error.to_string());
                }
            }
            Lane::Quic if is_host_and_port(address) => {}
            Lane::Quic => section.problem_at("url", format!("expected HOST:PORT, found {address:?}")),
        }
    }
}
