//! What a scenario's head can set, as data: KubeEdge's defaults are left out of the text.

use super::verb::{Kind, Parameter, count, time, word};
use crate::classes;
use crate::world::ENDPOINTS_MAX;
use edgehub_core::cloud::CloudConfig;
use edgehub_core::config::{Acknowledge, Choice, Drain, LaneChoice, Probe, Rate};
use edgehub_core::{Config, Profile};
use std::time::Duration;

/// One way, when nothing is wrong and the head says nothing else.
pub(crate) const LATENCY: Duration = Duration::from_millis(20);

/// One setting: its name and range, and how it is read and changed.
#[derive(Debug)]
pub(crate) struct Setting<C> {
    pub(crate) parameter: Parameter,
    pub(crate) read: fn(&C) -> u64,
    pub(crate) change: fn(&mut C, u64),
}

fn micros(length: Duration) -> u64 {
    u64::try_from(length.as_micros()).unwrap_or(u64::MAX)
}

macro_rules! a_time {
    ($name:literal, $field:ident, $low:literal, $high:literal) => {
        Setting {
            parameter: time($name, $low, $high),
            read: |config| micros(config.$field),
            change: |config, value| config.$field = Duration::from_micros(value),
        }
    };
}

macro_rules! a_count {
    ($name:literal, $field:ident, $low:literal, $high:expr) => {
        Setting {
            parameter: count($name, $low, $high),
            read: |config| config.$field as u64,
            change: |config, value| config.$field = value as _,
        }
    };
}

/// The names of [`EDGE`], for an action that changes one of them.
pub(crate) const EDGE_NAMES: [&str; 35] = [
    "heartbeat",
    "ping-interval",
    "ping-misses",
    "barrier-messages",
    "barrier-after",
    "open-timeout",
    "backoff-base",
    "backoff-max",
    "stable-after",
    "sync-timeout",
    "rate-per-second",
    "rate-burst",
    "outbox-messages",
    "outbox-bytes",
    "stall-limit",
    "shutdown-grace",
    "profile",
    "classes",
    "duplicate-messages",
    "duplicate-time",
    "acknowledge",
    "pong-limit",
    "spool-above",
    "drain-per-second",
    "drain-above",
    "drain-spread",
    "probe-after",
    "probe-limit",
    "cloud-keepalive",
    "endpoints",
    "endpoint-choice",
    "return-after",
    "lanes",
    "lane-trial",
    "lane-retry-after",
];

/// Settings of a hub, in the order of [`EDGE_NAMES`].
pub(crate) const EDGE: [Setting<Config>; 35] = [
    a_time!("heartbeat", heartbeat, 5_000, 25_000),
    a_time!("ping-interval", ping_interval, 1_000, 10_000),
    a_count!("ping-misses", ping_misses, 1, 5),
    a_count!("barrier-messages", barrier_messages, 1, 1024),
    a_time!("barrier-after", barrier_after, 1, 200),
    a_time!("open-timeout", open_timeout, 1_000, 30_000),
    a_time!("backoff-base", backoff_base, 100, 5_000),
    a_time!("backoff-max", backoff_max, 2_000, 60_000),
    a_time!("stable-after", stable_after, 1_000, 60_000),
    a_time!("sync-timeout", sync_timeout, 1_000, 60_000),
    Setting {
        // Zero stands for no limit.
        parameter: count("rate-per-second", 0, 1_000),
        read: |config| config.rate.map_or(0, |rate| u64::from(rate.per_second)),
        change: |config, value| {
            let burst = config.rate.map_or(60, |rate| rate.burst);
            config.rate = (value > 0).then_some(Rate { per_second: value as u32, burst });
        },
    },
    Setting {
        parameter: count("rate-burst", 1, 1_000),
        read: |config| config.rate.map_or(60, |rate| u64::from(rate.burst)),
        change: |config, value| {
            config.rate = config.rate.map(|rate| Rate { burst: value as u32, ..rate });
        },
    },
    a_count!("outbox-messages", outbox_messages, 1, 8192),
    a_count!("outbox-bytes", outbox_bytes, 1_000, 16 << 20),
    a_time!("stall-limit", stall_limit, 2_000, 30_000),
    a_time!("shutdown-grace", shutdown_grace, 100, 5_000),
    Setting {
        parameter: word("profile", &["current", "classic"]),
        read: |config| u64::from(config.profile == Profile::Classic),
        change: |config, value| {
            config.profile = if value == 1 { Profile::Classic } else { Profile::Current };
        },
    },
    Setting {
        parameter: word("classes", &classes::WORDS),
        read: |config| classes::word_of(&config.classes),
        change: |config, value| config.classes = classes::set(value),
    },
    Setting {
        parameter: count("duplicate-messages", 0, 1_024),
        read: |config| config.duplicate_window.messages as u64,
        change: |config, value| config.duplicate_window.messages = value as usize,
    },
    Setting {
        parameter: time("duplicate-time", 1_000, 60_000),
        read: |config| micros(config.duplicate_window.time),
        change: |config, value| config.duplicate_window.time = Duration::from_micros(value),
    },
    Setting {
        // Who acknowledges what is for the modules of KubeEdge that store.
        parameter: word("acknowledge", &["module", "hub"]),
        read: |config| u64::from(config.acknowledge.get("resource") == Some(&Acknowledge::Hub)),
        change: |config, value| match value {
            1 => drop(config.acknowledge.insert("resource".into(), Acknowledge::Hub)),
            _ => drop(config.acknowledge.remove("resource")),
        },
    },
    a_time!("pong-limit", pong_limit, 10_000, 240_000),
    a_count!("spool-above", spool_above, 0, 1 << 20),
    Setting {
        // Zero stands for as fast as can be.
        parameter: count("drain-per-second", 0, 1_000),
        read: |config| config.drain.map_or(0, |drain| u64::from(drain.per_second)),
        change: |config, value| {
            let drain = config.drain.unwrap_or(DRAIN);
            config.drain = (value > 0).then_some(Drain { per_second: value as u32, ..drain });
        },
    },
    Setting {
        parameter: count("drain-above", 0, 1_000),
        read: |config| config.drain.unwrap_or(DRAIN).above as u64,
        change: |config, value| {
            config.drain = config.drain.map(|drain| Drain { above: value as usize, ..drain });
        },
    },
    Setting {
        parameter: time("drain-spread", 0, 30_000),
        read: |config| micros(config.drain.unwrap_or(DRAIN).spread),
        change: |config, value| {
            let spread = Duration::from_micros(value);
            config.drain = config.drain.map(|drain| Drain { spread, ..drain });
        },
    },
    Setting {
        // Zero stands for no probe.
        parameter: time("probe-after", 0, 60_000),
        read: |config| config.probe.as_ref().map_or(0, |probe| micros(probe.after)),
        change: |config, value| {
            let probe = config.probe.take().unwrap_or_default();
            // A question a second is no load that a cloud must bear.
            let after = Duration::from_micros(value.max(5_000_000));
            config.probe = (value > 0).then_some(Probe { after, ..probe });
        },
    },
    Setting {
        parameter: time("probe-limit", 1_000, 60_000),
        read: |config| micros(config.probe.clone().unwrap_or_default().limit),
        change: |config, value| {
            let (asks, probe) = (config.probe.is_some(), config.probe.take().unwrap_or_default());
            let limit = Duration::from_micros(value);
            // The default of a hub that does not ask is no reason to ask.
            config.probe = (asks || limit != probe.limit).then_some(Probe { limit, ..probe });
        },
    },
    a_time!("cloud-keepalive", cloud_keepalive, 10_000, 90_000),
    Setting {
        // Each has the weight of its place.
        parameter: count("endpoints", 1, ENDPOINTS_MAX as u64),
        read: |config| config.endpoints.weights.len() as u64,
        change: |config, value| config.endpoints.weights = (1..=value as u32).collect(),
    },
    Setting {
        parameter: word("endpoint-choice", &["ordered", "random", "weighted"]),
        read: |config| config.endpoints.choice as u64,
        change: |config, value| {
            config.endpoints.choice = match value {
                1 => Choice::Random,
                2 => Choice::Weighted,
                _ => Choice::Ordered,
            };
        },
    },
    Setting {
        parameter: time("return-after", 5_000, 600_000),
        read: |config| micros(config.endpoints.return_after),
        change: |config, value| config.endpoints.return_after = Duration::from_micros(value),
    },
    Setting {
        parameter: word("lanes", &["websocket", "quic", "auto"]),
        read: |config| config.lanes.choice as u64,
        change: |config, value| {
            config.lanes.choice = match value {
                1 => LaneChoice::Quic,
                2 => LaneChoice::Auto,
                _ => LaneChoice::WebSocket,
            };
        },
    },
    Setting {
        parameter: time("lane-trial", 1_000, 30_000),
        read: |config| micros(config.lanes.trial),
        change: |config, value| config.lanes.trial = Duration::from_micros(value),
    },
    Setting {
        parameter: time("lane-retry-after", 5_000, 600_000),
        read: |config| micros(config.lanes.retry_after),
        change: |config, value| config.lanes.retry_after = Duration::from_micros(value),
    },
];

/// What a hub without a pace would begin with.
const DRAIN: Drain = Drain { per_second: 20, above: 100, spread: Duration::from_secs(10) };

/// Settings of CloudHub.
pub(crate) const CLOUD: [Setting<CloudConfig>; 6] = [
    a_time!("keepalive-timeout", keepalive_timeout, 30_000, 90_000),
    a_count!("node-limit", node_limit, 1, 1_000),
    a_count!("node-queue-messages", node_queue_messages_max, 1, 1_024),
    a_count!("node-queue-bytes", node_queue_bytes_max, 1_000, 64 << 20),
    a_time!("resend-interval", resend_interval, 500, 10_000),
    a_count!("sends-max", sends_max, 1, 8),
];

/// The longest latency of a head.
pub(crate) const LATENCY_RANGE: Parameter = time("latency", 1, 500);

/// The farthest that the streams of a link may be apart.
pub(crate) const STREAMS_RANGE: Parameter = time("streams-apart", 0, 1_000);

/// Whether a number is in a parameter's range.
pub(crate) fn allows(parameter: &Parameter, value: u64) -> bool {
    match parameter.kind {
        Kind::Word(words) => value < words.len() as u64,
        _ => (parameter.low..=parameter.high).contains(&value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<C: Default + PartialEq + std::fmt::Debug>(setting: &Setting<C>) {
        let name = setting.parameter.name;
        let default = (setting.read)(&C::default());
        assert!(allows(&setting.parameter, default), "{name}: the default {default} is not in its range");
        for value in [setting.parameter.low, setting.parameter.high] {
            let mut config = C::default();
            (setting.change)(&mut config, value);
            assert_eq!((setting.read)(&config), value, "{name}");
        }
    }

    #[test]
    fn each_setting_reads_what_it_wrote() {
        EDGE.iter().for_each(check);
        CLOUD.iter().for_each(check);
        assert_eq!(EDGE.map(|setting| setting.parameter.name), EDGE_NAMES);
    }
}
