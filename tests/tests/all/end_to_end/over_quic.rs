//! What holds for every lane, over QUIC.

use super::bench_of;
use edgehub::config::Lane;

#[path = "traffic.rs"]
mod traffic;
#[path = "trouble.rs"]
mod trouble;

const LANE: Lane = Lane::Quic;
