//! Our own settings about reaching the cloud, and about telling whether it is reached.

use super::reader::Section;
use edgehub_core::config::{Config, Probe};
use std::time::Duration;

/// The settings of the section `edgehub` about reaching the cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReachConfig {
    /// How the hub finds out whether the cloud has a session for the node (`probe`): the longest time without a message from
    /// the cloud before it asks (`after`; 60 s), how long the answer may take once the question was read (`limit`; 30 s), and
    /// what it asks for (`resource`; `k8s/ca.crt`, which CloudHub answers itself). `enable: false` for not at all.
    pub probe: Option<Probe>,
    /// How long the cloud waits for a keepalive (`cloudKeepalive`); 30 s by default, as CloudHub's `keepaliveInterval`.
    pub cloud_keepalive: Duration,
}

impl Default for ReachConfig {
    fn default() -> ReachConfig {
        ReachConfig { probe: Some(Probe::default()), cloud_keepalive: Config::default().cloud_keepalive }
    }
}

/// Reads what the section `edgehub` says of it.
pub(super) fn read(hub: &Section<'_>) -> ReachConfig {
    let defaults = ReachConfig::default();
    ReachConfig {
        probe: probe(&hub.section("probe")),
        cloud_keepalive: hub.seconds("cloudKeepalive", defaults.cloud_keepalive),
    }
}

fn probe(section: &Section<'_>) -> Option<Probe> {
    let defaults = Probe::default();
    let asks = section.flag("enable", true);
    let probe = Probe {
        after: section.seconds("after", defaults.after),
        limit: section.seconds("limit", defaults.limit),
        resource: section.text("resource").unwrap_or(defaults.resource),
    };
    section.warn_of_unknown();
    asks.then_some(probe)
}
