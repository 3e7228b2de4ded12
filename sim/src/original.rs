//! How the original hub waits before it dials again: fixed times, for every node the same (defect D5).
//!
//! The museum and the storm both need it, and this is all that they have in common: the one plays a single node with
//! its threads and buffers, the other thousands of which nothing but the dialling is seen.
//!
//! KubeEdge `edge/pkg/edgehub/edgehub.go` (`Start`) sleeps two heartbeats after a loss; `clients/wsclient/websocket.go`
//! (`Init`) then tries five times with five seconds after each failure, and `Start` sleeps a minute before the next five.

use std::time::Duration;

/// Time between keepalives.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(15);
/// From the moment at which a loss is noticed.
pub(crate) const AFTER_LOSS: Duration = Duration::from_secs(30);
const BETWEEN_TRIES: Duration = Duration::from_secs(5);
const TRIES: u32 = 5;
const AFTER_TRIES: Duration = Duration::from_secs(60);

/// Attempts that have failed since the last link.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tries(u32);

impl Tries {
    /// A link is there.
    pub(crate) fn opened(&mut self) {
        self.0 = 0;
    }

    /// An attempt has failed: how long it is until the next one.
    pub(crate) fn failed(&mut self) -> Duration {
        self.0 = (self.0 + 1) % TRIES;
        if self.0 == 0 { BETWEEN_TRIES + AFTER_TRIES } else { BETWEEN_TRIES }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_attempts_and_a_minute() {
        let mut tries = Tries::default();
        let mut waits = || tries.failed().as_secs();
        assert_eq!([(); 6].map(|()| waits()), [5, 5, 5, 5, 65, 5]);
        tries.opened();
        assert_eq!([(); 5].map(|()| tries.failed().as_secs()), [5, 5, 5, 5, 65]);
    }
}
