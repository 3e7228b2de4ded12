//! What holds for every lane, over QUIC with compression.

use super::bench_of::{self, Way};
use edgehub::config::Lane;

#[path = "roaming.rs"]
mod roaming;
#[path = "traffic.rs"]
mod traffic;
#[path = "trouble.rs"]
mod trouble;

const LANE: Way = Way { lane: Lane::Quic, compression: true };
