//! How large packets may become, and how many of them may wait in a socket.

use quinn::MtuDiscoveryConfig;
use quinn::udp::UdpSocketState;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Largest payload of a packet. Ten of this size are what a system takes in one call.
pub(super) const PAYLOAD_BYTES_MAX: u16 = 6_500;

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

/// How to find out which packets pass on the way to an address: the first link of the way says where to look. What only starts with large packets
/// and goes on with smaller ones costs a few lost probes.
pub(super) fn discovery(address: SocketAddr) -> MtuDiscoveryConfig {
    let mut config = MtuDiscoveryConfig::default();
    if let Some(mtu) = first_link_mtu(address) {
        let payload = mtu.saturating_sub(u32::from(HEADER_BYTES));
        config.upper_bound(u16::try_from(payload).unwrap_or(u16::MAX).min(PAYLOAD_BYTES_MAX));
    }
    config
}

/// The largest packet of the way's first link, as the system knows it. Nothing is sent.
#[cfg(target_os = "linux")]
fn first_link_mtu(address: SocketAddr) -> Option<u32> {
    use nix::libc;
    use std::mem::size_of;
    use std::os::fd::AsRawFd;
    let socket = UdpSocket::bind(any_like(address)).ok()?;
    socket.connect(address).ok()?;
    let (level, option) = match address {
        SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_MTU),
        SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_MTU),
    };
    let mut mtu: libc::c_int = 0;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the descriptor is open as long as `socket` is, and the system writes at most `length` bytes to `mtu`, which has that many.
    let result =
        unsafe { libc::getsockopt(socket.as_raw_fd(), level, option, (&raw mut mtu).cast(), &mut length) };
    (result == 0).then_some(mtu).and_then(|mtu| u32::try_from(mtu).ok())
}

#[cfg(not(target_os = "linux"))]
fn first_link_mtu(_: SocketAddr) -> Option<u32> {
    None
}
