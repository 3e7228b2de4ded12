//! What a connection may take: time, streams, memory.

use super::congestion::Windows;
use super::packets;
use edgehub_core::limits::MESSAGE_STREAMS_MAX;
use quinn::{EndpointConfig, IdleTimeout, TransportConfig, VarInt};
use std::sync::Arc;
use std::time::Duration;

/// Bytes of one stream that may arrive before they are read: what a link of 10 MB/s brings in 100 ms.
pub(super) const STREAM_WINDOW_BYTES: u32 = 1 << 20;

/// … and of all streams of a connection: those that are not read for a while keep no other from arriving.
pub(super) const WINDOW_BYTES: u32 = STREAM_WINDOW_BYTES * (MESSAGE_STREAMS_MAX as u32 + 1);

/// Bytes of a connection that may be on their way or lost. More than the hub leaves on its way, so that what is urgent never
/// waits for room.
const SEND_WINDOW_BYTES: u64 = 4 << 20;

/// How much later than the round trip a packet may arrive before it counts as lost, and not as overtaken. Ways with some jitter swap packets
/// by more than the three that the standard begins with; each that is taken for lost halves what may be on its way. An eighth of a
/// round trip more of patience is what a lost packet costs instead.
const REORDERED_BY: f32 = 1.25;

/// … and the same in packets: time alone tells.
const REORDERED_PACKETS: u32 = 1000;

/// The shortest idle timeout: losing a few packets in a row must not end a connection.
const IDLE_MIN: Duration = Duration::from_secs(10);

/// What an endpoint takes: packets with this payload, and smaller ones.
pub(super) fn endpoint(payload: u16) -> EndpointConfig {
    let mut config = EndpointConfig::default();
    // Within the range that there is.
    let _ = config.max_udp_payload_size(payload);
    config
}

/// The settings of a connection whose owner gives up after so much silence, and asks for a sign of life so often, if it does. Its packets become
/// as large as this payload, if the peer takes that and the way passes it.
///
/// The idle timeout is twice the silence: the owner decides. Packets to keep the connection alive go out as often as the owner's pings, also
/// while the owner reads nothing, and keep the path's state in between (NAT) alive.
pub(super) fn transport(
    silence: Duration,
    keep_alive: Option<Duration>,
    payload: u16,
) -> Arc<TransportConfig> {
    let streams = u32::try_from(MESSAGE_STREAMS_MAX + 1).unwrap_or(u32::MAX);
    let mut config = TransportConfig::default();
    config
        // Longer than a VarInt can say is never.
        .max_idle_timeout(IdleTimeout::try_from(idle_timeout(silence)).ok())
        .keep_alive_interval(keep_alive)
        .max_concurrent_bidi_streams(VarInt::from_u32(streams))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(WINDOW_BYTES))
        .send_window(SEND_WINDOW_BYTES)
        .packet_threshold(REORDERED_PACKETS)
        .time_threshold(REORDERED_BY)
        .congestion_controller_factory(Arc::new(Windows::default()))
        .mtu_discovery_config(Some(packets::discovery(payload)))
        .datagram_receive_buffer_size(None);
    Arc::new(config)
}

fn idle_timeout(silence: Duration) -> Duration {
    silence.saturating_mul(2).max(IDLE_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `edgehub` gives up after `pingInterval × (pingMisses + 1)`: the connection must not be the first to do so.
    #[test]
    fn the_idle_timeout_leaves_the_owner_the_last_word() {
        let check = |silence, idle| {
            assert_eq!(idle_timeout(Duration::from_secs(silence)), Duration::from_secs(idle));
        };
        check(0, 10);
        check(4, 10);
        check(5, 10);
        check(6, 12);
        check(20, 40);
        assert_eq!(idle_timeout(Duration::MAX), Duration::MAX, "never");
    }
}
