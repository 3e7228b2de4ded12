//! A node's configuration, read from the files that nodes already have.
//!
//! Two dialects are understood: KubeEdge's `edgecore.yaml` (profile *current*) and the configuration of late 2019 with
//! its `edgehub.controller` section (profile *classic*). Our own settings, which neither dialect knows, sit in a
//! top-level section `edgehub` of the same file:
//!
//! ```yaml
//! edgehub:
//!   pingInterval: 5        # seconds between WebSocket pings
//!   pingMisses: 3          # unanswered pings that end a link
//!   backoff: {base: 1, max: 60}
//!   outbox: {messages: 10000, bytes: 67108864}
//!   confirm: {messages: 1024, time: 0.05, limit: 120} # when a ping asks whether the cloud has what was sent
//!   stallLimit: 30         # seconds that a module may take nothing while messages wait for it
//!   syncTimeout: 30        # seconds that a module waits for an answer from the cloud
//!   acknowledge: {resource: hub}                # by hub or by module, for each group; module by default
//!   duplicateWindow: {messages: 1024, time: 60} # what comes again within it is delivered once
//!   journal: {dir: /var/lib/edgehub/journal}    # messages survive the process; also bytes, classes, memory, unusable
//! ```
//!
//! The file is walked, not deserialised into structs: all its problems are reported at once, each with its path.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

mod classes;
mod classic;
mod edgecore;
mod extension;
mod fuzz;
mod journal;
mod problem;
mod reach;
mod reader;

pub use extension::{ConfirmConfig, GROUPS, HubConfig, RecorderConfig};
#[doc(hidden)]
pub use fuzz::fuzz;
pub use journal::{JournalConfig, LettersConfig};
pub use problem::{ConfigErrors, Problem, Warning};
pub use reach::ReachConfig;

use crate::lane::QUIC_SCHEME;
use crate::tls::ClientFiles;
use crate::websocket::Target;
use reader::{Report, Section};

/// The project id of every node that is not told another.
pub const DEFAULT_PROJECT_ID: &str = "e632aba927ea4ac2b575ec1603d56f10";

/// What a node needs to know to reach its cloud hub.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeConfig {
    /// Which hub's behaviour is asked for.
    pub profile: Profile,
    /// The node's name (`modules.edged.hostnameOverride`, `edgehub.controller.node-id`).
    pub node_name: String,
    /// The project id, [`DEFAULT_PROJECT_ID`] unless told otherwise.
    pub project_id: String,
    /// The transport in use.
    pub lane: Lane,
    /// The WebSocket lane. Its addresses are `wss://` URLs, with or without a path.
    pub websocket: LaneConfig,
    /// The QUIC lane. Its addresses are `HOST:PORT`.
    pub quic: LaneConfig,
    /// Time between two keepalives; 15 s by default.
    pub heartbeat: Duration,
    /// CA, certificate and key.
    pub files: ClientFiles,
    /// Messages per second that the node may send; 30 by default.
    pub message_qps: u32,
    /// Messages that the node may send at once after a pause; 60 by default.
    pub message_burst: u32,
    /// Whether the node renews its certificate by itself.
    pub rotate_certificates: bool,
    /// The token to join the cloud with.
    pub token: Option<Token>,
    /// `https://HOST:PORT` of the cloud's certificate service; of several, the next one is asked when one fails.
    pub http_servers: Vec<String>,
    /// Our own settings.
    pub hub: HubConfig,
}

/// Which hub's behaviour is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// The hub of 2022 onwards.
    Current,
    /// The hub of late 2019.
    Classic,
}

/// A transport to the cloud hub.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// WebSocket over TLS.
    #[default]
    WebSocket,
    /// QUIC.
    Quic,
    /// QUIC, and a WebSocket where it does not get through.
    Auto,
}

/// The settings of one lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneConfig {
    /// Where cloud hubs are reached; the first that answers is used. Never empty for the lane in use.
    pub addresses: Vec<String>,
    /// The time to open a link; 30 s by default.
    pub handshake_timeout: Duration,
}

/// The token to join the cloud with. It is a secret, and `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Wraps a token.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// The token itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl NodeConfig {
    /// Reads a configuration. Whatever is questionable but usable comes back as a warning.
    ///
    /// A file without a node name means this machine, as it does for KubeEdge; that is the only thing taken from
    /// outside the text.
    pub fn from_yaml(text: &str) -> Result<(Self, Vec<Warning>), ConfigErrors> {
        let options = serde_saphyr::options! { with_snippet: false };
        let document: Value = serde_saphyr::from_str_with_options(text, options)
            .map_err(|error| ConfigErrors::of_file(format!("not YAML: {error}")))?;
        match &document {
            Value::Object(_) => {}
            Value::Null => return Err(ConfigErrors::of_file("the file is empty".into())),
            _ => {
                return Err(ConfigErrors::of_file(
                    "expected a mapping of sections, found something else".into(),
                ));
            }
        }
        let report = Report::default();
        let root = Section::root(&document, &report);
        let config = match dialect(&root) {
            Ok(Profile::Current) => edgecore::read(&root),
            Ok(Profile::Classic) => classic::read(&root),
            Err(message) => return Err(ConfigErrors::of_file(message)),
        };
        match report.into_parts() {
            (problems, warnings) if problems.is_empty() => Ok((config, warnings)),
            (problems, _) => Err(ConfigErrors { file: None, problems }),
        }
    }

    /// Reads a configuration file.
    pub fn load(path: &Path) -> Result<(Self, Vec<Warning>), ConfigErrors> {
        let outcome = fs::read_to_string(path)
            .map_err(|error| ConfigErrors::of_file(format!("cannot be read: {error}")))
            .and_then(|text| Self::from_yaml(&text));
        outcome.map_err(|errors| ConfigErrors { file: Some(path.to_owned()), ..errors })
    }

    /// The settings of the lane in use.
    pub fn active_lane(&self) -> &LaneConfig {
        match self.lane {
            // With both, the one that is given more time.
            Lane::WebSocket | Lane::Auto => &self.websocket,
            Lane::Quic => &self.quic,
        }
    }

    /// What to connect to over WebSocket, in order of preference.
    pub fn websocket_targets(&self) -> Vec<Target> {
        self.targets_of(&self.websocket, "")
    }

    /// The targets of the lane in use.
    pub fn targets(&self) -> Vec<Target> {
        match self.lane {
            Lane::WebSocket => self.websocket_targets(),
            Lane::Auto => [self.targets_of(&self.quic, QUIC_SCHEME), self.websocket_targets()].concat(),
            Lane::Quic => self.targets_of(&self.quic, QUIC_SCHEME),
        }
    }

    fn targets_of(&self, lane: &LaneConfig, scheme: &str) -> Vec<Target> {
        let target = |address: &String| Target {
            handshake_timeout: lane.handshake_timeout,
            ..Target::new(format!("{scheme}{address}"), &self.project_id, &self.node_name)
        };
        lane.addresses.iter().map(target).collect()
    }
}

/// Tells the two dialects apart by the sections that only one of them has.
fn dialect(root: &Section<'_>) -> Result<Profile, String> {
    let classic = root.section("edgehub").has_any(&["controller", "websocket", "quic"]);
    match (root.has_any(&["modules"]), classic) {
        (true, true) => {
            Err("both `modules` (current) and `edgehub.controller`, `.websocket` or `.quic` (classic) are \
                             there; keep one of them"
                .into())
        }
        (_, false) => Ok(Profile::Current),
        (false, true) => Ok(Profile::Classic),
    }
}

/// The files of a node that is not told other ones.
fn default_files() -> ClientFiles {
    ClientFiles {
        ca: PathBuf::from("/etc/kubeedge/ca/rootCA.crt"),
        certificate: PathBuf::from("/etc/kubeedge/certs/server.crt"),
        key: PathBuf::from("/etc/kubeedge/certs/server.key"),
    }
}

const HEARTBEAT: Duration = Duration::from_secs(15);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);
/// KubeEdge's, for a single read or write.
const DEADLINE: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests;
