//! What a hub needs to run.

use super::recorder::{Capture, Memory, RecorderOptions};
use crate::config::{self, NodeConfig};
use crate::journal::{JournalError, Opened};
use crate::reach::Environment;
use crate::tls::{self, PairOnDisk, Problem, TlsError};
use crate::websocket::Target;
use edgehub_core::config::Rate;
use edgehub_core::trace::Contents;
use edgehub_core::{Acknowledge, Config, DuplicateWindow, Note, Now, Profile};
use rustls::ClientConfig;
use std::fmt;
use std::sync::Arc;

/// Is told every note, in order, from inside the driver: it must be quick.
pub type Observer = Box<dyn FnMut(Now, &Note) + Send + Sync>;

/// What a hub needs to run.
pub struct Options {
    /// The core's configuration.
    pub config: Config,
    /// Where to dial: the endpoints of [`Config::endpoints`], in the same order.
    pub targets: Vec<Target>,
    /// Whether the cloud is offered compression on the QUIC lane. It costs some 20 µs a message, and saves nine tenths of the bytes of
    /// small ones; [`Options::new`] leaves it off.
    pub compression: bool,
    /// Certificates.
    pub tls: Arc<ClientConfig>,
    /// Decides every jitter and message id of the hub.
    pub seed: u64,
    /// Is told what happens and why.
    pub observer: Option<Observer>,
    /// The flight recorder, if there is to be one.
    pub recorder: Option<RecorderOptions>,
    /// The journal for messages of persistent classes, if there is to be one.
    pub journal: Option<Opened>,
    /// The journal for dead letters, if there is to be one, opened with
    /// [`journal::Options::dead_letters`](crate::journal::Options::dead_letters).
    pub letters: Option<Opened>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("config", &self.config)
            .field("targets", &self.targets)
            .finish_non_exhaustive()
    }
}

impl Options {
    /// Options with a random seed and no observer.
    pub fn new(config: Config, targets: Vec<Target>, tls: Arc<ClientConfig>) -> Options {
        Options {
            config,
            targets,
            compression: false,
            tls,
            seed: fastrand::u64(..),
            observer: None,
            recorder: None,
            journal: None,
            letters: None,
        }
    }

    /// From a node's configuration; loads its certificates and reads its journal.
    pub fn from_config(node: &NodeConfig) -> Result<Options, OptionsError> {
        Options::with_tls(node, tls::client_config(&node.files)?)
    }

    /// The same for a node whose certificate is looked after by an [`IdentityDriver`](crate::identity::IdentityDriver): one
    /// that is out of its validity is that one's business, and so is one that is missing where a service can give one. A damaged one is
    /// not: somebody put it there. Tells also what the hub begins with, to tell another pair by.
    pub fn from_config_with_identity(
        node: &NodeConfig,
    ) -> Result<(Options, Option<PairOnDisk>), OptionsError> {
        let (pair, tls) = match tls::usable_pair(&node.files) {
            Ok((pair, tls)) => (Some(pair), tls),
            Err(error) if error.problem == Problem::Missing && !node.http_servers.is_empty() => {
                (None, tls::client_config_without_identity()?)
            }
            Err(damaged) => return Err(damaged.into()),
        };
        Ok((Options::with_tls(node, tls)?, pair))
    }

    fn with_tls(node: &NodeConfig, tls: Arc<ClientConfig>) -> Result<Options, OptionsError> {
        let recorder = node.hub.recorder.as_ref().map(|recorder| RecorderOptions {
            contents: if recorder.contents { Contents::Kept } else { Contents::Redacted },
            memory: Some(Memory { bytes: recorder.memory, folder: recorder.path.clone() }),
            file: (recorder.files > 0).then(|| Capture {
                path: recorder.path.join("recording.trace"),
                keep: recorder.files - 1,
                rotate_at: Some(recorder.file_bytes),
            }),
            ..RecorderOptions::new(&node.node_name)
        });
        let targets = proxied_targets(node)?;
        let options = Options::new(core_config(node), targets, tls);
        let identity = node.identity();
        let open = |(dir, options)| Opened::open(dir, &identity, options);
        let journal = node.hub.journal.as_ref().map(|journal| (journal.dir.as_path(), journal.options()));
        let letters = node.hub.letters.as_ref().map(|letters| (letters.dir.as_path(), letters.options()));
        let (journal, letters) = (journal.map(open).transpose()?, letters.map(open).transpose()?);
        Ok(Options { recorder, journal, letters, compression: node.hub.compression, ..options })
    }
}

/// What a node connects to, each with the proxy on the way to it, as the configuration and the environment of
/// this process say.
pub fn proxied_targets(node: &NodeConfig) -> Result<Vec<Target>, OptionsError> {
    let environment = Environment::read();
    let targets = node.targets();
    let with_proxy = |target: Target| {
        // What is no address is told when it is dialled.
        let Some((host, port)) = target.host_and_port() else { return Ok(Some(target)) };
        let proxy = node.hub.reach.proxy.for_host(&host, port, &environment).map_err(OptionsError::Proxy)?;
        match proxy.is_none() || target.passes_proxies() {
            true => Ok(Some(Target { proxy, ..target })),
            // The other lane is there for that.
            false if target.has_stand_in(&targets) => Ok(None),
            false => Err(OptionsError::Proxy(format!(
                "a proxy is to be passed on the way to {host}, and QUIC passes none: use the WebSocket lane, or name the \
                 host in NO_PROXY"
            ))),
        }
    };
    targets.iter().cloned().filter_map(|target| with_proxy(target).transpose()).collect()
}

/// Why a node's configuration cannot be used on this machine.
#[derive(Debug)]
pub enum OptionsError {
    /// Its certificates cannot be loaded.
    Tls(TlsError),
    /// Its journal cannot be opened.
    Journal(JournalError),
    /// The environment names a proxy that is none.
    Proxy(String),
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OptionsError::Tls(error) => error.fmt(f),
            OptionsError::Journal(error) => error.fmt(f),
            OptionsError::Proxy(problem) => f.write_str(problem),
        }
    }
}

impl std::error::Error for OptionsError {}

impl From<TlsError> for OptionsError {
    fn from(error: TlsError) -> OptionsError {
        OptionsError::Tls(error)
    }
}

impl From<JournalError> for OptionsError {
    fn from(error: JournalError) -> OptionsError {
        OptionsError::Journal(error)
    }
}

/// The core's part of a node's configuration.
pub(super) fn core_config(node: &NodeConfig) -> Config {
    let profile = match node.profile {
        config::Profile::Current => Profile::Current,
        config::Profile::Classic => Profile::Classic,
    };
    let journal = node.hub.journal.as_ref();
    // A full outbox drops its oldest messages, and a full journal makes modules wait: the former comes first.
    let journal_bytes = journal.and_then(|journal| usize::try_from(journal.bytes / 2).ok());
    let defaults = Config::default();
    let rate = Rate { per_second: node.message_qps, burst: node.message_burst };
    Config {
        profile,
        heartbeat: node.heartbeat,
        ping_interval: node.hub.ping_interval,
        ping_misses: node.hub.ping_misses,
        pong_limit: node.hub.confirm.limit,
        barrier_messages: node.hub.confirm.messages,
        barrier_after: node.hub.confirm.time,
        stall_limit: node.hub.stall_limit,
        open_timeout: node.active_lane().handshake_timeout,
        backoff_base: node.hub.backoff_base,
        backoff_max: node.hub.backoff_max,
        sync_timeout: node.hub.sync_timeout,
        outbox_messages: node.hub.outbox_messages,
        outbox_bytes: node.hub.outbox_bytes.min(journal_bytes.unwrap_or(usize::MAX)),
        drain: node.hub.drain,
        spool_above: journal.map_or(defaults.spool_above, |journal| journal.memory),
        classes: node.hub.classes.clone(),
        acknowledge: node
            .hub
            .acknowledged_by_hub
            .iter()
            .map(|group| ((*group).into(), Acknowledge::Hub))
            .collect(),
        duplicate_window: DuplicateWindow {
            messages: node.hub.duplicate_messages,
            time: node.hub.duplicate_time,
        },
        rate: Some(rate),
        probe: node.hub.reach.probe.clone(),
        cloud_keepalive: node.hub.reach.cloud_keepalive,
        endpoints: node.hub.reach.endpoints.clone(),
        ..defaults
    }
}
