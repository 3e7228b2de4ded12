//! The way to a cloud hub as whoever looks for a fault sees it: its steps on each lane, where it ends, and what to do about that.

use super::{OpenError, QUIC_SCHEME, lane_of, quic::QuicError};
use crate::reach::ReachError;
use crate::websocket::{ConnectError, Stage, Target, TlsFailure, host_and_port};
use edgehub_core::config::Lane;

/// The step at which QUIC opens: name and certificates aside.
const QUIC: &str = "QUIC";

const WEBSOCKET_STEPS: [&str; 4] =
    [Stage::Name.name(), Stage::Connection.name(), Stage::Tls.name(), Stage::Upgrade.name()];

const QUIC_STEPS: [&str; 4] = ["name", QUIC, "TLS", "accepted"];

impl Target {
    /// The names of the steps on the way to it, in their order.
    pub fn steps(&self) -> &'static [&'static str] {
        match lane_of(self) {
            Lane::WebSocket => &WEBSOCKET_STEPS,
            Lane::Quic => &QUIC_STEPS,
        }
    }

    /// Its host and port, whatever its lane; `None` for what is no address.
    pub fn host_and_port(&self) -> Option<(String, u16)> {
        let url = self.url.trim();
        match url.strip_prefix(QUIC_SCHEME) {
            Some(address) => host_and_port(&format!("wss://{address}")),
            None => host_and_port(url),
        }
    }

    /// Whether another lane leads to the cloud where this one does not: one of these targets is on it.
    pub fn has_stand_in(&self, targets: &[Target]) -> bool {
        lane_of(self) == Lane::Quic && targets.iter().any(|other| lane_of(other) == Lane::WebSocket)
    }

    /// Whether a link to it can pass a proxy.
    pub(crate) fn passes_proxies(&self) -> bool {
        lane_of(self) == Lane::WebSocket
    }
}

impl OpenError {
    /// The step at which the way ended.
    pub(crate) fn step(&self) -> &'static str {
        match self {
            OpenError::WebSocket(error) => error.stage().name(),
            OpenError::Quic(QuicError::BadUrl(_) | QuicError::NameNotFound(_)) => "name",
            OpenError::Quic(QuicError::Refused) => "accepted",
            OpenError::Quic(_) => QUIC,
        }
    }

    /// What a person can do about it.
    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            OpenError::WebSocket(error) => websocket_remedy(error),
            OpenError::Quic(error) => quic_remedy(error),
        }
    }
}

fn quic_remedy(error: &QuicError) -> &'static str {
    match error {
        QuicError::BadUrl(_) => "correct modules.edgeHub.quic.server",
        QuicError::NameNotFound(_) => "correct the name or the DNS of this machine",
        QuicError::OlderQuic => "enable modules.edgeHub.websocket instead of quic",
        QuicError::Proxy(_) => "enable modules.edgeHub.websocket, or name the host in NO_PROXY",
        QuicError::Refused => "compare the node's name with the one in its certificate",
        _ => {
            "let UDP through to this port and start `edgehub cloud --quic` there, or enable modules.edgeHub.websocket"
        }
    }
}

fn websocket_remedy(error: &ConnectError) -> &'static str {
    match error {
        ConnectError::BadUrl { .. } => "correct modules.edgeHub.websocket.server",
        ConnectError::Reach(ReachError::NameNotFound { .. }) => "correct the name or the DNS of this machine",
        ConnectError::Reach(ReachError::Refused { .. }) => "start CloudHub there, or correct the port",
        ConnectError::Reach(ReachError::Unreachable { .. }) => {
            "look at the route and the firewall; a proxy is set with edgehub.proxy"
        }
        ConnectError::Reach(_) => "correct edgehub.proxy, or the variables HTTPS_PROXY and NO_PROXY",
        ConnectError::Tls(TlsFailure::OutOfDate(_)) => {
            "set this machine's clock, for example with NTP, or renew CloudHub's certificate"
        }
        ConnectError::Tls(_) => "compare the CA of both sides and the names in CloudHub's certificate",
        ConnectError::Timeout { at: Stage::Name, .. } => "look at the DNS of this machine",
        ConnectError::Timeout { at: Stage::Connection, .. } => {
            "look at the route and the firewall; a proxy is set with edgehub.proxy"
        }
        ConnectError::Timeout { .. } => {
            "look at the load of CloudHub and whether it is one, or set a longer websocket.handshakeTimeout"
        }
        _ => "look whether a CloudHub is at this address, and what its log says of this node",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Target {
        Target::new(url, "project", "edge-1")
    }

    #[test]
    fn an_address_is_one_on_every_lane() {
        let check = |url, host: &str, port| {
            assert_eq!(target(url).host_and_port(), Some((host.into(), port)), "{url}");
        };
        check("wss://cloud.example:10000", "cloud.example", 10000);
        check("wss://cloud.example:10000/p/n/events", "cloud.example", 10000);
        check("quic://cloud.example:10001", "cloud.example", 10001);
        check(" quic://[::1]:10001", "::1", 10001);
    }

    #[test]
    fn a_better_lane_has_a_stand_in_where_there_is_another() {
        let (quic, websocket) = (target("quic://cloud:1"), target("cloud:1"));
        assert!(quic.has_stand_in(&[quic.clone(), websocket.clone()]));
        assert!(!quic.has_stand_in(std::slice::from_ref(&quic)));
        assert!(!websocket.has_stand_in(&[quic.clone(), websocket.clone()]));
    }

    #[test]
    fn a_way_ends_at_one_of_its_steps() {
        for error in
            [QuicError::OlderQuic, QuicError::Refused, QuicError::NoAnswer, QuicError::BadUrl(String::new())]
        {
            assert!(QUIC_STEPS.contains(&OpenError::Quic(error).step()));
        }
    }
}
