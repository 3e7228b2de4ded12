//! What holds for every lane, over QUIC.

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
#[path = "roaming.rs"]
mod roaming;
#[path = "traffic.rs"]
mod traffic;
#[path = "trouble.rs"]
mod trouble;

const LANE: Way = Way { lane: Lane::Quic, compression: false };
