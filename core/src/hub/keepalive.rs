//! Heartbeat and liveness of an open link.
//!
//! The heartbeat is KubeEdge's keepalive *message*, which tells CloudHub that the node lives. Liveness is ours: a ping
//! that a peer answers from its read loop, so its pong proves that the link works both ways. The original has no such
//! thing and takes a half-open link for a good one for up to 15 minutes (defect D4).

use crate::config::Config;
use crate::message::{Content, Draft, operation};
use crate::time::{Instant, UnixMillis};
use serde::{Deserialize, Serialize};

/// The message that tells CloudHub that the node lives (KubeEdge `edge/pkg/edgehub/process.go`, keepalive).
pub fn keepalive_message(msg_id: &str, timestamp: UnixMillis) -> Draft<'_> {
    Draft {
        msg_id,
        timestamp,
        source: "websocket",
        group: "resource",
        operation: operation::KEEPALIVE,
        resource: "node",
        content: Content::Text("ping"),
        ..Draft::default()
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Keepalive {
    heartbeat_at: Instant,
    last_beat: Instant,
    ping_at: Instant,
    heard: Instant,
    /// The first ping since anything was heard.
    probed: Option<Instant>,
}

impl Keepalive {
    /// For a link that opened now: the first heartbeat is due at once.
    pub(super) fn new(now: Instant, config: &Config) -> Keepalive {
        Keepalive {
            heartbeat_at: now,
            last_beat: now,
            ping_at: now + config.ping_interval,
            heard: now,
            probed: None,
        }
    }

    /// When the next keepalive message is due.
    pub(super) fn heartbeat_at(&self) -> Instant {
        self.heartbeat_at
    }

    /// A keepalive message goes out. A late one does not make the next ones come faster.
    pub(super) fn beat(&mut self, now: Instant, config: &Config) {
        self.heartbeat_at = now + config.heartbeat;
    }

    /// A keepalive message was written.
    pub(super) fn wrote(&mut self, now: Instant) {
        self.last_beat = now;
    }

    /// When the last keepalive message was written, or the link opened.
    pub(super) fn last_beat(&self) -> Instant {
        self.last_beat
    }

    /// When the next ping is due, if none goes out before for another reason.
    pub(super) fn ping_at(&self) -> Instant {
        self.ping_at
    }

    /// A ping goes out.
    pub(super) fn pinged(&mut self, now: Instant, config: &Config) {
        self.ping_at = now + config.ping_interval;
        self.probed.get_or_insert(now);
    }

    /// Something arrived, or the peer's machine took something, or nobody listened until now.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = now;
        self.probed = None;
    }

    /// When the link counts as lost if nothing is heard: `ping_interval × (ping_misses + 1)` after the last sign of
    /// life. A machine that slept through that gets one ping interval more, for it has not asked yet.
    pub(super) fn lost_at(&self, config: &Config) -> Option<Instant> {
        self.probed.map(|probed| (self.heard + config.silence_limit()).max(probed + config.ping_interval))
    }
}
