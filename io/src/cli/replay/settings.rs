//! `key=value,…`: other values for settings of a recorded configuration.

use super::super::trace::length;
use edgehub::core::class::{Class, Delivery, Overflow};
use edgehub::core::config::{Choice, Drain, LaneChoice, Rate};
use edgehub::core::{Config, Probe, Profile};
use std::fmt::Write;
use std::time::Duration;

/// Gives a setting another value, or says why not.
type Change<On> = fn(&mut On, &str) -> Result<(), String>;

/// A setting of a whole configuration, or of a class: its name, an example, and how it is changed.
struct Setting<On> {
    name: &'static str,
    example: &'static str,
    change: Change<On>,
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

const SETTINGS: [Setting<Config>; 32] = [
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
            let words =
                [("ordered", Choice::Ordered), ("random", Choice::Random), ("weighted", Choice::Weighted)];
            word(value, &words).map(|word| config.endpoints.choice = word)
        },
    },
    Setting {
        name: "lanes.choice",
        example: "auto, quic or websocket",
        change: |config, value| {
            let words = [
                ("auto", LaneChoice::Auto),
                ("quic", LaneChoice::Quic),
                ("websocket", LaneChoice::WebSocket),
            ];
            word(value, &words).map(|word| config.lanes.choice = word)
        },
    },
    Setting {
        name: "profile",
        example: "current, or classic",
        change: |config, value| {
            let words = [("current", Profile::Current), ("classic", Profile::Classic)];
            word(value, &words).map(|word| config.profile = word)
        },
    },
];

/// What begins the name of a setting of a class; the name of the class follows.
const OF_CLASS: &str = "class.";

const CLASS_SETTINGS: [Setting<Class>; 8] = [
    Setting {
        name: "priority",
        example: "0",
        change: |class, value| number(value).map(|number| class.priority = number),
    },
    Setting {
        name: "delivery",
        example: "at-least-once or at-most-once",
        change: |class, value| {
            let words = [("at-least-once", Delivery::AtLeastOnce), ("at-most-once", Delivery::AtMostOnce)];
            word(value, &words).map(|word| class.delivery = word)
        },
    },
    Setting {
        name: "time.to.live",
        example: "60s, or off",
        change: |class, value| unless_off(value, length).map(|length| class.time_to_live = length),
    },
    Setting {
        name: "messages",
        example: "1000, or off",
        change: |class, value| unless_off(value, number).map(|number| class.messages = number),
    },
    Setting {
        name: "bytes",
        example: "1048576, or off",
        change: |class, value| unless_off(value, number).map(|number| class.bytes = number),
    },
    Setting {
        name: "overflow",
        example: "drop-oldest, drop-newest or reject",
        change: |class, value| {
            let words = [
                ("drop-oldest", Overflow::DropOldest),
                ("drop-newest", Overflow::DropNewest),
                ("reject", Overflow::Reject),
            ];
            word(value, &words).map(|word| class.overflow = word)
        },
    },
    Setting {
        name: "coalesce",
        example: "on or off",
        change: |class, value| switch(value).map(|on| class.coalesce = on),
    },
    Setting {
        name: "rate.limited",
        example: "on or off",
        change: |class, value| switch(value).map(|on| class.rate_limited = on),
    },
];

/// How a backlog leaves, where it is paced at all.
fn paced(config: &mut Config) -> Result<&mut Drain, String> {
    config.drain.as_mut().ok_or_else(|| "backlogs are not paced: set drain.rate first".into())
}

fn number<N: std::str::FromStr>(value: &str) -> Result<N, String> {
    value.parse().map_err(|_| format!("expected a number, found {value:?}"))
}

/// The value that a word names.
fn word<T: Copy>(value: &str, words: &[(&str, T)]) -> Result<T, String> {
    let known = words.iter().find(|(word, _)| *word == value).map(|(_, named)| *named);
    known.ok_or_else(|| {
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        format!("expected one of {}, found {value:?}", words.join(", "))
    })
}

fn switch(value: &str) -> Result<bool, String> {
    word(value, &[("on", true), ("off", false)])
}

fn unless_off<T>(value: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    if value == "off" { Ok(None) } else { read(value).map(Some) }
}

/// What is to be changed.
#[derive(Debug, Clone)]
enum What {
    Hub(Change<Config>),
    /// A setting of the class of this name.
    Class(Box<str>, Change<Class>),
}

impl What {
    fn named(name: &str) -> Option<What> {
        let Some(of_class) = name.strip_prefix(OF_CLASS) else {
            return Some(What::Hub(SETTINGS.iter().find(|setting| setting.name == name)?.change));
        };
        CLASS_SETTINGS.iter().find_map(|setting| {
            let class = of_class.strip_suffix(setting.name)?.strip_suffix('.')?;
            Some(What::Class(class.into(), setting.change))
        })
    }

    /// Whether a value can be one, in a configuration that has what it is about.
    fn check(&self, value: &str) -> Result<(), String> {
        match self {
            What::Hub(change) => change(&mut Config::default(), value),
            What::Class(_, change) => change(&mut Class::default(), value),
        }
    }

    fn change(&self, config: &mut Config, value: &str) -> Result<(), String> {
        match self {
            What::Hub(change) => change(config, value),
            What::Class(name, change) => {
                let classes = &mut config.classes.classes;
                match classes.iter_mut().find(|class| class.name == *name) {
                    Some(class) => change(class, value),
                    None => {
                        let names: Vec<&str> = classes.iter().map(|class| &*class.name).collect();
                        Err(format!("there is no class {name:?}; there are {}", names.join(", ")))
                    }
                }
            }
        }
    }
}

/// Other values for some settings, checked.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    changes: Vec<(What, String)>,
}

impl Settings {
    /// Changes a configuration as far as it has what is to be changed. Says what it has not, such as a burst without a rate.
    pub(super) fn change(&self, config: &mut Config) -> Result<(), String> {
        let changed = self.changes.iter().map(|(what, value)| what.change(config, value));
        changed.fold(Ok(()), Result::and)
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
            let what = What::named(name).ok_or_else(|| unknown(name))?;
            what.check(value).map_err(|why| format!("{name}: {why}"))?;
            changes.push((what, value.into()));
        }
        Ok(Settings { changes })
    }
}

fn unknown(name: &str) -> String {
    let mut told = format!("there is no setting {name:?}; there are:");
    let settings = SETTINGS.iter().map(|setting| (setting.name.to_owned(), setting.example));
    let of_class = CLASS_SETTINGS.iter();
    let of_class = of_class.map(|setting| (format!("{OF_CLASS}NAME.{}", setting.name), setting.example));
    for (name, example) in settings.chain(of_class) {
        // Writing to a String cannot fail.
        let _ = write!(told, "\n  {name:<23} {example}");
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
        settings.change(&mut config).unwrap();
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
    fn a_class_is_named() {
        let text = "class.telemetry.messages=7,class.telemetry.time.to.live=off,class.my.own.overflow=reject";
        let settings: Settings = text.parse().unwrap();
        let own = || Class { name: "my.own".into(), ..Class::default() };
        let mut config = Config::default();
        let telemetry = config.classes.named("telemetry").unwrap();
        config.classes.classes[telemetry].time_to_live = Some(Duration::from_secs(1));
        // What is there is changed all the same.
        let told = settings.change(&mut config).unwrap_err();
        assert!(told.contains("\"my.own\"") && told.contains("telemetry"), "{told}");
        let class = &config.classes.classes[telemetry];
        assert_eq!((class.messages, class.time_to_live), (Some(7), None));
        config.classes.classes.push(own());
        settings.change(&mut config).unwrap();
        let expected = Class { overflow: Overflow::Reject, ..own() };
        assert_eq!(config.classes.classes.last(), Some(&expected));
    }

    #[test]
    fn what_a_configuration_has_not_is_told() {
        let settings: Settings = "burst=9".parse().unwrap();
        let mut config = Config { rate: None, ..Config::default() };
        assert!(settings.change(&mut config).unwrap_err().contains("set rate first"));
    }

    #[test]
    fn what_is_not_known_is_answered_with_what_is() {
        let told = "hartbeat=5s".parse::<Settings>().unwrap_err();
        assert!(
            told.contains("\"hartbeat\"") && SETTINGS.iter().all(|setting| told.contains(setting.name)),
            "{told}"
        );
        assert!(told.contains("class.NAME.overflow"), "{told}");
        for wrong in [
            "heartbeat",
            "heartbeat=soon",
            "rate=-1",
            "profile=new",
            "",
            "class.state.size=1",
            "class.messages=1",
            "class.state.messages=few",
        ] {
            assert!(wrong.parse::<Settings>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_example_is_a_value() {
        let of_class = CLASS_SETTINGS.iter();
        let of_class = of_class.map(|setting| (format!("class.state.{}", setting.name), setting.example));
        let settings = SETTINGS.iter().map(|setting| (setting.name.to_owned(), setting.example));
        for (name, example) in settings.chain(of_class) {
            let value = example.split([' ', ',']).next().unwrap();
            let settings: Settings = format!("{name}={value}").parse().unwrap();
            assert_eq!(settings.change(&mut Config::default()), Ok(()), "{name}={value}");
        }
    }
}
