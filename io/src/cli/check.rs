//! `edgehub check`: whether this node can reach its cloud, step by step, with the remedy for each step that fails.

mod files;
mod session;

use super::{DEFAULT_CONFIGURATION, Failure, identity, say};
use bytes::Bytes;
use clap::Args;
use edgehub::config::{Lane, NodeConfig};
use edgehub::core::identity::{Problem, REQUEST_LIMIT, join_command};
use edgehub::edge::TrialError;
use edgehub::identity::Service;
use edgehub::reach::ReachError;
use edgehub::websocket::{self, ConnectError, Stage, Stream, Target, TlsFailure};
use rustls::ClientConfig;
use smol::future::or;
use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIGURATION)]
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
        // What is wrong with the proxy is told below.
        let services = identity::services(&config).unwrap_or_default();
        let join = identity::config(&self.config, &config, &services)?;
        let join = join_command(&join);
        let Some((tls, trusted)) = files::look(&self.config, &config, &join, &mut report) else {
            return Ok(report.end());
        };
        for service in &services {
            certificates(service, trusted.clone(), &mut report).await;
        }
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

/// The way to one cloud hub: what comes before a step that fails has gone well.
async fn endpoint(config: &NodeConfig, target: &Target, tls: Arc<ClientConfig>, report: &mut Report) {
    let by = target.proxy.as_ref().map(|proxy| format!(" by way of {proxy}")).unwrap_or_default();
    let outcome = websocket::connect(target, tls).await;
    let failed_at = outcome.as_ref().err().map(ConnectError::stage);
    for stage in Stage::ALL.into_iter().take_while(|stage| Some(*stage) != failed_at) {
        report.good(&stage.to_string(), format_args!("{}{by}", target.url));
    }
    match outcome {
        Ok(stream) => session(config, target, stream, report).await,
        Err(error) => {
            let stage = error.stage().to_string();
            report.bad(&stage, format_args!("{}{by}: {error}", target.url), remedy(&error));
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
        ConnectError::Tls(TlsFailure::OutOfDate(_)) => {
            "set this machine's clock, for example with NTP, or renew CloudHub's certificate"
        }
        ConnectError::Tls(_) => "compare the CA of both sides and the names in CloudHub's certificate",
        ConnectError::Timeout { at: Stage::Name, .. } => "look at the DNS of this machine",
        ConnectError::Timeout { at: Stage::Connection, .. } => {
            "look at the route and the firewall; a proxy is set with edgehub.proxy"
        }
        ConnectError::Timeout { .. } => {
            "look at the load of CloudHub and whether it is one, or set a longer websocket.handshakeTimeout"
        }
        _ => "look whether a CloudHub is at this address, and what its log says of this node",
    }
}

/// Whether the certificate service is one that this node can renew with, and what its clock shows: also where no link can be
/// made for the clock's sake.
async fn certificates(service: &Service, trusted: Vec<Bytes>, report: &mut Report) {
    let begun = SystemTime::now();
    let late = async {
        smol::Timer::after(REQUEST_LIMIT).await;
        Err(Problem::TooLate { limit: REQUEST_LIMIT })
    };
    let asked = async {
        let date = service.time().await.map_err(Problem::Unanswered)?;
        Ok((date, service.authority(trusted).await))
    };
    match or(asked, late).await {
        Ok((date, authority)) => {
            match authority {
                Ok(()) => report.good("certificates", format_args!("{service} answers")),
                Err(problem) => report.bad("certificates", format_args!("{service}: {problem}"), ""),
            }
            let since_1970 = date.and_then(|date| u64::try_from(date.0).ok()).map(Duration::from_millis);
            if let Some(since_1970) = since_1970 {
                clock(begun, UNIX_EPOCH + since_1970, report);
            }
        }
        // It says what to do.
        Err(problem) => report.bad("certificates", problem, ""),
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
        _ => (Duration::ZERO, "as"),
    };
    let told = match difference.as_secs() {
        0 => "shows what the cloud's does".to_owned(),
        seconds => format!("{seconds} s {which} the cloud's"),
    };
    match difference > CLOCK_TOLERANCE {
        true => report.bad("clock", told, "set this machine's clock, for example with NTP"),
        false => report.good("clock", told),
    }
}
