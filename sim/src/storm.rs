//! One cloud restarts, and all its nodes come back: how hard is it hit, and how long does it take?
//!
//! The nodes are real [`Hub`](edgehub_core::Hub)s with the default configuration, no modules and perfect clocks. Beside
//! them, in a run of their own, come nodes that wait as the original does (defect D5; see [`Waiting`]).
//!
//! The cloud is a model, and a simple one:
//!
//! - All links end at one instant. Until the outage is over, every attempt is refused at once.
//! - Then the cloud completes handshakes one after the other, each at the same cost.
//! - Connections that wait for their handshake stand in a listen backlog. When it is full, the connection request is
//!   lost, and the node's kernel repeats it after 1, 3, 7, 15 and 31 seconds.
//! - A node gives an attempt up after its own time-out. The cloud pays for a handshake that it has begun, and for no
//!   other: it reads the end of an abandoned connection before any key is exchanged.
//! - The network takes no time and loses nothing else.

mod cloud;
mod curve;
mod node;
mod run;

pub use curve::{Curve, side_by_side};
pub use node::Waiting;

use std::time::Duration;

/// What is to be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storm {
    /// How many nodes were connected.
    pub nodes: u32,
    /// Decides every jitter.
    pub seed: u64,
    /// From the loss of the links until the cloud listens again.
    pub outage: Duration,
    /// Handshakes that the cloud completes in a second.
    pub handshakes_per_second: u32,
    /// Connections that may wait for their handshake. Linux caps it at 4096 unless told otherwise.
    pub backlog: usize,
}

impl Default for Storm {
    fn default() -> Storm {
        Storm {
            nodes: 10_000,
            seed: 0,
            outage: Duration::from_secs(20),
            handshakes_per_second: 500,
            backlog: 4096,
        }
    }
}

impl Storm {
    /// Lets it happen, until every node is back or half an hour has passed.
    pub fn run(&self, waiting: Waiting) -> Curve {
        run::run(self, waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Storm = Storm {
        nodes: 400,
        seed: 3,
        outage: Duration::from_secs(20),
        handshakes_per_second: 20,
        backlog: 100,
    };

    #[test]
    fn the_same_storm_is_the_same_curve() {
        for waiting in Waiting::ALL {
            assert_eq!(SMALL.run(waiting), SMALL.run(waiting));
        }
    }

    #[test]
    fn another_seed_is_another_curve() {
        let other = Storm { seed: 4, ..SMALL };
        assert_ne!(SMALL.run(Waiting::Backoff), other.run(Waiting::Backoff));
    }

    #[test]
    fn everybody_comes_back_and_no_faster_than_the_cloud_can() {
        for waiting in Waiting::ALL {
            let curve = SMALL.run(waiting);
            assert_eq!(curve.connected(), SMALL.nodes, "{waiting:?}");
            assert!(curve.opened.iter().all(|&opened| opened <= SMALL.handshakes_per_second), "{curve:?}");
            let listening = SMALL.outage.as_secs() as usize;
            assert_eq!(curve.opened[..listening].iter().sum::<u32>(), 0, "{curve:?}");
        }
    }

    /// Defect D5: the original's nodes that notice the loss at once come back at once.
    #[test]
    fn the_backoff_spreads_what_the_fixed_wait_does_not() {
        let (ours, fixed) = (SMALL.run(Waiting::Backoff), SMALL.run(Waiting::FixedBusy));
        assert_eq!(fixed.peak_attempts(), SMALL.nodes);
        assert!(ours.peak_attempts() * 2 < fixed.peak_attempts(), "{ours:?}\n{fixed:?}");
    }

    #[test]
    fn a_short_outage_shows_how_short_the_first_wait_is() {
        let brief = Storm { outage: Duration::ZERO, ..SMALL };
        let curve = brief.run(Waiting::Backoff);
        assert_eq!(curve.attempts[0], brief.nodes, "the first wait is at most a second");
    }
}
