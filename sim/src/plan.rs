//! What a seed decides before anything happens: how many nodes, which settings, which faults and how often.
//!
//! Each fault is in a run or not (swarm testing): faults that are always on hide one another's effects.

use crate::dice::Dice;
use crate::faults::{self, Fault};
use edgehub_core::cloud::CloudConfig;
use edgehub_core::config::Rate;
use edgehub_core::{Config, Profile};
use std::time::Duration;

/// A run's settings. Chances are per mille.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) nodes: usize,
    pub(crate) edge: Config,
    pub(crate) cloud: CloudConfig,
    /// One way.
    pub(crate) latency: (Duration, Duration),
    /// Between two messages of one module.
    pub(crate) module_pause: (Duration, Duration),
    /// Between two messages of the cloud modules, for all nodes together.
    pub(crate) cloud_pause: (Duration, Duration),
    /// Faults that strike at a moment of their own, and the time between two.
    pub(crate) faults: Vec<Fault>,
    pub(crate) fault_pause: (Duration, Duration),
    pub(crate) chances: Chances,
    /// Ends with a shutdown in the middle of the trouble, not after it.
    pub(crate) stops_unhealed: bool,
}

/// Faults that are decided where something happens anyway, per mille.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chances {
    pub(crate) open_refused: u64,
    pub(crate) open_hangs: u64,
    /// It succeeds, but after the hub has given up.
    pub(crate) open_late: u64,
    /// A frame that is no message comes with a frame that is one.
    pub(crate) malformed: u64,
    /// What still arrives on a link that the hub has closed is reported.
    pub(crate) late_event: u64,
    /// A tick that nobody asked for follows an event.
    pub(crate) spurious_tick: u64,
    /// A tick comes late, by up to two seconds.
    pub(crate) late_tick: u64,
    pub(crate) pong_left_out: u64,
    /// The cloud module that was asked does not answer.
    pub(crate) unanswered: u64,
}

impl Plan {
    pub(crate) fn new(dice: &mut Dice) -> Plan {
        let mut some = |per_mille: u64, low: u64, high: u64| {
            if dice.chance(per_mille) { dice.number(low, high) } else { 0 }
        };
        let chances = Chances {
            open_refused: some(400, 50, 600),
            open_hangs: some(300, 50, 300),
            open_late: some(300, 50, 300),
            malformed: some(300, 1, 20),
            late_event: some(500, 100, 900),
            spurious_tick: some(500, 10, 300),
            late_tick: some(500, 10, 300),
            pong_left_out: some(300, 10, 300),
            unanswered: some(500, 10, 500),
        };
        let faults = faults::ALL.into_iter().filter(|_| dice.chance(500)).collect();
        let latency = dice.millis(1, 150);
        let busy = dice.number(1, 8);
        let fault_pause = dice.millis(2_000, 40_000);
        Plan {
            nodes: dice.number(1, 4) as usize,
            edge: edge_config(dice),
            cloud: CloudConfig {
                resend_interval: dice.millis(1_000, 5_000),
                sends_max: dice.number(1, 5) as u32,
                ..CloudConfig::default()
            },
            latency: (latency / 4, latency),
            module_pause: (Duration::from_millis(20), Duration::from_millis(1_000 * busy)),
            cloud_pause: (Duration::from_millis(20), Duration::from_millis(500 * busy)),
            faults,
            fault_pause: (fault_pause / 8, fault_pause),
            chances,
            stops_unhealed: dice.chance(200),
        }
    }

    /// No fault from now on.
    pub(crate) fn heal(&mut self) {
        self.faults.clear();
        self.chances = Chances::default();
    }
}

fn edge_config(dice: &mut Dice) -> Config {
    let small = dice.chance(300);
    let rate = Rate { per_second: dice.number(10, 60) as u32, burst: dice.number(1, 60) as u32 };
    Config {
        profile: if dice.chance(300) { Profile::Classic } else { Profile::Current },
        heartbeat: dice.millis(5_000, 15_000),
        ping_interval: dice.millis(1_000, 5_000),
        ping_misses: dice.number(1, 3) as u32,
        barrier_messages: dice.number(1, 128) as u32,
        barrier_after: dice.millis(1, 200),
        backoff_max: dice.millis(2_000, 30_000),
        sync_timeout: dice.millis(1_000, 30_000),
        rate: if dice.chance(800) { Some(rate) } else { None },
        outbox_messages: if small { dice.number(1, 64) as usize } else { 8192 },
        outbox_bytes: if small { dice.number(1_000, 100_000) as usize } else { 16 << 20 },
        stall_limit: dice.millis(2_000, 30_000),
        shutdown_grace: dice.millis(100, 5_000),
        ..Config::default()
    }
}
