//! The lane, as an argument.

use clap::ValueEnum;
use edgehub::config::Lane;
use serde::Serialize;

/// Where messages travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum LaneChoice {
    /// A WebSocket over TLS
    Websocket,
    /// QUIC
    Quic,
    /// QUIC, and a WebSocket where it does not get through
    Auto,
}

impl From<LaneChoice> for Lane {
    fn from(choice: LaneChoice) -> Lane {
        match choice {
            LaneChoice::Websocket => Lane::WebSocket,
            LaneChoice::Quic => Lane::Quic,
            LaneChoice::Auto => Lane::Auto,
        }
    }
}
