//! `edgehub join`: gives a node its identity, once.

use super::{Failure, say};
use clap::Args;
use edgehub::config::NodeConfig;
use edgehub::core::identity::{IdentityConfig, JoinToken, date::Utc};
use edgehub::identity::{IdentityDriver, Service, Store, TokenSource, Told};
use edgehub::pki::files;
use edgehub::reach::ProxyChoice;
use edgehub::tls::ClientFiles;
use smol::future::or;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The port of the link, beside which the certificate service has its own.
const LINK_PORT: u16 = 10000;

#[derive(Debug, Args)]
pub(crate) struct Join {
    /// The cloud's certificate service; port 10002 unless given
    #[arg(long, value_name = "HOST[:PORT]")]
    cloud: String,
    /// The token that the cloud printed: `edgehub cloud token`, or `keadm gettoken`
    #[arg(long, env = "EDGEHUB_TOKEN", hide_env_values = true)]
    token: String,
    /// The node's name; this machine's unless given
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Where the link is; port 10000 of the same host unless given
    #[arg(long, value_name = "HOST:PORT")]
    server: Option<String>,
    /// Where the certificates and the configuration go: DIR/ca, DIR/certs, DIR/config/edgecore.yaml
    #[arg(long, value_name = "DIR", default_value = "/etc/kubeedge")]
    dir: PathBuf,
}

impl Join {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        let service = Service::parse(&self.cloud)
            .ok_or_else(|| format!("--cloud {}: expected HOST or HOST:PORT", self.cloud))?
            .by_way_of(&ProxyChoice::Environment)?;
        let token = JoinToken::parse(&self.token)?;
        let node = self.node()?;
        let configuration = self.dir.join("config/edgecore.yaml");
        let files = self.files(&configuration, &node)?;
        let config = IdentityConfig::new(node.as_str(), service.to_string(), false);
        let store = Store::new(files.clone());
        let had = store.load().map(|pair| pair.certificate);
        let (driver, told) =
            IdentityDriver::new(config, store.clone(), service.clone(), TokenSource::Given(token));
        let outcome = async {
            loop {
                match told.recv().await {
                    Ok(Told::Use) => return Ok(()),
                    Ok(Told::Problem(problem)) => return Err(Failure::from(problem)),
                    Ok(Told::State(_)) => {}
                    Err(_) => return Err("the identity has ended".into()),
                }
            }
        };
        let run = async {
            driver.run().await;
            Ok(())
        };
        // The first problem is the last: whoever types this wants to know, not to wait.
        or(outcome, run).await?;
        let pair = store.load().ok_or("the certificate was written and cannot be read")?;
        let is_new = had.as_ref() != Some(&pair.certificate);
        let until = Utc(pair.validity().map_or(0, |validity| validity.not_after));
        let what = if is_new { "has a certificate now" } else { "has a certificate already" };
        say(format_args!("{node} {what}: {}, valid until {until}", files.certificate.display()))?;
        if !configuration.exists() {
            let text = self.starter(&service, &node, &files);
            files::write_atomically(&configuration, text.as_bytes(), files::PUBLIC)?;
            say(format_args!("wrote {}", configuration.display()))?;
        }
        say(format_args!("next: edgehub run --config {}", configuration.display()))?;
        Ok(ExitCode::SUCCESS)
    }

    fn node(&self) -> Result<String, Failure> {
        let name = match &self.node {
            Some(name) => name.clone(),
            None => std::fs::read_to_string("/proc/sys/kernel/hostname")?.trim().to_lowercase(),
        };
        let is_fine = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || "-.".contains(char);
        if name.is_empty() || name.len() > 253 || !name.chars().all(is_fine) {
            let told = format!(
                "--node {name}: expected a name of lower-case letters, digits, `-` and `.`, as Kubernetes has them"
            );
            return Err(told.into());
        }
        Ok(name)
    }

    /// Where the files go: where an existing configuration has them.
    fn files(&self, configuration: &Path, node: &str) -> Result<ClientFiles, Failure> {
        if configuration.exists() {
            let (config, _) = NodeConfig::load(configuration)?;
            if config.node_name != node {
                let told = format!(
                    "{} is that of the node {}, not of {node}; give that name, or another --dir",
                    configuration.display(),
                    config.node_name
                );
                return Err(told.into());
            }
            return Ok(config.files);
        }
        // The configuration must mean the same from wherever it is read.
        let dir = std::path::absolute(&self.dir)?;
        Ok(ClientFiles {
            ca: dir.join("ca/rootCA.crt"),
            certificate: dir.join("certs/server.crt"),
            key: dir.join("certs/server.key"),
        })
    }

    fn starter(&self, service: &Service, node: &str, files: &ClientFiles) -> String {
        let link = Service { port: LINK_PORT, ..service.clone() };
        let server = self.server.clone().unwrap_or_else(|| link.to_string());
        // A JSON string is a YAML string, whatever is in it.
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let path = |path: &Path| quoted(&path.to_string_lossy());
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
             \x20     server: {}\n",
            quoted(node),
            quoted(&format!("https://{service}")),
            path(&files.ca),
            path(&files.certificate),
            path(&files.key),
            quoted(&server),
        )
    }
}
