//! The configuration that a node starts with: whoever joined can run it as it is.

use edgehub::identity::Service;
use edgehub::tls::ClientFiles;
use std::path::Path;

/// The port of the link, beside which the certificate service has its own.
const LINK_PORT: u16 = 10000;

/// What is known of the node.
pub(super) struct Starter<'a> {
    pub(super) node: &'a str,
    pub(super) service: &'a Service,
    /// Where the link is, unless it is beside the service.
    pub(super) server: Option<&'a str>,
    pub(super) files: &'a ClientFiles,
    /// The proxy as it was given, if one was.
    pub(super) proxy: Option<&'a str>,
}

impl Starter<'_> {
    pub(super) fn text(&self) -> String {
        let link = Service { port: LINK_PORT, ..self.service.clone() };
        let server = self.server.map_or_else(|| link.to_string(), str::to_owned);
        let proxy = self.proxy.map(|proxy| format!("edgehub:\n  proxy: {}\n", quoted(proxy)));
        format!(
            "# Made by `edgehub join`. The format is that of KubeEdge's edgecore.yaml.\n\
             apiVersion: edgecore.config.kubeedge.io/v1alpha2\n\
             kind: EdgeCore\n\
             modules:\n\
             \x20 edged:\n\
             \x20   hostnameOverride: {}\n\
             \x20 edgeHub:\n\
             \x20   enable: true\n\
             \x20   httpServer: {}\n\
             \x20   rotateCertificates: true\n\
             \x20   # A token here lets the node join again by itself when its certificate has run out while it was offline.\n\
             \x20   # token: HASH.JWT\n\
             \x20   tlsCaFile: {}\n\
             \x20   tlsCertFile: {}\n\
             \x20   tlsPrivateKeyFile: {}\n\
             \x20   websocket:\n\
             \x20     enable: true\n\
             \x20     server: {}\n\
             {}",
            quoted(self.node),
            quoted(&format!("https://{}", self.service)),
            path(&self.files.ca),
            path(&self.files.certificate),
            path(&self.files.key),
            quoted(&server),
            proxy.unwrap_or_default(),
        )
    }
}

/// A JSON string is a YAML string, whatever is in it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}
