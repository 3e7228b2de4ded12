//! quinn's tasks on an executor of ours: they run in the thread and with the task that they work for, and end with it.

use super::packets;
use super::socket::LaneSocket;
use super::timer::LaneTimer;
use quinn::{AsyncTimer, AsyncUdpSocket, Runtime, SmolRuntime};
use smol::Executor;
use std::net::UdpSocket;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Instant;
use std::{fmt, io};

/// Runs quinn's tasks on one executor, which belongs to somebody else: the tasks hold this, and must not hold what holds them.
pub(super) struct LaneRuntime(Weak<Executor<'static>>);

impl LaneRuntime {
    pub(super) fn of(executor: &Arc<Executor<'static>>) -> Arc<LaneRuntime> {
        Arc::new(LaneRuntime(Arc::downgrade(executor)))
    }
}

impl fmt::Debug for LaneRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LaneRuntime")
    }
}

impl Runtime for LaneRuntime {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        Box::pin(LaneTimer::at(at))
    }

    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        // Without its executor a lane has ended.
        if let Some(executor) = self.0.upgrade() {
            executor.spawn(task).detach();
        }
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        packets::make_room(&socket);
        Ok(LaneSocket::of(SmolRuntime.wrap_udp_socket(socket)?))
    }
}
