//! `edgehub join`: gives a node its identity, once.

mod starter;

use super::{Failure, say};
use clap::Args;
use edgehub::config::NodeConfig;
use edgehub::core::identity::{IdentityConfig, JoinToken, Skew, TOKEN_BYTES_MAX, date::Utc};
use edgehub::identity::{IdentityDriver, Service, Store, TokenSource, Told};
use edgehub::pki::files;
use edgehub::reach::{Proxy, ProxyChoice};
use edgehub::tls::{self, ClientFiles, PairOnDisk};
use smol::future::or;
use starter::Starter;
use std::convert::Infallible;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;

#[derive(Debug, Args)]
pub(crate) struct Join {
    /// The cloud's certificate service; port 10002 unless given
    #[arg(long, value_name = "HOST[:PORT]")]
    cloud: String,
    #[command(flatten)]
    token: TokenChoice,
    /// The node's name; that of an existing configuration, else this machine's, unless given
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Where the link is; port 10000 of the same host unless given
    #[arg(long, value_name = "HOST:PORT")]
    server: Option<String>,
    /// The node's configuration, which is made if there is none; DIR/config/edgecore.yaml unless given
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The proxy on the way, or `none`; that of an existing configuration, else the environment's, unless given
    #[arg(long, value_name = "URL", env = "EDGEHUB_PROXY", hide_env_values = true)]
    proxy: Option<Secret>,
    /// Authorities in PEM that vouch for the cloud's servers, if that is not who signs its nodes: a company's, on a load balancer
    #[arg(long, value_name = "FILE")]
    servers_ca: Option<PathBuf>,
    /// Where the certificates go, unless an existing configuration says otherwise: DIR/ca, DIR/certs
    #[arg(long, value_name = "DIR", default_value = "/etc/kubeedge")]
    dir: PathBuf,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct TokenChoice {
    /// The token that the cloud printed (`edgehub cloud token`, or `keadm gettoken`); `-` reads it from standard input
    #[arg(long, env = "EDGEHUB_TOKEN", hide_env_values = true)]
    token: Option<Secret>,
    /// A file with the token: on a command line everybody on this machine can read it
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// What nobody but the command should see.
#[derive(Clone)]
struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Secret, Infallible> {
        Ok(Secret(text.to_owned()))
    }
}

impl TokenChoice {
    fn read(&self) -> Result<JoinToken, Failure> {
        let text = match (&self.token, &self.token_file) {
            (Some(Secret(token)), _) if token == "-" => bounded(std::io::stdin().lock())?,
            (Some(Secret(token)), _) => token.clone(),
            (None, Some(file)) => std::fs::File::open(file)
                .and_then(bounded)
                .map_err(|error| format!("{}: {error}", file.display()))?,
            (None, None) => return Err("--token or --token-file is needed".into()),
        };
        Ok(JoinToken::parse(&text)?)
    }
}

/// Reads no more than shows that something is no token.
fn bounded(from: impl Read) -> std::io::Result<String> {
    let mut text = String::new();
    from.take(TOKEN_BYTES_MAX as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}

impl Join {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        let service = Service::parse(&self.cloud)
            .ok_or_else(|| format!("--cloud {}: expected HOST or HOST:PORT", self.cloud))?;
        let configuration = self.config.clone().unwrap_or_else(|| self.dir.join("config/edgecore.yaml"));
        let existing = match configuration.exists() {
            true => Some(NodeConfig::load(&configuration)?.0),
            false => None,
        };
        let proxy = self.proxy(existing.as_ref())?;
        let service = service.by_way_of(&proxy)?;
        let token = self.token.read()?;
        let node = self.node(&configuration, existing.as_ref())?;
        let files = self.files(existing.as_ref())?;
        let servers = self.servers_ca.as_deref().map(tls::authorities).transpose()?.unwrap_or_default();
        let identity = IdentityConfig {
            token_decides: true,
            servers: servers.clone(),
            ..IdentityConfig::new(node.as_str(), service.to_string(), false)
        };
        let store = Store::new(files.clone());
        let had = store.load().map(|pair| pair.certificate);
        let (pair, skew) = outcome(identity, &store, &service, token).await?;
        let is_new = had.as_ref() != Some(&pair.certificate);
        let until = Utc(pair.validity().map_or(0, |validity| validity.not_after));
        let what = if is_new { "has a certificate now" } else { "has a certificate already" };
        say(format_args!("{node} {what}: {}, valid until {until}", files.certificate.display()))?;
        if let Some(skew) = skew {
            say(format_args!("warning: {skew}"))?;
        }
        if let (Some(given), false) =
            (&self.servers_ca, servers.iter().all(|server| pair.roots.contains(server)))
        {
            let (ca, given) = (files.ca.display(), given.display());
            say(format_args!("warning: {ca} was there already, without {given}; append that to it"))?;
        }
        match &existing {
            Some(existing) => self.compare(&configuration, existing, &service, &proxy)?,
            None => {
                let starter = Starter {
                    node: &node,
                    service: &service,
                    server: self.server.as_deref(),
                    files: &files,
                    proxy: self.proxy.as_ref().map(|Secret(url)| url.as_str()),
                };
                // A token may be written into it, and a proxy's password may be in it already.
                files::write_atomically(&configuration, starter.text().as_bytes(), files::PRIVATE)?;
                say(format_args!("wrote {}", configuration.display()))?;
            }
        }
        say(format_args!("next: edgehub run --config {}", configuration.display()))?;
        Ok(ExitCode::SUCCESS)
    }

    /// What is said here, then what the configuration says, then the environment: as `run` will take it.
    fn proxy(&self, existing: Option<&NodeConfig>) -> Result<ProxyChoice, Failure> {
        match (self.proxy.as_ref().map(|Secret(url)| url.as_str()), existing) {
            (Some("none"), _) => Ok(ProxyChoice::Direct),
            (Some(url), _) => {
                let proxy = Proxy::parse(url).map_err(|problem| format!("--proxy: {problem}"))?;
                Ok(ProxyChoice::Proxy(proxy, String::new()))
            }
            (None, Some(existing)) => Ok(existing.hub.reach.proxy.clone()),
            (None, None) => Ok(ProxyChoice::Environment),
        }
    }

    fn node(&self, configuration: &Path, existing: Option<&NodeConfig>) -> Result<String, Failure> {
        let name = match (&self.node, existing) {
            (Some(name), Some(existing)) if *name != existing.node_name => {
                let told = format!(
                    "{} is that of the node {}, not of {name}; give that name, or another --config or --dir",
                    configuration.display(),
                    existing.node_name
                );
                return Err(told.into());
            }
            (Some(name), _) => name.clone(),
            (None, Some(existing)) => existing.node_name.clone(),
            (None, None) => std::fs::read_to_string("/proc/sys/kernel/hostname")?.trim().to_lowercase(),
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
    fn files(&self, existing: Option<&NodeConfig>) -> Result<ClientFiles, Failure> {
        if let Some(existing) = existing {
            return Ok(existing.files.clone());
        }
        // The configuration must mean the same from wherever it is read.
        let dir = std::path::absolute(&self.dir)?;
        Ok(ClientFiles {
            ca: dir.join("ca/rootCA.crt"),
            certificate: dir.join("certs/server.crt"),
            key: dir.join("certs/server.key"),
        })
    }

    /// An existing configuration stays as it is; what it says of another cloud is told.
    fn compare(
        &self,
        file: &Path,
        existing: &NodeConfig,
        service: &Service,
        proxy: &ProxyChoice,
    ) -> Result<(), Failure> {
        let file = file.display();
        let told = |setting: &str, found: &str, given: &str| {
            say(format_args!(
                "warning: {file} says {setting} {found}, and this node has joined by {given}; correct it"
            ))
        };
        let same = |found: &String| {
            Service::parse(found)
                .is_some_and(|found| (&found.host, found.port) == (&service.host, service.port))
        };
        match existing.http_servers.as_slice() {
            found if found.iter().any(same) => {}
            found @ [_, ..] => told("httpServer", &found.join(" "), &format!("https://{service}"))?,
            [] => say(format_args!(
                "warning: {file} names no certificate service, so nobody renews this certificate; add httpServer: \
                 https://{service}"
            ))?,
        }
        let targets = existing.targets();
        if let Some(server) = &self.server
            && !targets
                .iter()
                .any(|target| target.url.split_once("://").is_some_and(|(_, found)| found == server))
        {
            let found: Vec<&str> = targets.iter().map(|target| &*target.url).collect();
            told("server", &found.join(" "), server)?;
        }
        if existing.hub.reach.proxy != *proxy {
            say(format_args!("warning: {file} says another edgehub.proxy than --proxy; correct it"))?;
        }
        Ok(())
    }
}

/// Runs the identity until there is a pair, or the first problem, which is the last: whoever types this wants to know, not to
/// wait. Returns the pair, and how far the clock is off, if it is.
async fn outcome(
    config: IdentityConfig,
    store: &Store,
    service: &Service,
    token: JoinToken,
) -> Result<(Arc<PairOnDisk>, Option<Skew>), Failure> {
    let (driver, told) =
        IdentityDriver::new(config, store.clone(), [service.clone()], TokenSource::Given(token));
    let outcome = async {
        let mut skew = None;
        loop {
            match told.recv().await {
                Ok(Told::Use(pair)) => return Ok((pair, skew)),
                Ok(Told::Problem(problem)) => return Err(Failure::from(problem)),
                Ok(Told::Skew(ahead_ms)) => skew = Some(Skew(ahead_ms)),
                Ok(Told::State(_)) => {}
                Err(_) => return Err("the identity has ended".into()),
            }
        }
    };
    let run = async {
        driver.run().await;
        Err("the identity has ended".into())
    };
    or(outcome, run).await
}
