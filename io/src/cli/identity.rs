//! What a node's configuration says of its identity, for every command that needs it.

use super::{DEFAULT_CONFIGURATION, Failure};
use edgehub::config::NodeConfig;
use edgehub::core::identity::IdentityConfig;
use edgehub::identity::Service;
use edgehub::pki::files;
use edgehub::reach::ProxyChoice;
use std::path::Path;

/// The certificate service, if the configuration names one, by the way that leads there.
pub(super) fn service(node: &NodeConfig) -> Result<Option<Service>, Failure> {
    let service = node.http_server.as_deref().and_then(Service::parse);
    Ok(service.map(|service| service.by_way_of(&node.hub.reach.proxy)).transpose()?)
}

/// What the certificate machine needs to know.
pub(super) fn config(
    file: &Path,
    node: &NodeConfig,
    service: Option<&Service>,
) -> Result<IdentityConfig, Failure> {
    // Where the service is most likely, for the command that a person is told.
    let beside_link = || {
        let (host, _) = node.targets().first()?.host_and_port()?;
        Some(host)
    };
    let cloud = service.map(Service::to_string).or_else(beside_link).unwrap_or_default();
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
