//! The node's files: who can read them, whether they can be used, whose they are, and how long they last.

use super::Report;
use crate::cli::identity;
use bytes::Bytes;
use edgehub::config::NodeConfig;
use edgehub::core::identity::Validity;
use edgehub::core::identity::date::Utc;
use edgehub::tls::{self, PairOnDisk};
use rustls::ClientConfig;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

const DAY: i64 = 86_400;

/// What ends sooner than this is worth a look, in seconds.
const EXPIRES_SOON: i64 = 7 * DAY;

/// Looks at all of that; `join` is the command that gives the node other files. Returns what a link is opened with, and the
/// authorities that are trusted. What is out of its validity is no reason not to go on: the server may have another opinion of the time.
pub(super) fn look(
    file: &Path,
    config: &NodeConfig,
    join: &str,
    report: &mut Report,
) -> Option<(Arc<ClientConfig>, Vec<Bytes>)> {
    let exposed = identity::exposed(file, config);
    for (path, what) in &exposed {
        let told = format!("everybody on this machine can read {what} in {}", path.display());
        report.bad("secrets", told, &format!("chmod 600 {}", path.display()));
    }
    if exposed.is_empty() {
        report.good("secrets", "nobody else can read them");
    }
    let (pair, tls) = match tls::usable_pair(&config.files) {
        Ok(found) => {
            report.good("files", config.files.certificate.display());
            found
        }
        Err(error) => {
            // It names the file and the remedy.
            report.bad("files", error, "");
            return None;
        }
    };
    names(config, &pair, report);
    let renews = !config.http_servers.is_empty() && config.rotate_certificates;
    let soon = if renews {
        "look at the log of `edgehub run`, which renews it, for why it does not".to_owned()
    } else {
        format!("set modules.edgeHub.httpServer and rotateCertificates, or run: {join}")
    };
    match pair.validity() {
        Some(validity) => lasts("expiry", validity, &soon, &format!("run: {join}"), report),
        None => report.bad("expiry", "the certificate cannot be read", &format!("run: {join}")),
    }
    let remedy = format!("have the cloud's authority renewed, then run: {join}");
    match pair.root_validities().into_iter().max_by_key(|validity| validity.not_after) {
        Some(validity) => lasts("authority", validity, &remedy, &remedy, report),
        None => report.bad("authority", "its certificate cannot be read", &remedy),
    }
    Some((tls, pair.roots))
}

fn names(config: &NodeConfig, pair: &PairOnDisk, report: &mut Report) {
    match tls::node_name(&pair.certificate) {
        Some(name) if name == config.node_name => report.good("names", name),
        Some(name) => report.bad(
            "names",
            format_args!("the certificate is for node {name}, the configuration for {}", config.node_name),
            "set modules.edged.hostnameOverride to the certificate's name, or get a certificate for this node",
        ),
        None => report.bad("names", "the certificate names no node", "get one with CN=system:node:NAME"),
    }
}

/// How long a certificate lasts, with what to do if that is not long any more, and if it is over.
fn lasts(step: &str, validity: Validity, soon: &str, over: &str, report: &mut Report) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let Validity { not_before, not_after } = validity;
    let left = not_after.saturating_sub(now);
    match () {
        () if now < not_before => report.bad(
            step,
            format_args!("not valid before {}", Utc(not_before)),
            "set this machine's clock, for example with NTP",
        ),
        () if left < 0 => report.bad(step, format_args!("expired on {}", Utc(not_after)), over),
        () => {
            let told = format!("{} ({} days left)", Utc(not_after), left / DAY);
            if left < EXPIRES_SOON { report.bad(step, told, soon) } else { report.good(step, told) }
        }
    }
}
