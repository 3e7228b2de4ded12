//! What holds for every lane, over a WebSocket.

use super::bench_of;
use edgehub::config::Lane;

#[path = "traffic.rs"]
mod traffic;
#[path = "trouble.rs"]
mod trouble;

const LANE: Lane = Lane::WebSocket;
