//! What can be set, and the bounds of what is kept.

use crate::limits::{CLOUD_NODE_QUEUE_MAX, CLOUD_NODES_MAX};
use alloc::string::String;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// Bytes queued for one node in one queue; one larger message may pass alone. A message count alone would let 1,024
/// frames of 32 MiB each wait for one slow node.
pub const NODE_QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Resources of one node whose last version is remembered. A node runs some 100 pods, each with a few objects.
pub const NODE_RESOURCES_MAX: usize = 1024;

/// Shortest keepalive timeout and resend interval: zero would make a deadline that never moves on.
pub const INTERVAL_FLOOR: Duration = Duration::from_millis(1);

/// Settings of a [`CloudHub`](super::CloudHub). Values outside their bounds are moved to the nearest bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CloudConfig {
    /// A node that sends no keepalive for this long is disconnected (KubeEdge `cloudHub.keepaliveInterval`).
    pub keepalive_timeout: Duration,
    /// Nodes connected at one time (KubeEdge `cloudHub.nodeLimit`).
    pub node_limit: usize,
    /// Nodes remembered at one time, connected or not; at most [`CLOUD_NODES_MAX`].
    pub known_nodes_max: usize,
    /// Messages queued for one node, in each queue; at most [`CLOUD_NODE_QUEUE_MAX`].
    pub node_queue_messages_max: usize,
    /// Bytes queued for one node, in each queue; at most [`NODE_QUEUE_BYTES_MAX`].
    pub node_queue_bytes_max: usize,
    /// Wait for an acknowledgement before the message is written again (KubeEdge `sendRetryInterval`).
    pub resend_interval: Duration,
    /// Writes of one message before it goes to the back of its queue, the first one included.
    pub sends_max: u32,
    /// Content of the answer to a query of `k8s/ca.crt`.
    pub ca_content: String,
}

impl Default for CloudConfig {
    fn default() -> CloudConfig {
        CloudConfig {
            keepalive_timeout: Duration::from_secs(30),
            node_limit: 1000,
            known_nodes_max: CLOUD_NODES_MAX,
            node_queue_messages_max: CLOUD_NODE_QUEUE_MAX,
            node_queue_bytes_max: NODE_QUEUE_BYTES_MAX,
            resend_interval: Duration::from_secs(5),
            sends_max: 5,
            ca_content: String::new(),
        }
    }
}

impl CloudConfig {
    /// The same settings with every value inside its bounds.
    pub(super) fn bounded(self) -> CloudConfig {
        CloudConfig {
            keepalive_timeout: self.keepalive_timeout.max(INTERVAL_FLOOR),
            known_nodes_max: self.known_nodes_max.min(CLOUD_NODES_MAX),
            node_queue_messages_max: self.node_queue_messages_max.min(CLOUD_NODE_QUEUE_MAX),
            node_queue_bytes_max: self.node_queue_bytes_max.min(NODE_QUEUE_BYTES_MAX),
            resend_interval: self.resend_interval.max(INTERVAL_FLOOR),
            sends_max: self.sends_max.max(1),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_outside_their_bounds_move_to_the_nearest() {
        let config = CloudConfig {
            keepalive_timeout: Duration::ZERO,
            resend_interval: Duration::ZERO,
            sends_max: 0,
            known_nodes_max: usize::MAX,
            ..CloudConfig::default()
        }
        .bounded();
        assert_eq!(config.keepalive_timeout, INTERVAL_FLOOR);
        assert_eq!(config.resend_interval, INTERVAL_FLOOR);
        assert_eq!((config.sends_max, config.known_nodes_max), (1, CLOUD_NODES_MAX));
        assert_eq!(CloudConfig::default().bounded(), CloudConfig::default());
    }
}
