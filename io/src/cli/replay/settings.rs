//! `key=value,…`: other values for settings of a recorded configuration.

use super::super::trace::length;
use edgehub::core::config::{Choice, Drain, LaneChoice, Rate};
use edgehub::core::{Config, Probe, Profile};
use std::fmt::Write;
use std::time::Duration;

/// Gives a setting another value, or says why not.
type Change = fn(&mut Config, &str) -> Result<(), String>;

/// A setting: its name, an example, and how it is changed.
struct Setting {
    name: &'static str,
    example: &'static str,
    change: Change,
}

macro_rules! time {
    ($name:literal, $example:literal, $($field:ident).+) => {
        Setting {
            name: $name,
            example: $example,
            change: |config, value| length(value).map(|length: Duration| config.$($field).+ = length),
        }
    };
}

macro_rules! count {
    ($name:literal, $example:literal, $($field:ident).+) => {
        Setting {
            name: $name,
            example: $example,
            change: |config, value| number(value).map(|number| config.$($field).+ = number),
        }
    };
}

const SETTINGS: [Setting; 32] = [
    time!("heartbeat", "15s", heartbeat),
    time!("ping.interval", "5s", ping_interval),
    count!("ping.misses", "3", ping_misses),
    count!("barrier.messages", "128", barrier_messages),
    time!("barrier.after", "50ms", barrier_after),
    time!("open.timeout", "30s", open_timeout),
    time!("backoff.base", "1s", backoff_base),
    time!("backoff.max", "60s", backoff_max),
    time!("stable.after", "30s", stable_after),
    time!("sync.timeout", "60s", sync_timeout),
    Setting {
        name: "rate",
        example: "30 messages/s, or off",
        change: |config, value| {
            let burst = config.rate.map_or(60, |rate| rate.burst);
            config.rate = match value {
                "off" => None,
                value => Some(Rate { per_second: number(value)?, burst }),
            };
            Ok(())
        },
    },
    Setting {
        name: "burst",
        example: "60",
        change: |config, value| {
            let rate = config.rate.as_mut().ok_or("there is no rate limit: set rate first")?;
            rate.burst = number(value)?;
            Ok(())
        },
    },
    Setting {
        name: "drain.rate",
        example: "20 messages/s, or off",
        change: |config, value| {
            let drain = config.drain.or(Config::default().drain);
            config.drain = match value {
                "off" => None,
                value => drain
                    .map(|drain| Ok::<_, String>(Drain { per_second: number(value)?, ..drain }))
                    .transpose()?,
            };
            Ok(())
        },
    },
    Setting {
        name: "drain.above",
        example: "100",
        change: |config, value| {
            number(value).and_then(|above| paced(config).map(|drain| drain.above = above))
        },
    },
    Setting {
        name: "drain.spread",
        example: "10s",
        change: |config, value| {
            length(value).and_then(|spread| paced(config).map(|drain| drain.spread = spread))
        },
    },
    count!("outbox.messages", "8192", outbox_messages),
    count!("outbox.bytes", "16777216", outbox_bytes),
    time!("stall.limit", "30s", stall_limit),
    count!("duplicates.messages", "1024", duplicate_window.messages),
    time!("duplicates.time", "60s", duplicate_window.time),
    time!("shutdown.grace", "5s", shutdown_grace),
    time!("pong.limit", "90s", pong_limit),
    count!("spool.above", "8388608", spool_above),
    Setting {
        name: "probe",
        example: "60s, or off",
        change: |config, value| {
            let probe = config.probe.take().unwrap_or_default();
            config.probe = match value {
                "off" => None,
                value => Some(Probe { after: length(value)?, ..probe }),
            };
            Ok(())
        },
    },
    Setting {
        name: "probe.limit",
        example: "30s",
        change: |config, value| {
            // Who asks for its limit wants it to be asked.
            length(value).map(|limit| config.probe.get_or_insert_default().limit = limit)
        },
    },
    time!("cloud.keepalive", "60s", cloud_keepalive),
    time!("endpoints.return.after", "5m", endpoints.return_after),
    time!("lanes.trial", "5s", lanes.trial),
    time!("lanes.retry.after", "10m", lanes.retry_after),
    Setting {
        name: "endpoints.choice",
        example: "ordered, random or weighted",
        change: |config, value| {
            config.endpoints.choice = match value {
                "ordered" => Choice::Ordered,
                "random" => Choice::Random,
                "weighted" => Choice::Weighted,
                _ => return Err(format!("expected ordered, random or weighted, found {value:?}")),
            };
            Ok(())
        },
    },
    Setting {
        name: "lanes.choice",
        example: "auto, quic or websocket",
        change: |config, value| {
            config.lanes.choice = match value {
                "auto" => LaneChoice::Auto,
                "quic" => LaneChoice::Quic,
                "websocket" => LaneChoice::WebSocket,
                _ => return Err(format!("expected auto, quic or websocket, found {value:?}")),
            };
            Ok(())
        },
    },
    Setting {
        name: "profile",
        example: "current, or classic",
        change: |config, value| {
            config.profile = match value {
                "current" => Profile::Current,
                "classic" => Profile::Classic,
                _ => return Err(format!("expected current or classic, found {value:?}")),
            };
            Ok(())
        },
    },
];

/// How a backlog leaves, where it is paced at all.
fn paced(config: &mut Config) -> Result<&mut Drain, String> {
    config.drain.as_mut().ok_or_else(|| "backlogs are not paced: set drain.rate first".into())
}

fn number<N: std::str::FromStr>(value: &str) -> Result<N, String> {
    value.parse().map_err(|_| format!("expected a number, found {value:?}"))
}

/// Other values for some settings, checked.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    changes: Vec<(Change, String)>,
}

impl Settings {
    /// Changes a configuration. What can only be said of a whole configuration, such as a burst without a rate, changes
    /// nothing there.
    pub(super) fn change(&self, config: &mut Config) {
        for (change, value) in &self.changes {
            let _ = change(config, value);
        }
    }
}

impl std::str::FromStr for Settings {
    type Err = String;

    fn from_str(text: &str) -> Result<Settings, String> {
        let mut changes = Vec::new();
        for part in text.split(',') {
            let (name, value) =
                part.split_once('=').ok_or_else(|| format!("expected key=value, found {part:?}"))?;
            let (name, value) = (name.trim(), value.trim());
            let known = SETTINGS.iter().find(|setting| setting.name == name).ok_or_else(|| unknown(name))?;
            (known.change)(&mut Config::default(), value).map_err(|why| format!("{name}: {why}"))?;
            changes.push((known.change, value.into()));
        }
        Ok(Settings { changes })
    }
}

fn unknown(name: &str) -> String {
    let mut told = format!("there is no setting {name:?}; there are:");
    for Setting { name, example, .. } in &SETTINGS {
        // Writing to a String cannot fail.
        let _ = write!(told, "\n  {name:<20} {example}");
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_change_what_they_name() {
        let settings: Settings = "heartbeat=5s, backoff.max=10s,rate=off,outbox.messages=7".parse().unwrap();
        let mut config = Config::default();
        settings.change(&mut config);
        let expected = Config {
            heartbeat: Duration::from_secs(5),
            backoff_max: Duration::from_secs(10),
            rate: None,
            outbox_messages: 7,
            ..Config::default()
        };
        assert_eq!(config, expected);
    }

    #[test]
    fn what_is_not_known_is_answered_with_what_is() {
        let told = "hartbeat=5s".parse::<Settings>().unwrap_err();
        assert!(
            told.contains("\"hartbeat\"") && SETTINGS.iter().all(|setting| told.contains(setting.name)),
            "{told}"
        );
        for wrong in ["heartbeat", "heartbeat=soon", "rate=-1", "profile=new", ""] {
            assert!(wrong.parse::<Settings>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_example_is_a_value() {
        for Setting { name, example, .. } in &SETTINGS {
            let value = example.split([' ', ',']).next().unwrap();
            assert!(format!("{name}={value}").parse::<Settings>().is_ok(), "{name}={value}");
        }
    }
}
