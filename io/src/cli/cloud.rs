//! `edgehub cloud`: the embedded CloudHub.
//!
//! Standard input: one JSON object a line, `{"node":"edge-1","acknowledge":true,"message":{…}}`, sends a message to a
//! node. Standard output: one line per message of a node, `{"node":"edge-1","message":{…}}`.

use super::token::Token;
use super::{Failure, process, say};
use clap::{Args, Subcommand};
use edgehub::core::cloud::{CloudConfig, Delivery};
use edgehub::core::message::operation;
use edgehub::core::rng::Rng;
use edgehub::core::{Content, Draft, Message};
use edgehub::pki::Authority;
use edgehub::pki::token::TokenKey;
use edgehub::server::{CertificateOptions, CertificateServer, CloudServer, ServerOptions};
use edgehub::tls::{self, Pems};
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::value::RawValue;
use smol::future::{or, zip};
use smol::io::AsyncBufReadExt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use tracing::{info, warn};

const AFTER_HELP: &str = "\
Each line of standard input sends a message to a node; without `acknowledge` it is sent once, with it until the node has acknowledged it:
  {\"node\":\"edge-1\",\"acknowledge\":true,\"message\":{\"header\":{\"msg_id\":\"1\"},\"route\":{…},\"content\":…}}
Each line of standard output is a message of a node:
  {\"node\":\"edge-1\",\"message\":{…}}

Examples:
  edgehub cloud --issue edge-1                                  # an authority, a certificate for edge-1, a CloudHub on 127.0.0.1:10000
  edgehub cloud --listen 0.0.0.0:10000 --name cloud.example     # for nodes on other machines, which know it by this name
  edgehub cloud token                                           # with which `edgehub join` gets a certificate";

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, after_help = AFTER_HELP)]
pub(crate) struct Cloud {
    #[command(subcommand)]
    command: Option<CloudCommand>,
    /// Where the authority lives: ca.crt and ca.key, made on first start
    #[arg(long, value_name = "DIR", default_value = "edgehub-cloud")]
    dir: PathBuf,
    /// Where to listen; KubeEdge's port is 10000
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:10000")]
    listen: SocketAddr,
    /// Serve nodes over QUIC as well, on the UDP port of the same number; for nodes of this project, not KubeEdge's
    #[arg(long)]
    quic: bool,
    /// Where the certificate service listens; port and address of the link, two ports higher, unless given
    #[arg(long, value_name = "ADDRESS")]
    certificates: Option<SocketAddr>,
    /// A host name or IP address under which nodes reach it; may be given several times
    #[arg(long = "name", value_name = "NAME", default_values = ["localhost", "127.0.0.1"])]
    names: Vec<String>,
    /// Make a certificate for a node of this name first: DIR/NODE.crt and DIR/NODE.key
    #[arg(long, value_name = "NODE")]
    issue: Vec<String>,
    /// How many nodes may be connected at one time
    #[arg(long, default_value_t = 1000)]
    node_limit: usize,
}

#[derive(Debug, Subcommand)]
enum CloudCommand {
    /// Print a token with which nodes can join
    Token(Token),
}

#[derive(Deserialize)]
struct Order<'a> {
    node: &'a str,
    #[serde(default)]
    acknowledge: bool,
    #[serde(borrow)]
    message: &'a RawValue,
}

impl Cloud {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        if let Some(CloudCommand::Token(token)) = self.command {
            return token.run();
        }
        let (authority, created) = Authority::load_or_create(&self.dir)?;
        if created {
            info!("made a new authority in {}", self.dir.display());
        }
        for node in &self.issue {
            let (certificate, key) = authority.node(node)?.write(&self.dir, node)?;
            info!("made {} and {}", certificate.display(), key.display());
        }
        let identity = authority.server(&self.names)?;
        let pems = Pems {
            ca: authority.certificate_pem(),
            certificate: &identity.certificate_pem,
            key: &identity.key_pem,
        };
        let mut options = ServerOptions::new(tls::server_config_from_pem(pems)?);
        options.quic = self.quic;
        options.config = CloudConfig {
            node_limit: self.node_limit,
            ca_content: authority.certificate_pem().into(),
            ..CloudConfig::default()
        };
        let (server, driver) = CloudServer::bind(self.listen, options).await.map_err(|error| {
            format!("cannot listen on {}: {error}; choose another address with --listen", self.listen)
        })?;
        info!("listening on {}", server.address());
        let certificates = self.certificates.unwrap_or_else(|| beside(self.listen));
        let options = CertificateOptions {
            names: self.names.clone(),
            ..CertificateOptions::new(authority.into(), TokenKey::load_or_create(&self.dir)?)
        };
        let certificates = CertificateServer::bind(certificates, options).await.map_err(|error| {
            format!("cannot listen on {certificates} for certificates: {error}; choose another address with --certificates")
        })?;
        info!("certificates at https://{}", certificates.address());
        let work = async {
            let end = async { process::told_to_end().await.map_err(Failure::from) };
            let certificates = async {
                certificates.run().await;
                std::future::pending().await
            };
            let orders = or(print_upstream(&server), send_orders(&server));
            let ended = or(end, or(orders, certificates)).await;
            server.shutdown().await?;
            ended
        };
        let (ended, ()) = zip(work, driver.run()).await;
        ended.map(|()| ExitCode::SUCCESS)
    }
}

/// The address of the certificate service of a link's address: KubeEdge's ports are 10000 and 10002.
fn beside(link: SocketAddr) -> SocketAddr {
    let port = if link.port() == 0 { 0 } else { link.port().saturating_add(2) };
    SocketAddr::new(link.ip(), port)
}

/// Prints what nodes send, and answers their queries: nothing here has the object.
async fn print_upstream(server: &CloudServer) -> Result<(), Failure> {
    let mut ids = Rng::new(fastrand::u64(..));
    while let Some((node, message)) = server.receive().await {
        // Nodes are served also when nobody reads what they say.
        let name = serde_json::Value::from(node.as_str());
        let _ = say(format_args!("{{\"node\":{name},\"message\":{}}}", message.frame().trim_end()));
        if message.operation() == operation::QUERY {
            let id = ids.uuid();
            let draft = Draft::response_to(&message, id.as_str(), message.timestamp());
            let answer = Draft { content: Content::Text("not found"), ..draft }.encode()?;
            server.send(&node, answer, Delivery::Unacknowledged).await?;
        }
    }
    Ok(())
}

/// Sends what standard input orders; goes on serving when it ends.
async fn send_orders(server: &CloudServer) -> Result<(), Failure> {
    let mut lines = smol::io::BufReader::new(smol::Unblock::new(std::io::stdin())).lines();
    while let Some(line) = lines.next().await {
        let line = line?;
        match order(&line) {
            Ok(Some((node, message, delivery))) => server.send(node, message, delivery).await?,
            Ok(None) => {}
            Err(problem) => warn!(
                "line not sent: {problem}; write {{\"node\":\"NAME\",\"acknowledge\":true,\"message\":{{…}}}}"
            ),
        }
    }
    std::future::pending().await
}

fn order(line: &str) -> Result<Option<(&str, Message, Delivery)>, Failure> {
    if line.trim().is_empty() {
        return Ok(None);
    }
    let order: Order<'_> = serde_json::from_str(line)?;
    let delivery = if order.acknowledge { Delivery::Acknowledged } else { Delivery::Unacknowledged };
    Ok(Some((order.node, Message::decode(order.message.get())?, delivery)))
}
