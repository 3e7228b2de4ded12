//! Hub and CloudHub over real sockets, on loopback, with certificates made for each test.
//!
//! Nothing here measures time and nothing sleeps: every wait is for an event. A test that hangs is ended by the
//! runner's limit. What holds for every lane is compiled and run once for each: see
//! `over_websocket` and `over_quic`.

#[path = "end_to_end/bench_of.rs"]
mod bench_of;
#[path = "end_to_end/chosen.rs"]
mod chosen;
#[path = "end_to_end/identity.rs"]
mod identity;
#[path = "end_to_end/misbehaving.rs"]
mod misbehaving;
#[path = "end_to_end/over_compressed_quic.rs"]
mod over_compressed_quic;
#[path = "end_to_end/over_quic.rs"]
mod over_quic;
#[path = "end_to_end/over_websocket.rs"]
mod over_websocket;
#[path = "end_to_end/proxies.rs"]
mod proxies;
#[path = "end_to_end/tls_versions.rs"]
mod tls_versions;
#[path = "end_to_end/unreachable.rs"]
mod unreachable;
