//! What a node's configuration says of its identity, for every command that needs it.

use super::{DEFAULT_CONFIGURATION, Failure};
use edgehub::config::NodeConfig;
use edgehub::core::identity::IdentityConfig;
use edgehub::identity::Service;
use edgehub::pki::files;
use edgehub::reach::ProxyChoice;
use edgehub::websocket::host_and_port;
use std::path::Path;

/// The certificate services that the configuration names, by the way that leads there.
pub(super) fn services(node: &NodeConfig) -> Result<Vec<Service>, Failure> {
    let services = node.http_servers.iter().filter_map(|server| Service::parse(server));
    Ok(services.map(|service| service.by_way_of(&node.hub.reach.proxy)).collect::<Result<_, _>>()?)
}

/// What the certificate machine needs to know.
pub(super) fn config(
    file: &Path,
    node: &NodeConfig,
    services: &[Service],
) -> Result<IdentityConfig, Failure> {
    // Where the service is most likely, for the command that a person is told.
    let beside_link = || {
        let link = node.targets().first()?.url.replacen("quic://", "wss://", 1);
        host_and_port(&link).map(|(host, _)| host)
    };
    let cloud = services.first().map(Service::to_string).or_else(beside_link).unwrap_or_default();
    // As `join` has to be told of it, from wherever that is run.
    let file = std::path::absolute(file)?;
    let is_elsewhere = file != Path::new(DEFAULT_CONFIGURATION);
    Ok(IdentityConfig {
        file: is_elsewhere.then(|| file.to_string_lossy().into()),
        ..IdentityConfig::new(node.node_name.as_str(), cloud, node.rotate_certificates)
    })
}

/// Files with a secret that others on this machine can read, each with what it holds.
pub(super) fn exposed<'a>(file: &'a Path, node: &'a NodeConfig) -> Vec<(&'a Path, &'static str)> {
    let has_password = matches!(
        &node.hub.reach.proxy,
        ProxyChoice::Proxy(proxy, _) if proxy.credentials.is_some()
    );
    let secrets = [
        (file, "a token", node.token.is_some()),
        (file, "a proxy's password", has_password),
        (node.files.key.as_path(), "the private key", true),
    ];
    let is_exposed = |(path, what, is_there): (&'a Path, &'static str, bool)| {
        (is_there && files::is_readable_by_others(path)).then_some((path, what))
    };
    secrets.into_iter().filter_map(is_exposed).collect()
}
