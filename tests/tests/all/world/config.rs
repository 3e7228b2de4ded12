//! Configurations worth a run.

use edgehub_core::Config;
use edgehub_core::class::Classes;
use edgehub_core::config::{
    Acknowledge, Choice, Drain, DuplicateWindow, Endpoints, LaneChoice, Lanes, Probe, Profile, Rate,
};
use std::time::Duration;

/// Configurations worth a run: KubeEdge's own, a small and hasty one, one that allows almost nothing, one of zeros.
pub(crate) fn config(which: usize) -> Config {
    let ms = Duration::from_millis;
    match which % 5 {
        0 => Config::default(),
        1 => Config::classic(),
        2 => Config {
            heartbeat: ms(40),
            ping_interval: ms(10),
            ping_misses: 1,
            barrier_messages: 3,
            barrier_after: ms(2),
            backoff_base: ms(200),
            sync_timeout: ms(30),
            stall_limit: ms(50),
            rate: Some(Rate { per_second: 100, burst: 5 }),
            drain: Some(Drain { per_second: 50, above: 2, spread: ms(30) }),
            outbox_messages: 20,
            outbox_bytes: 4000,
            classes: kept(),
            spool_above: 1000,
            acknowledge: [("resource".into(), Acknowledge::Hub)].into(),
            duplicate_window: DuplicateWindow { messages: 3, time: ms(20) },
            probe: Some(Probe { after: ms(25), limit: ms(15), ..Probe::default() }),
            endpoints: Endpoints { weights: vec![1, 2, 3], choice: Choice::Ordered, return_after: ms(100) },
            lanes: Lanes { choice: LaneChoice::Auto, trial: ms(30), retry_after: ms(200) },
            ..Config::default()
        },
        3 => Config { rate: None, outbox_messages: 600, outbox_bytes: 200_000, ..Config::default() },
        _ => Config {
            profile: Profile::Classic,
            heartbeat: Duration::ZERO,
            ping_interval: Duration::ZERO,
            ping_misses: 0,
            pong_limit: Duration::ZERO,
            barrier_messages: 0,
            barrier_after: Duration::ZERO,
            open_timeout: Duration::ZERO,
            backoff_base: Duration::ZERO,
            backoff_max: Duration::ZERO,
            stable_after: Duration::ZERO,
            sync_timeout: Duration::ZERO,
            rate: Some(Rate { per_second: 0, burst: 0 }),
            drain: Some(Drain { per_second: 0, above: 0, spread: Duration::ZERO }),
            classes: Classes { classes: vec![], rules: vec![], otherwise: 0 },
            outbox_messages: 0,
            outbox_bytes: 0,
            spool_above: 20_000,
            stall_limit: Duration::ZERO,
            shutdown_grace: Duration::ZERO,
            acknowledge: [("resource".into(), Acknowledge::Module)].into(),
            duplicate_window: DuplicateWindow { messages: 0, time: Duration::ZERO },
            probe: None,
            cloud_keepalive: Duration::ZERO,
            endpoints: Endpoints { weights: vec![], choice: Choice::Random, return_after: Duration::ZERO },
            lanes: Lanes { choice: LaneChoice::Auto, trial: Duration::ZERO, retry_after: Duration::ZERO },
        },
    }
}

/// Everything is stored, and what is dropped becomes a dead letter.
fn kept() -> Classes {
    let mut classes = Classes::default();
    for class in &mut classes.classes {
        (class.persistent, class.dead_letters) = (true, true);
    }
    classes
}
