//! Whether the peer's machine takes what is written to a connection, as the operating system knows it.
//!
//! On a slow link the answer to a ping waits behind all that was written before it. That such a link lives is known to
//! TCP, whose acknowledgements come all the while.

use smol::net::TcpStream;
use std::time::Instant;

/// Watches a connection that somebody else reads and writes.
#[derive(Debug)]
pub(crate) struct Progress {
    tcp: TcpStream,
    asked: Instant,
}

impl Progress {
    pub(crate) fn of(tcp: &TcpStream) -> Progress {
        Progress { tcp: tcp.clone(), asked: Instant::now() }
    }

    /// Whether something is under way, and something of it was acknowledged since this was asked last. What has arrived
    /// whole is no progress: a peer that does not read it is silent, though its machine answers for it.
    pub(crate) fn is_made(&mut self) -> bool {
        let since = std::mem::replace(&mut self.asked, Instant::now()).elapsed();
        acknowledged(&self.tcp).is_some_and(|ago_ms| u128::from(ago_ms) <= since.as_millis())
    }
}

/// If segments are under way: how many milliseconds ago the last acknowledgement came.
#[cfg(target_os = "linux")]
fn acknowledged(tcp: &TcpStream) -> Option<u32> {
    use nix::libc;
    use std::mem::{MaybeUninit, size_of};
    use std::os::fd::AsRawFd;
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: the descriptor is open as long as `tcp` is, and the system writes at most `length` bytes to `info`, which
    // has that many. All its fields are integers, for which zeros are values too.
    let (result, info) = unsafe {
        let place = info.as_mut_ptr().cast();
        let result = libc::getsockopt(tcp.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, place, &mut length);
        (result, info.assume_init())
    };
    (result == 0 && info.tcpi_unacked > 0).then_some(info.tcpi_last_ack_recv)
}

#[cfg(not(target_os = "linux"))]
fn acknowledged(_: &TcpStream) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use smol::io::{AsyncReadExt, AsyncWriteExt};
    use smol::net::TcpListener;
    use std::net::Ipv4Addr;

    /// A peer that reads nothing: once what fits between both ends is there, nothing moves any more.
    #[test]
    fn what_has_arrived_or_is_stuck_is_no_progress() {
        smol::block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let mut near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (mut far, _) = listener.accept().await.unwrap();
            let mut progress = Progress::of(&near);
            near.write_all(b"ping").await.unwrap();
            let mut byte = [0; 4];
            far.read_exact(&mut byte).await.unwrap();
            far.write_all(b"pong").await.unwrap();
            near.read_exact(&mut byte).await.unwrap();
            assert!(!progress.is_made(), "all of it has arrived");
        });
    }
}
