//! `edgehub check`: whether this node can reach its cloud, step by step, with the remedy for each step that fails.

mod files;

use super::{DEFAULT_CONFIGURATION, Failure, identity, say};
use clap::Args;
use edgehub::config::NodeConfig;
use edgehub::core::identity::{Problem, REQUEST_LIMIT, join_command};
use edgehub::edge::TrialError;
use edgehub::identity::Service;
use edgehub::websocket::Target;
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
        let service = identity::service(&config);
        let join = identity::config(&self.config, &config, service.as_ref().ok().and_then(Option::as_ref))?;
        let join = join_command(&join);
        let Some(tls) = files::look(&self.config, &config, &join, &mut report) else {
            return Ok(report.end());
        };
        if let Ok(Some(service)) = &service {
            certificates(service, &mut report).await;
        }
        let targets = match edgehub::edge::proxied_targets(&config) {
            Ok(targets) => targets,
            Err(error) => {
                report.bad("proxy", error, "correct or remove the variable, or set edgehub.proxy");
                return Ok(report.end());
            }
        };
        for target in &targets {
            let stand_in = target.has_stand_in(&targets);
            endpoint(&config, target, stand_in, tls.clone(), &mut report).await;
        }
        Ok(report.end())
    }
}

/// The way to one cloud hub, up to the answer to the first keepalive: what comes before a step that fails has gone well. With a
/// stand-in, a network that does not let this way through is no failure.
async fn endpoint(
    config: &NodeConfig,
    target: &Target,
    stand_in: bool,
    tls: Arc<ClientConfig>,
    report: &mut Report,
) {
    let by = target.proxy.as_ref().map(|proxy| format!(" by way of {proxy}")).unwrap_or_default();
    let probe = config.hub.reach.probe.clone().unwrap_or_default();
    let begun = SystemTime::now();
    let outcome = edgehub::edge::try_session(target, tls, &probe.resource, probe.limit).await;
    let failed_at = match &outcome {
        Err(TrialError::Open { step, .. }) => Some(*step),
        _ => None,
    };
    for step in target.steps().iter().take_while(|step| Some(**step) != failed_at) {
        report.good(step, format_args!("{}{by}", target.url));
    }
    match outcome {
        Ok(answered_at) => {
            report.good("keepalive", format_args!("{} serves this node", target.url));
            let since_1970 = Duration::from_millis(u64::try_from(answered_at.0).unwrap_or_default());
            clock(begun, UNIX_EPOCH + since_1970, report);
        }
        Err(TrialError::Open { step, why, .. }) if stand_in => {
            report.good(step, format_args!("{}: {why}; another lane takes its place", target.url));
        }
        Err(TrialError::Open { step, why, remedy }) => {
            report.bad(step, format_args!("{}{by}: {why}", target.url), remedy);
        }
        Err(problem) => report.bad("keepalive", problem, NOT_SERVED),
    }
}

/// Whether the certificate service answers, and what its clock shows: also where no link can be made for the clock's sake.
async fn certificates(service: &Service, report: &mut Report) {
    let begun = SystemTime::now();
    let late = async {
        smol::Timer::after(REQUEST_LIMIT).await;
        Err(Problem::TooLate { limit: REQUEST_LIMIT })
    };
    let asked = async { service.time().await.map_err(Problem::Unanswered) };
    match or(asked, late).await {
        Ok(date) => {
            report.good("certificates", format_args!("{service} answers"));
            let since_1970 = date.and_then(|date| u64::try_from(date.0).ok()).map(Duration::from_millis);
            if let Some(since_1970) = since_1970 {
                clock(begun, UNIX_EPOCH + since_1970, report);
            }
        }
        // It says what to do.
        Err(problem) => report.bad("certificates", problem, ""),
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
