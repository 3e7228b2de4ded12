//! What can be configured, with KubeEdge's own defaults where it has one.

use crate::class::Classes;
use crate::limits::{DUPLICATE_WINDOW_MAX, ENDPOINTS_MAX, LANE_RETRY, LANE_TRIAL, SPOOL_ABOVE_BYTES};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// Which generation of KubeEdge's edge hub the routing follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Profile {
    /// The hub of 2022 onwards.
    #[default]
    Current,
    /// The hub of late 2019: one bus group, sync waits bounded by the heartbeat.
    Classic,
}

/// The rate limit on what modules send: a token bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Messages per second in the long run.
    pub per_second: u32,
    /// Messages that may leave at once after a quiet time.
    pub burst: u32,
}

/// How a long backlog leaves after the link has come up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// Messages of the backlog per second; at least 1.
    pub per_second: u32,
    /// A backlog of so many messages or fewer leaves at once.
    pub above: usize,
    /// The longest wait before the first one leaves: each link draws its own.
    pub spread: Duration,
}

/// Who tells the cloud that a message has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Acknowledge {
    /// The module that receives it, when it has done with it what must not be lost.
    #[default]
    Module,
    /// The hub, once every receiver has been handed it. Requests of the cloud are left to the module: it waits for their
    /// answer.
    Hub,
}

/// How long the hub knows a message again. The larger of both limits has no say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuplicateWindow {
    /// Messages; 0 for no window, [`DUPLICATE_WINDOW_MAX`] at most.
    pub messages: usize,
    /// Time since the last copy was handed over.
    pub time: Duration,
}

/// How the hub finds out whether the cloud has a session for it: it asks for what CloudHub answers by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// The longest time without a message from the cloud before it asks.
    pub after: Duration,
    /// How long the answer may take once the question was read.
    pub limit: Duration,
    /// What it asks for (`route.resource`, operation `query`).
    pub resource: String,
}

impl Default for Probe {
    /// CloudHub answers for its own certificate authority.
    fn default() -> Probe {
        Probe {
            after: Duration::from_secs(60),
            limit: Duration::from_secs(30),
            resource: String::from("k8s/ca.crt"),
        }
    }
}

/// In which order a node tries its endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Choice {
    /// As they are configured: the first one is preferred, and returned to.
    #[default]
    Ordered,
    /// In an order of the node's own, drawn once: nodes spread evenly.
    Random,
    /// The same, with an endpoint of twice the weight being twice as likely to be the first.
    Weighted,
}

/// The endpoints of the cloud, as far as the hub knows them: how many there are, and how one is chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// One weight for each endpoint; at least one, and 64 at most.
    pub weights: Vec<u32>,
    /// How one is chosen.
    pub choice: Choice,
    /// How long a link to another endpoint is kept before the preferred one is tried again.
    pub return_after: Duration,
}

impl Default for Endpoints {
    /// One endpoint.
    fn default() -> Endpoints {
        Endpoints { weights: vec![1], choice: Choice::Ordered, return_after: Duration::from_secs(600) }
    }
}

impl Endpoints {
    /// The same for so many endpoints: others have the weight 1.
    pub fn fitted(mut self, count: usize) -> Endpoints {
        self.weights.resize(count.clamp(1, ENDPOINTS_MAX), 1);
        self
    }
}

/// What carries a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Lane {
    /// A WebSocket: what every CloudHub speaks, and every network lets through.
    #[default]
    WebSocket,
    /// QUIC, between our own peers: nothing on it waits for another stream's lost packets.
    Quic,
}

/// Which lanes lead to the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum LaneChoice {
    /// The WebSocket alone.
    #[default]
    WebSocket,
    /// QUIC alone.
    Quic,
    /// QUIC, and the WebSocket where that does not get through.
    Auto,
}

/// How the lane of a link is chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lanes {
    /// Which there are.
    pub choice: LaneChoice,
    /// How long QUIC may take to open where there is another lane.
    pub trial: Duration,
    /// How long QUIC comes second, at first, where it did not open and the WebSocket did.
    pub retry_after: Duration,
}

impl Default for Lanes {
    /// The WebSocket.
    fn default() -> Lanes {
        Lanes { choice: LaneChoice::WebSocket, trial: LANE_TRIAL, retry_after: LANE_RETRY }
    }
}

/// The hub's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Which routing table is used.
    pub profile: Profile,
    /// Time between keepalive messages (`modules.edgeHub.heartbeat`). CloudHub drops a node after 30 s without one.
    pub heartbeat: Duration,
    /// Longest time without a ping on an open link.
    pub ping_interval: Duration,
    /// Pings in a row that may stay unanswered; at least 1. A silent link is lost after
    /// `ping_interval × (ping_misses + 1)`.
    pub ping_misses: u32,
    /// How long a ping may stay unanswered on a link that otherwise lives: a slow one, or a busy peer. At least as long as
    /// a silent link takes.
    #[serde(default)]
    pub pong_limit: Duration,
    /// A ping follows this many messages, so that its pong confirms them.
    pub barrier_messages: u32,
    /// … or this long after the first unconfirmed one.
    pub barrier_after: Duration,
    /// Longest time that opening a link may take (`websocket.handshakeTimeout`).
    pub open_timeout: Duration,
    /// Upper end of the first wait after a lost link; it doubles with every failed attempt.
    pub backoff_base: Duration,
    /// The largest upper end.
    pub backoff_max: Duration,
    /// A link that lived this long puts the backoff back to its base.
    pub stable_after: Duration,
    /// How long a sync request waits, unless it says otherwise itself.
    pub sync_timeout: Duration,
    /// Rate limit on modules' messages; `None` for no limit. Control traffic is exempt.
    pub rate: Option<Rate>,
    /// How a long backlog leaves after the link has come up; `None` for as fast as can be. Control traffic is exempt, and
    /// the rate limit applies too.
    #[serde(default)]
    pub drain: Option<Drain>,
    /// What is done with which messages of modules.
    pub classes: Classes,
    /// Messages of modules that the outbox holds, unconfirmed ones included.
    pub outbox_messages: usize,
    /// … and their bytes.
    pub outbox_bytes: usize,
    /// Bytes of messages in memory above which stored messages are left to the journal until it is their turn.
    pub spool_above: usize,
    /// A module that takes nothing for this long while messages wait for it is declared stalled.
    pub stall_limit: Duration,
    /// Who acknowledges the messages of a group; the module, if the group is not here.
    pub acknowledge: BTreeMap<String, Acknowledge>,
    /// A message that comes again within this window is not delivered again, but acknowledged again if it was before.
    pub duplicate_window: DuplicateWindow,
    /// How long an orderly shutdown may take to get rid of what is queued.
    pub shutdown_grace: Duration,
    /// How the hub finds out whether the cloud has a session for it; `None` for not at all.
    #[serde(default)]
    pub probe: Option<Probe>,
    /// How long the cloud waits for a keepalive, as far as is known (`keepaliveInterval` of CloudHub).
    #[serde(default = "cloud_keepalive")]
    pub cloud_keepalive: Duration,
    /// The endpoints of the cloud.
    #[serde(default)]
    pub endpoints: Endpoints,
    /// How the lane of a link is chosen.
    #[serde(default)]
    pub lanes: Lanes,
}

/// The default of CloudHub.
fn cloud_keepalive() -> Duration {
    Duration::from_secs(30)
}

impl Default for Config {
    fn default() -> Config {
        Config {
            profile: Profile::Current,
            heartbeat: Duration::from_secs(15),
            ping_interval: Duration::from_secs(5),
            ping_misses: 3,
            pong_limit: Duration::from_secs(120),
            barrier_messages: 1024,
            barrier_after: Duration::from_millis(50),
            open_timeout: Duration::from_secs(30),
            backoff_base: Duration::from_secs(1),
            backoff_max: Duration::from_secs(60),
            stable_after: Duration::from_secs(30),
            sync_timeout: Duration::from_secs(60),
            rate: Some(Rate { per_second: 30, burst: 60 }),
            // A thousand nodes of one CloudHub make 20,000 messages a second of it.
            drain: Some(Drain { per_second: 20, above: 100, spread: Duration::from_secs(10) }),
            classes: Classes::default(),
            outbox_messages: 8192,
            outbox_bytes: 16 * 1024 * 1024,
            spool_above: SPOOL_ABOVE_BYTES,
            stall_limit: Duration::from_secs(30),
            acknowledge: BTreeMap::new(),
            // CloudHub sends a message again for 25 s; whoever does not acknowledge it gets it again in the next round.
            duplicate_window: DuplicateWindow { messages: 1024, time: Duration::from_secs(60) },
            shutdown_grace: Duration::from_secs(5),
            probe: None,
            cloud_keepalive: cloud_keepalive(),
            endpoints: Endpoints::default(),
            lanes: Lanes::default(),
        }
    }
}

impl Config {
    /// The defaults of the hub of 2019, whose sync waits last one heartbeat.
    pub fn classic() -> Config {
        let config = Config::default();
        Config { profile: Profile::Classic, sync_timeout: config.heartbeat, ..config }
    }

    /// How long a link may be silent: `ping_interval × (ping_misses + 1)`.
    pub fn silence_limit(&self) -> Duration {
        self.ping_interval.saturating_mul(self.ping_misses.saturating_add(1))
    }

    /// The configuration with every value inside the range in which the hub's promises hold.
    pub(crate) fn clamped(mut self) -> Config {
        let shortest = Duration::from_millis(1);
        for length in
            [&mut self.heartbeat, &mut self.ping_interval, &mut self.barrier_after, &mut self.open_timeout]
        {
            *length = (*length).max(shortest);
        }
        self.sync_timeout = self.sync_timeout.max(shortest);
        self.stall_limit = self.stall_limit.max(shortest);
        self.shutdown_grace = self.shutdown_grace.max(shortest);
        self.ping_misses = self.ping_misses.max(1);
        let endpoints = self.endpoints.weights.len();
        self.endpoints = self.endpoints.fitted(endpoints);
        self.endpoints.return_after = self.endpoints.return_after.max(shortest);
        self.lanes.trial = self.lanes.trial.max(shortest);
        self.lanes.retry_after = self.lanes.retry_after.max(shortest);
        if let Some(probe) = &mut self.probe {
            probe.after = probe.after.max(shortest);
            probe.limit = probe.limit.max(shortest);
        }
        self.pong_limit = self.pong_limit.max(self.silence_limit());
        self.barrier_messages = self.barrier_messages.max(1);
        self.outbox_messages = self.outbox_messages.max(1);
        self.classes = self.classes.clamped();
        self.duplicate_window.messages = self.duplicate_window.messages.min(DUPLICATE_WINDOW_MAX);
        self.drain = self.drain.map(|drain| Drain { per_second: drain.per_second.max(1), ..drain });
        self.rate = self
            .rate
            .filter(|rate| rate.per_second > 0)
            .map(|rate| Rate { burst: rate.burst.max(1), ..rate });
        self
    }
}
