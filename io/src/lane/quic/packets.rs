//! How large packets may become, and how many of them may wait in a socket.

use quinn::MtuDiscoveryConfig;
use quinn::udp::UdpSocketState;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Largest payload of a packet. Ten of this size are what a system takes in one call.
pub(super) const PAYLOAD_BYTES_MAX: u16 = 6_500;

/// What every way passes.
const PAYLOAD_BYTES_MIN: u16 = 1_200;

/// What most ways pass: Ethernet's 1500 bytes without the headers of IPv6.
const PAYLOAD_BYTES_USUAL: u16 = 1_452;

/// Headers of IP and UDP in front of a payload: the most that there are.
const HEADER_BYTES: u16 = 48;

/// What may wait in a socket, each way: all that a peer may have sent before it is read. A system may grant less; what has no room is lost and
/// sent again.
const SOCKET_BYTES: usize = 1 << 20;

/// Any port for the way to this address.
pub(super) fn any_like(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    }
}

/// Makes room in a socket, as far as the system grants it.
pub(super) fn make_room(socket: &UdpSocket) {
    if let Ok(state) = UdpSocketState::new(socket.into()) {
        let _ = state.set_recv_buffer_size(socket.into(), SOCKET_BYTES);
        let _ = state.set_send_buffer_size(socket.into(), SOCKET_BYTES);
    }
}

/// How to find out whether the way to a peer passes packets up to this payload. Each that is tried and does not pass costs a lost probe.
pub(super) fn discovery(payload: u16) -> MtuDiscoveryConfig {
    let mut config = MtuDiscoveryConfig::default();
    config.upper_bound(payload);
    config
}

/// The largest payload that may pass on the way to an address, and back: the first link of the way says where to look.
pub(super) fn payload_towards(address: SocketAddr) -> u16 {
    let Some(mtu) = first_link_mtu(address) else { return PAYLOAD_BYTES_USUAL };
    let payload = u16::try_from(mtu).unwrap_or(u16::MAX).saturating_sub(HEADER_BYTES);
    payload.clamp(PAYLOAD_BYTES_MIN, PAYLOAD_BYTES_MAX)
}

/// The largest packet of the way's first link, as the system knows it. Nothing is sent.
#[cfg(target_os = "linux")]
fn first_link_mtu(address: SocketAddr) -> Option<u32> {
    use rustix::net::sockopt::{ip_mtu, ipv6_mtu};
    let socket = UdpSocket::bind(any_like(address)).ok()?;
    socket.connect(address).ok()?;
    match address {
        SocketAddr::V4(_) => ip_mtu(&socket).ok(),
        SocketAddr::V6(_) => ipv6_mtu(&socket).ok(),
    }
}

#[cfg(not(target_os = "linux"))]
fn first_link_mtu(_: SocketAddr) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_first_link_says_what_may_pass() {
        let check = |address: &str| {
            let address = address.parse().unwrap();
            assert_eq!(payload_towards(address), PAYLOAD_BYTES_MAX, "loopback passes more than we use");
        };
        check("127.0.0.1:9");
        // Where there is no IPv6, nobody knows.
        if UdpSocket::bind("[::1]:0").is_ok() {
            check("[::1]:9");
        }
        // The system lets nobody go there unasked.
        assert_eq!(payload_towards("255.255.255.255:9".parse().unwrap()), PAYLOAD_BYTES_USUAL);
    }
}
