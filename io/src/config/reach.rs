//! Our own settings about reaching the cloud, and about telling whether it is reached.

use super::reader::Section;
use crate::reach::{Proxy, ProxyChoice};
use edgehub_core::config::{Choice, Config, Endpoints, Probe};
use edgehub_core::limits::ENDPOINTS_MAX;
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
    /// How one of several servers is chosen (`endpoints`): `choice` (`ordered`, `random` or `weighted`), `weights` (1 each by
    /// default, in the order of the servers), and how long a link to another one is kept before the first of an ordered list
    /// is tried again (`returnAfter`; 600 s).
    pub endpoints: Endpoints,
    /// The proxy on the way (`proxy`): a URL, `none`, or by default what `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say; with a
    /// URL, `noProxy` lists the hosts for which it is not used.
    pub proxy: ProxyChoice,
}

impl Default for ReachConfig {
    fn default() -> ReachConfig {
        ReachConfig {
            probe: Some(Probe::default()),
            cloud_keepalive: Config::default().cloud_keepalive,
            endpoints: Endpoints::default(),
            proxy: ProxyChoice::default(),
        }
    }
}

/// Reads what the section `edgehub` says of it.
pub(super) fn read(hub: &Section<'_>) -> ReachConfig {
    let defaults = ReachConfig::default();
    ReachConfig {
        probe: probe(&hub.section("probe")),
        cloud_keepalive: hub.seconds("cloudKeepalive", defaults.cloud_keepalive),
        endpoints: endpoints(&hub.section("endpoints")),
        proxy: proxy(hub),
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

fn endpoints(section: &Section<'_>) -> Endpoints {
    let defaults = Endpoints::default();
    let words = [("ordered", Choice::Ordered), ("random", Choice::Random), ("weighted", Choice::Weighted)];
    let weight = |text: &String| text.parse().ok().filter(|weight| *weight > 0);
    let texts = section.texts("weights");
    let weights: Option<Vec<u32>> = texts.iter().map(weight).collect();
    if weights.is_none() || texts.len() > ENDPOINTS_MAX {
        let told = format!(
            "expected up to {ENDPOINTS_MAX} whole numbers from 1 on, one for each server, found {texts:?}"
        );
        section.problem_at("weights", told);
    }
    let endpoints = Endpoints {
        weights: weights.filter(|weights| !weights.is_empty()).unwrap_or(defaults.weights),
        choice: section.word("choice", defaults.choice, &words),
        return_after: section.seconds("returnAfter", defaults.return_after),
    };
    section.warn_of_unknown();
    endpoints
}

fn proxy(hub: &Section<'_>) -> ProxyChoice {
    let except = hub.texts("noProxy").join(",");
    match hub.text("proxy").as_deref() {
        None => ProxyChoice::Environment,
        Some("none") => ProxyChoice::Direct,
        Some(url) => match Proxy::parse(url) {
            Ok(proxy) => ProxyChoice::Proxy(proxy, except),
            Err(problem) => {
                hub.problem_at("proxy", problem);
                ProxyChoice::Direct
            }
        },
    }
}
