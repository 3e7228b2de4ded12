//! `edgehub check`: whether this node can reach its cloud, step by step, with the remedy for each step that fails.

mod session;

use super::{Failure, say};
use clap::Args;
use edgehub::config::{Lane, NodeConfig};
use edgehub::edge::TrialError;
use edgehub::reach::ReachError;
use edgehub::tls;
use edgehub::websocket::{self, ConnectError, Stream, Target};
use rustls::ClientConfig;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A certificate that ends sooner than this is worth a look.
const EXPIRES_SOON: Duration = Duration::from_secs(7 * 86_400);

/// Clocks that differ by more make timestamps misleading and certificates fail.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(30);

/// What to do about a cloud that does not serve the node.
const NOT_SERVED: &str =
    "look at CloudHub's log for this node: node limit, certificate of another node, rejected session";

#[derive(Debug, Args)]
#[command(
    after_help = "A hub of this node that runs meanwhile loses its link for a moment: CloudHub keeps one link for each node."
)]
pub(crate) struct Check {
    /// The node's configuration
    #[arg(long, value_name = "FILE", default_value = "/etc/kubeedge/config/edgecore.yaml")]
    config: PathBuf,
}

/// What has been found so far.
#[derive(Debug, Default)]
struct Report {
    failed: bool,
}

impl Report {
    fn good(&self, step: &str, what: impl Display) {
        // Nobody may read on; what was found is the exit code, too.
        let _ = say(format_args!("✓ {step:<14} {what}"));
    }

    fn bad(&mut self, step: &str, what: impl Display, remedy: &str) {
        self.failed = true;
        // Errors of a configuration have a line for each problem.
        let what = what.to_string().replace('\n', "; ");
        let arrow = if remedy.is_empty() { "" } else { " → " };
        let _ = say(format_args!("✗ {step:<14} {what}{arrow}{remedy}"));
    }

    fn end(self) -> ExitCode {
        if self.failed { ExitCode::from(1) } else { ExitCode::SUCCESS }
    }
}

impl Check {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        let mut report = Report::default();
        let config = match NodeConfig::load(&self.config) {
            Ok((config, warnings)) => {
                let warned: String = warnings.iter().map(|warning| format!("; {warning}")).collect();
                report.good("configuration", format_args!("{}{warned}", self.config.display()));
                config
            }
            Err(errors) => {
                report.bad("configuration", errors, "correct the file");
                return Ok(report.end());
            }
        };
        let Some(tls) = files(&config, &mut report) else { return Ok(report.end()) };
        let targets = match edgehub::edge::proxied_targets(&config) {
            Ok(targets) => targets,
            Err(error) => {
                report.bad("proxy", error, "correct or remove the variable, or set edgehub.proxy");
                return Ok(report.end());
            }
        };
        for target in &targets {
            match target.url.trim().starts_with("quic://") {
                true => quic(&config, target, tls.clone(), &mut report).await,
                false => endpoint(&config, target, tls.clone(), &mut report).await,
            }
        }
        Ok(report.end())
    }
}

/// Certificates: whether they can be used, whose they are, and how long they last.
fn files(config: &NodeConfig, report: &mut Report) -> Option<Arc<ClientConfig>> {
    let tls = match tls::client_config(&config.files) {
        Ok(tls) => {
            report.good("files", config.files.certificate.display());
            tls
        }
        Err(error) => {
            // It names the file and the remedy.
            report.bad("files", error, "");
            return None;
        }
    };
    let certificate = CertificateDer::from_pem_file(&config.files.certificate).ok()?;
    match tls::node_name(&certificate) {
        Some(name) if name == config.node_name => report.good("names", name),
        Some(name) => report.bad(
            "names",
            format_args!("the certificate is for node {name}, the configuration for {}", config.node_name),
            "set modules.edged.hostnameOverride to the certificate's name, or get a certificate for this node",
        ),
        None => report.bad("names", "the certificate names no node", "get one with CN=system:node:NAME"),
    }
    expiry(&certificate, report);
    Some(tls)
}

fn expiry(certificate: &[u8], report: &mut Report) {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(certificate) else {
        return report.bad("expiry", "the certificate cannot be read", "get another one");
    };
    let ends =
        UNIX_EPOCH + Duration::from_secs(parsed.validity().not_after.timestamp().try_into().unwrap_or(0));
    let left = ends.duration_since(SystemTime::now()).unwrap_or_default();
    let told = format!("{} ({} days left)", parsed.validity().not_after, left.as_secs() / 86_400);
    if left < EXPIRES_SOON {
        report.bad("expiry", told, "renew the certificate, or let edgehub do it (rotateCertificates)");
    } else {
        report.good("expiry", told);
    }
}

/// The way to one cloud hub: what comes before a step that fails has gone well.
async fn endpoint(config: &NodeConfig, target: &Target, tls: Arc<ClientConfig>, report: &mut Report) {
    const STEPS: [&str; 4] = ["name", "connection", "TLS", "upgrade"];
    let by = target.proxy.as_ref().map(|proxy| format!(" by way of {proxy}")).unwrap_or_default();
    let outcome = websocket::connect(target, tls).await;
    let failed_at = match &outcome {
        Ok(_) => STEPS.len(),
        Err(ConnectError::BadUrl { .. } | ConnectError::Reach(ReachError::NameNotFound { .. })) => 0,
        Err(ConnectError::Reach(_)) => 1,
        Err(ConnectError::Tls(_)) => 2,
        Err(ConnectError::Timeout(_)) => 1,
        Err(_) => 3,
    };
    for step in STEPS.iter().take(failed_at) {
        report.good(step, format_args!("{}{by}", target.url));
    }
    match outcome {
        Ok(stream) => session(config, target, stream, report).await,
        Err(error) => {
            let step = STEPS.get(failed_at).copied().unwrap_or_default();
            report.bad(step, format_args!("{}{by}: {error}", target.url), remedy(&error));
        }
    }
}

/// The way to one cloud hub over QUIC, up to the answer to the first keepalive. With a WebSocket beside it, a network that lets no
/// UDP through is no failure.
async fn quic(config: &NodeConfig, target: &Target, tls: Arc<ClientConfig>, report: &mut Report) {
    let probe = config.hub.reach.probe.clone().unwrap_or_default();
    let begun = SystemTime::now();
    match edgehub::edge::try_session(target, tls, &probe.resource, probe.limit).await {
        Ok(answered_at) => {
            for step in ["name", "QUIC", "TLS", "accepted"] {
                report.good(step, &target.url);
            }
            report.good("keepalive", format_args!("{} serves this node", target.url));
            let since_1970 = Duration::from_millis(u64::try_from(answered_at.0).unwrap_or_default());
            clock(begun, UNIX_EPOCH + since_1970, report);
        }
        Err(TrialError::Open(why)) if config.lane == Lane::Auto => {
            report.good("QUIC", format_args!("{}: {why}; the WebSocket takes its place", target.url));
        }
        Err(TrialError::Open(why)) => report.bad(
            "QUIC",
            format_args!("{}: {why}", target.url),
            "let UDP through to this port and start `edgehub cloud --quic` there, or enable modules.edgeHub.websocket",
        ),
        Err(problem) => report.bad("keepalive", problem, NOT_SERVED),
    }
}

fn remedy(error: &ConnectError) -> &'static str {
    match error {
        ConnectError::BadUrl { .. } => "correct modules.edgeHub.websocket.server",
        ConnectError::Reach(ReachError::NameNotFound { .. }) => "correct the name or the DNS of this machine",
        ConnectError::Reach(ReachError::Refused { .. }) => "start CloudHub there, or correct the port",
        ConnectError::Reach(ReachError::Unreachable { .. }) => {
            "look at the route and the firewall; a proxy is set with edgehub.proxy"
        }
        ConnectError::Reach(_) => "correct edgehub.proxy, or the variables HTTPS_PROXY and NO_PROXY",
        ConnectError::Tls(_) => "compare the CA of both sides and the names in CloudHub's certificate",
        ConnectError::Timeout(_) => "look at the firewall, or set a longer websocket.handshakeTimeout",
        _ => "look whether a CloudHub is at this address, and what its log says of this node",
    }
}

/// Whether the cloud serves the node, and what its clock shows.
async fn session(config: &NodeConfig, target: &Target, mut stream: Stream, report: &mut Report) {
    let probe = config.hub.reach.probe.clone().unwrap_or_default();
    let begun = SystemTime::now();
    match session::ask(&mut stream, &probe.resource, probe.limit).await {
        Ok(answered_at) => {
            report.good("keepalive", format_args!("{} serves this node", target.url));
            clock(begun, answered_at, report);
        }
        Err(problem) => report.bad("keepalive", problem, NOT_SERVED),
    }
}

/// The cloud's clock was read between two looks at ours.
fn clock(begun: SystemTime, answered_at: SystemTime, report: &mut Report) {
    let now = SystemTime::now();
    let (difference, which) = match (begun.duration_since(answered_at), answered_at.duration_since(now)) {
        (Ok(ahead), _) => (ahead, "ahead of"),
        (_, Ok(behind)) => (behind, "behind"),
        _ => (Duration::ZERO, "with"),
    };
    let told = format!("{} s {which} the cloud's", difference.as_secs());
    match difference > CLOCK_TOLERANCE {
        true => report.bad("clock", told, "set this machine's clock, for example with NTP"),
        false => report.good("clock", told),
    }
}
