//! What holds for every lane, over a WebSocket.

use super::bench_of::{self, Way};
use edgehub::config::Lane;

#[path = "traffic.rs"]
mod traffic;
#[path = "trouble.rs"]
mod trouble;

const LANE: Way = Way { lane: Lane::WebSocket, compression: false };
