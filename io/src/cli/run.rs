//! `edgehub run`: a node's edge hub.

use super::{DEFAULT_CONFIGURATION, Failure, identity, process};
use async_channel::Receiver;
use clap::Args;
use edgehub::config::NodeConfig;
use edgehub::core::trace;
use edgehub::edge::{AskedBy, Capture, RecorderOptions};
use edgehub::identity::{IdentityDriver, Store, TokenSource, Told};
use edgehub::tls::PairOnDisk;
use edgehub::{EdgeHub, Options};
use smol::future::{or, zip};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use tracing::{error, info, warn};

/// Recordings that are kept beside the present one.
const CAPTURES_KEPT: u32 = 7;

const AFTER_HELP: &str = "\
Examples:
  edgehub run                                        # with KubeEdge's own file
  edgehub run --config node.yaml --log debug         # every attempt to open a link
  edgehub run --config node.yaml --record hub.trace  # then `edgehub explain hub.trace`";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Run {
    /// The node's configuration: KubeEdge's edgecore.yaml (v1alpha2), or the classic keys of 2019
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIGURATION)]
    pub(super) config: PathBuf,
    /// Record everything that the hub is told into this file; contents of messages by length and hash only. A file that is
    /// there becomes FILE.1, and that FILE.2, up to FILE.7
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Record contents, too
    #[arg(long, requires = "record")]
    record_contents: bool,
    /// Begin another file after so many MiB, too
    #[arg(long, value_name = "MIB", requires = "record")]
    record_rotate: Option<u64>,
}

impl Run {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        let node = node(&self.config)?;
        let (identity, told) = looks_after(&self.config, &node)?;
        let (mut options, used) = Options::from_config_with_identity(&node)?;
        if let Some(path) = self.record {
            let mut recorder = options.recorder.unwrap_or_else(|| RecorderOptions::new(""));
            let rotate_at = self.record_rotate.map(|mib| mib << 20);
            recorder.file = Some(Capture { path, keep: CAPTURES_KEPT, rotate_at });
            if self.record_contents {
                recorder.contents = trace::Contents::Kept;
            }
            options.recorder = Some(recorder);
        }
        let (hub, driver) = EdgeHub::new(options);
        let dumps = process::each_dump_signal(async || {
            // A hub that has stopped has nothing to tell.
            let _ = hub.dump_recording(AskedBy::Signal).await;
        });
        let identity = async {
            zip(identity.run(), follow(&hub, used.map(Arc::new), told)).await;
            std::future::pending().await
        };
        let end = async {
            process::told_to_end().await?;
            info!("told to end; sending what is queued");
            hub.shutdown().await.map_err(Failure::from)
        };
        let (ended, ()) = zip(or(end, or(dumps, identity)), driver.run()).await;
        let account = ended?;
        info!(
            up = account.up.confirmed,
            down = account.down.confirmed,
            dropped_up = account.up.dropped(),
            dropped_down = account.down.dropped(),
            "stopped"
        );
        Ok(ExitCode::SUCCESS)
    }
}

/// Looks after the node's certificate: gets it from the certificate service, if the configuration names one, and sees what
/// others do to its files in any case.
fn looks_after(file: &Path, node: &NodeConfig) -> Result<(IdentityDriver, Receiver<Told>), Failure> {
    for (path, what) in identity::exposed(file, node) {
        warn!("{}: everybody on this machine can read {what} in it; run: chmod 600 {0}", path.display());
    }
    let services = identity::services(node)?;
    let config = identity::config(file, node, &services)?;
    let tokens = TokenSource::Configuration(file.to_owned());
    Ok(IdentityDriver::new(config, Store::new(node.files.clone()), services, tokens))
}

/// Hands every new pair to the hub: the one that was judged, whatever the files are by then.
async fn follow(hub: &EdgeHub, mut used: Option<Arc<PairOnDisk>>, told: Receiver<Told>) {
    while let Ok(told) = told.recv().await {
        let Told::Use(pair) = told else { continue };
        if used.as_ref().is_some_and(|used| used.is_same(&pair)) {
            continue;
        }
        match pair.client_config() {
            Ok(tls) => {
                used = Some(pair);
                // A hub that has stopped needs no certificate.
                let _ = hub.renew(tls).await;
            }
            Err(error) => error!("the new certificate cannot be used: {error}"),
        }
    }
}

/// A hub's options from a configuration file, with its warnings logged; without the flight recorder, which is for hubs that
/// stay.
pub(super) fn options(file: &Path) -> Result<Options, Failure> {
    Ok(Options { recorder: None, ..Options::from_config(&node(file)?)? })
}

/// A configuration, with its warnings logged.
pub(super) fn node(file: &Path) -> Result<NodeConfig, Failure> {
    let (config, warnings) = NodeConfig::load(file)?;
    for warning in warnings {
        warn!("{}: {warning}", file.display());
    }
    Ok(config)
}
