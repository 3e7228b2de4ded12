//! What holds for every lane, over a WebSocket.

use super::bench_of::{self, Way};
use edgehub::config::Lane;

#[path = "backpressure.rs"]
mod backpressure;
#[path = "failover.rs"]
mod failover;
#[path = "letters.rs"]
mod letters;
#[path = "recorded.rs"]
mod recorded;
#[path = "refused.rs"]
mod refused;
#[path = "rejected.rs"]
mod rejected;
#[path = "requests.rs"]
mod requests;
#[path = "traffic.rs"]
mod traffic;
#[path = "trouble.rs"]
mod trouble;

const LANE: Way = Way { lane: Lane::WebSocket, compression: false };
