//! A UDP socket that is written to at once.
//!
//! quinn asks before each packet whether the socket has room, and the answer takes a turn of the reactor, for which the packet waits. A UDP socket nearly
//! always has room. So here the reactor is asked only after a packet found none.

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};

#[derive(Debug)]
pub(super) struct LaneSocket {
    socket: Arc<dyn AsyncUdpSocket>,
    /// A packet found no room, and nobody has seen any since.
    full: AtomicBool,
}

impl LaneSocket {
    pub(super) fn of(socket: Arc<dyn AsyncUdpSocket>) -> Arc<LaneSocket> {
        Arc::new(LaneSocket { socket, full: AtomicBool::new(false) })
    }
}

impl AsyncUdpSocket for LaneSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        let room = self.socket.clone().create_io_poller();
        Box::pin(Room { of: self, room })
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.socket.try_send(transmit).inspect_err(|error| {
            if error.kind() == io::ErrorKind::WouldBlock {
                self.full.store(true, Relaxed);
            }
        })
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.socket.poll_recv(context, buffers, meta)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.socket.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.socket.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.socket.may_fragment()
    }
}

/// Waits for room, for one connection.
#[derive(Debug)]
struct Room {
    of: Arc<LaneSocket>,
    room: Pin<Box<dyn UdpPoller>>,
}

impl UdpPoller for Room {
    fn poll_writable(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.of.full.load(Relaxed) {
            return Poll::Ready(Ok(()));
        }
        let room = self.room.as_mut().poll_writable(context);
        if room.is_ready() {
            self.of.full.store(false, Relaxed);
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smol::future::{block_on, poll_fn, poll_once};

    /// Takes nothing, and has room when it is said so.
    #[derive(Debug, Default)]
    struct Reluctant {
        has_room: AtomicBool,
    }

    impl AsyncUdpSocket for Reluctant {
        fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
            Box::pin(Asked(self))
        }

        fn try_send(&self, _: &Transmit<'_>) -> io::Result<()> {
            if self.has_room.load(Relaxed) { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
        }

        fn poll_recv(
            &self,
            _: &mut Context<'_>,
            _: &mut [IoSliceMut<'_>],
            _: &mut [RecvMeta],
        ) -> Poll<io::Result<usize>> {
            Poll::Pending
        }

        fn local_addr(&self) -> io::Result<SocketAddr> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    #[derive(Debug)]
    struct Asked(Arc<Reluctant>);

    impl UdpPoller for Asked {
        fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            if self.0.has_room.load(Relaxed) { Poll::Ready(Ok(())) } else { Poll::Pending }
        }
    }

    #[test]
    fn only_a_packet_that_found_no_room_is_waited_for() {
        let reluctant = Arc::new(Reluctant::default());
        let socket = LaneSocket::of(reluctant.clone());
        let mut pollers = [socket.clone().create_io_poller(), socket.clone().create_io_poller()];
        let mut may_write = |poller: usize| {
            let writable = poll_fn(|context| pollers[poller].as_mut().poll_writable(context));
            block_on(poll_once(writable)).is_some()
        };
        let destination = SocketAddr::from(([127, 0, 0, 1], 9));
        let packet = Transmit { destination, ecn: None, contents: b"x", segment_size: None, src_ip: None };
        assert!(may_write(0) && may_write(1), "nobody knows better");
        assert!(socket.try_send(&packet).is_err());
        assert!(!may_write(0) && !may_write(1), "one socket is full for all");
        reluctant.has_room.store(true, Relaxed);
        assert!(may_write(0));
        assert!(socket.try_send(&packet).is_ok());
        reluctant.has_room.store(false, Relaxed);
        assert!(may_write(1), "until a packet finds none, there is room");
    }
}
