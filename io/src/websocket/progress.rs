//! Whether the network is what a connection waits for, as the operating system knows it.
//!
//! On a slow link the answer to a ping waits behind all that was written before it. That such a link lives is known to
//! TCP: bytes wait to be sent, and acknowledgements come all the while. Acknowledgements alone say nothing: the machine of a
//! peer whose process is frozen sends them for every small message, until its buffers are full.

use smol::net::TcpStream;

/// Watches a connection that somebody else reads and writes.
#[derive(Debug)]
pub(crate) struct Progress {
    tcp: TcpStream,
    /// Bytes that were acknowledged when this was asked last.
    acknowledged: u64,
}

/// What the operating system knows of a connection's sending.
struct Sending {
    acknowledged: u64,
    unsent: u32,
}

impl Progress {
    pub(crate) fn of(tcp: &TcpStream) -> Progress {
        let acknowledged = sending(tcp).map_or(0, |sending| sending.acknowledged);
        Progress { tcp: tcp.clone(), acknowledged }
    }

    /// Whether bytes wait to be sent, and others were acknowledged since this was asked last. Of a peer that reads nothing this is
    /// so until its machine's buffer is full, and never as long as all that is written fits there.
    pub(crate) fn is_made(&mut self) -> bool {
        let Some(Sending { acknowledged, unsent }) = sending(&self.tcp) else { return false };
        acknowledged > std::mem::replace(&mut self.acknowledged, acknowledged) && unsent > 0
    }
}

#[cfg(target_os = "linux")]
fn sending(tcp: &TcpStream) -> Option<Sending> {
    use nix::libc;
    use std::mem::{MaybeUninit, size_of};
    use std::os::fd::AsRawFd;
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
    // No crate that we have does this safely: rustix and socket2 know no such option, and nix has a macro for options that it does not know, which
    // panics where an older system fills less of the structure.
    //
    // SAFETY: the descriptor is open as long as `tcp` is borrowed. Both pointers are to values of this function; the system writes at most
    // `length` bytes to `info`, which has that many, and writes `length`. What it does not write of `info`, on an older system or after a
    // failure, stays zero. All its fields are integers, of which any bits are a value.
    let (result, info) = unsafe {
        let place = info.as_mut_ptr().cast();
        let result = libc::getsockopt(tcp.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, place, &mut length);
        (result, info.assume_init())
    };
    (result == 0).then_some(Sending { acknowledged: info.tcpi_bytes_acked, unsent: info.tcpi_notsent_bytes })
}

#[cfg(not(target_os = "linux"))]
fn sending(_: &TcpStream) -> Option<Sending> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use smol::future::poll_once;
    use smol::io::{AsyncReadExt, AsyncWriteExt};
    use smol::net::TcpListener;
    use std::net::Ipv4Addr;

    async fn ends() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (near, listener.accept().await.unwrap().0)
    }

    /// The peer's machine acknowledges each of them, and its process reads none.
    #[test]
    fn what_fits_between_both_ends_is_no_progress() {
        smol::block_on(async {
            let (mut near, _far) = ends().await;
            let mut progress = Progress::of(&near);
            for _ in 0..10 {
                let before = progress.acknowledged;
                near.write_all(b"a small message").await.unwrap();
                while progress.acknowledged == before {
                    assert!(!progress.is_made());
                }
            }
        });
    }

    #[test]
    fn what_is_taken_while_more_waits_is_progress_and_what_is_stuck_is_none() {
        smol::block_on(async {
            let (mut near, mut far) = ends().await;
            let mut progress = Progress::of(&near);
            let piece = vec![0; 1 << 20];
            while poll_once(near.write_all(&piece)).await.is_some() {}
            assert!(progress.is_made(), "until the buffers were full");
            // The last acknowledgement may still have been on its way.
            while progress.is_made() {}
            assert!(!progress.is_made(), "stuck");
            let mut read = vec![0; 1 << 16];
            while !progress.is_made() {
                assert!(sending(&near).unwrap().unsent > 0, "all was taken, and it went unnoticed");
                far.read_exact(&mut read).await.unwrap();
            }
        });
    }
}
