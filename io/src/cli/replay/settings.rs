//! `key=value,…`: other values for settings of a recorded configuration.

mod rule;
mod value;

use edgehub::config::GROUPS;
use edgehub::core::Config;
use edgehub::core::class::{Class, Classes};
use edgehub::core::limits::CLASS_RULES_MAX;
use std::fmt::Write;
use value::{OFF, Start, Value};

/// A setting of `T`: its name, and where its value is.
type Setting<T> = (&'static str, fn(&mut T) -> &mut dyn Value);

/// The settings of a hub. What is off comes with its usual values when one of them is set.
const OF_HUB: [Setting<Config>; 34] = [
    ("profile", |hub| &mut hub.profile),
    ("heartbeat", |hub| &mut hub.heartbeat),
    ("ping.interval", |hub| &mut hub.ping_interval),
    ("ping.misses", |hub| &mut hub.ping_misses),
    ("pong.limit", |hub| &mut hub.pong_limit),
    ("barrier.messages", |hub| &mut hub.barrier_messages),
    ("barrier.after", |hub| &mut hub.barrier_after),
    ("open.timeout", |hub| &mut hub.open_timeout),
    ("backoff.base", |hub| &mut hub.backoff_base),
    ("backoff.max", |hub| &mut hub.backoff_max),
    ("stable.after", |hub| &mut hub.stable_after),
    ("sync.timeout", |hub| &mut hub.sync_timeout),
    ("rate", |hub| &mut hub.rate),
    ("burst", |hub| &mut hub.rate.get_or_insert_with(Start::start).burst),
    ("drain.rate", |hub| &mut hub.drain),
    ("drain.above", |hub| &mut hub.drain.get_or_insert_with(Start::start).above),
    ("drain.spread", |hub| &mut hub.drain.get_or_insert_with(Start::start).spread),
    ("otherwise", |hub| &mut hub.classes),
    ("outbox.messages", |hub| &mut hub.outbox_messages),
    ("outbox.bytes", |hub| &mut hub.outbox_bytes),
    ("spool.above", |hub| &mut hub.spool_above),
    ("stall.limit", |hub| &mut hub.stall_limit),
    ("duplicates.messages", |hub| &mut hub.duplicate_window.messages),
    ("duplicates.time", |hub| &mut hub.duplicate_window.time),
    ("shutdown.grace", |hub| &mut hub.shutdown_grace),
    ("probe", |hub| &mut hub.probe),
    ("probe.limit", |hub| &mut hub.probe.get_or_insert_with(Start::start).limit),
    ("probe.resource", |hub| &mut hub.probe.get_or_insert_with(Start::start).resource),
    ("cloud.keepalive", |hub| &mut hub.cloud_keepalive),
    ("endpoints.choice", |hub| &mut hub.endpoints.choice),
    ("endpoints.return.after", |hub| &mut hub.endpoints.return_after),
    ("lanes.choice", |hub| &mut hub.lanes.choice),
    ("lanes.trial", |hub| &mut hub.lanes.trial),
    ("lanes.retry.after", |hub| &mut hub.lanes.retry_after),
];

/// The settings of each class, behind `class.NAME.`.
const OF_CLASS: [Setting<Class>; 11] = [
    ("priority", |class| &mut class.priority),
    ("delivery", |class| &mut class.delivery),
    ("ttl", |class| &mut class.time_to_live),
    ("messages", |class| &mut class.messages),
    ("bytes", |class| &mut class.bytes),
    ("message.bytes", |class| &mut class.message_bytes),
    ("overflow", |class| &mut class.overflow),
    ("coalesce", |class| &mut class.coalesce),
    ("persistent", |class| &mut class.persistent),
    ("dead.letters", |class| &mut class.dead_letters),
    ("rate.limited", |class| &mut class.rate_limited),
];

/// What the settings of classes begin with.
const CLASS: &str = "class.";

/// What the setting of a group begins with: who acknowledges its messages.
const ACKNOWLEDGE: &str = "acknowledge.";

/// What the setting of a rule begins with, which its number follows: 1 for the first.
const RULE: &str = "rule.";

/// What stands for the number of a rule that is to come before all others.
const NEW: &str = "new";

/// What stands for all rules, to take them out.
const RULES: &str = "rules";

/// Other values for some settings.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    changes: Vec<(String, String)>,
}

impl Settings {
    /// Changes a configuration, as far as that can be done; says what cannot.
    pub(super) fn change(&self, config: &mut Config) -> Result<(), String> {
        let failed = |(key, value): &(String, String)| change(config, key, value).err();
        let problems: Vec<String> = self.changes.iter().filter_map(failed).collect();
        if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
    }
}

impl std::str::FromStr for Settings {
    type Err = String;

    fn from_str(text: &str) -> Result<Settings, String> {
        let change = |part: &str| {
            let (key, value) =
                part.split_once('=').ok_or_else(|| format!("expected key=value, found {part:?}"))?;
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        };
        Ok(Settings { changes: text.split(',').map(change).collect::<Result<_, String>>()? })
    }
}

fn change(config: &mut Config, key: &str, value: &str) -> Result<(), String> {
    let of_hub = OF_HUB.iter().find(|(name, _)| *name == key);
    let set = if let Some((_, place)) = of_hub {
        place(config).set(value)
    } else if let Some(group) = key.strip_prefix(ACKNOWLEDGE).filter(|group| GROUPS.contains(group)) {
        config.acknowledge.entry(group.into()).or_default().set(value)
    } else if let Some(number) = key.strip_prefix(RULE) {
        set_rule(&mut config.classes, number, value)
    } else if key == RULES {
        set_rules(&mut config.classes, value)
    } else {
        of_class(config, key)?.set(value)
    };
    set.map_err(|why| format!("{key}: {why}"))
}

/// Has another rule in the place of one, or before all.
fn set_rule(classes: &mut Classes, number: &str, text: &str) -> Result<(), String> {
    let rule = rule::parsed(text, classes)?;
    if number == NEW {
        if classes.rules.len() >= CLASS_RULES_MAX {
            return Err(format!("expected at most {CLASS_RULES_MAX} rules, and there are as many"));
        }
        classes.rules.insert(0, rule);
        return Ok(());
    }
    let count = classes.rules.len();
    let place = number.parse::<usize>().ok().and_then(|number| classes.rules.get_mut(number.checked_sub(1)?));
    *place.ok_or_else(|| format!("expected the number of a rule from 1 to {count}, or {NEW}"))? = rule;
    Ok(())
}

/// Takes all rules out. How many there are is what is shown, and leaves them as they are.
fn set_rules(classes: &mut Classes, text: &str) -> Result<(), String> {
    match text {
        OFF => classes.rules.clear(),
        text if text == classes.rules.len().to_string() => {}
        _ => return Err(format!("expected {OFF}, found {text:?}; each has a setting of its own")),
    }
    Ok(())
}

/// The place of a setting of a class.
fn of_class<'a>(config: &'a mut Config, key: &str) -> Result<&'a mut dyn Value, String> {
    let all = listed(config);
    let rest = key.strip_prefix(CLASS).unwrap_or_default();
    // `bytes` is the end of `message.bytes`, too, and a name may have dots.
    let ends = OF_CLASS.iter().filter_map(|(name, place)| {
        let class = rest.strip_suffix(name)?.strip_suffix('.')?;
        Some((config.classes.named(class)?, place))
    });
    match ends.min_by_key(|(at, _)| config.classes.classes.get(*at).map(|class| class.name.len())) {
        Some((at, place)) if at < config.classes.classes.len() => Ok(place(&mut config.classes.classes[at])),
        _ => Err(format!("there is no setting {key:?}; there are, with the recorded values:{all}")),
    }
}

/// Every setting with its value, one a line.
fn listed(config: &Config) -> String {
    let mut told = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a String cannot fail.
        let _ = write!(told, "\n  {name:<32} {value}");
    };
    for (name, place) in &OF_HUB {
        // To look at a part of what is off must not turn it on.
        line(name, place(&mut config.clone()).show());
    }
    for group in GROUPS {
        let by = config.acknowledge.get(group).copied().unwrap_or_default();
        line(&format!("{ACKNOWLEDGE}{group}"), by.show());
    }
    line(RULES, config.classes.rules.len().to_string());
    for (number, rule) in (1..).zip(&config.classes.rules) {
        line(&format!("{RULE}{number}"), rule::shown(rule, &config.classes));
    }
    for class in &config.classes.classes {
        for (name, place) in &OF_CLASS {
            line(&format!("{CLASS}{}.{name}", class.name), place(&mut class.clone()).show());
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgehub::core::class::{Delivery, Rule};
    use edgehub::core::config::Acknowledge;
    use serde_json::Value as Json;
    use std::collections::BTreeSet;
    use std::time::Duration;

    fn changed(text: &str) -> Result<Config, String> {
        let mut config = Config::default();
        text.parse::<Settings>()?.change(&mut config).map(|()| config)
    }

    #[test]
    fn settings_change_what_they_name() {
        let config = changed("heartbeat=5s, backoff.max=10s,rate=off,outbox.messages=7").unwrap();
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
    fn classes_have_settings_too() {
        let config = changed(
            "class.telemetry.ttl=5s,class.telemetry.delivery=at-most-once,class.telemetry.message.bytes=9,\
             class.state.priority=7,otherwise=telemetry",
        )
        .unwrap();
        let mut expected = Config::default();
        let telemetry = expected.classes.named("telemetry").unwrap();
        let state = expected.classes.named("state").unwrap();
        expected.classes.otherwise = telemetry;
        expected.classes.classes[state].priority = 7;
        let class = &mut expected.classes.classes[telemetry];
        class.time_to_live = Some(Duration::from_secs(5));
        class.delivery = Delivery::AtMostOnce;
        class.message_bytes = Some(9);
        assert_eq!(config, expected);
        assert_eq!(changed("class.telemetry.ttl=5s,class.telemetry.ttl=off"), Ok(Config::default()));
    }

    #[test]
    fn rules_and_acknowledgements_can_be_others() {
        let config =
            changed("rule.new=operation=update&resource=device/*->telemetry,acknowledge.twin=hub").unwrap();
        let mut expected = Config::default();
        let class = expected.classes.named("telemetry").unwrap();
        let (operation, resource) = (Some("update".into()), Some("device/*".into()));
        let first = Rule { operation, resource, class, ..Rule::default() };
        expected.classes.rules.insert(0, first.clone());
        expected.acknowledge.insert("twin".into(), Acknowledge::Hub);
        assert_eq!(config, expected);
        let config =
            changed("rules=off,rule.new=any->state,rule.1=operation=update&resource=device/*->telemetry")
                .unwrap();
        assert_eq!(config.classes.rules, [first]);
        let last = Config::default().classes.rules.len();
        assert!(
            changed(&format!("rule.{last}=any->state")).is_ok()
                && changed(&format!("rule.{}=any->state", last + 1)).is_err()
        );
    }

    /// A class may have any name.
    #[test]
    fn a_name_with_dots_is_no_other_setting() {
        let mut config = Config::default();
        for name in ["a", "a.message"] {
            config.classes.classes.push(Class { name: name.into(), ..Class::default() });
        }
        let place = |config: &Config, name: &str| config.classes.named(name).unwrap();
        change(&mut config, "class.a.message.bytes", "5").unwrap();
        let at = place(&config, "a");
        assert_eq!(config.classes.classes[at].message_bytes, Some(5));
        change(&mut config, "class.a.message.message.bytes", "6").unwrap();
        let at = place(&config, "a.message");
        assert_eq!(config.classes.classes[at].message_bytes, Some(6));
    }

    #[test]
    fn what_is_not_known_is_answered_with_what_is() {
        let told = changed("hartbeat=5s").unwrap_err();
        assert!(told.contains("\"hartbeat\""), "{told}");
        assert!(OF_HUB.iter().all(|(name, _)| told.contains(name)), "{told}");
        assert!(told.contains("class.telemetry.ttl") && told.contains("15s"), "{told}");
        for wrong in [
            "heartbeat",
            "heartbeat=soon",
            "heartbeat=off",
            "rate=-1",
            "profile=new",
            "class.none.ttl=1s",
            "class.telemetry.colour=red",
            "class.telemetry.coalesce=perhaps",
            "acknowledge.twin=nobody",
            "acknowledge.none=hub",
            "rule.0=any->state",
            "rule.99=any->state",
            "rule.1=off",
            "rules=any->state",
            "endpoints.weights=1",
            "class.state.name=other",
            "otherwise=none",
            "",
        ] {
            assert!(changed(wrong).is_err(), "{wrong}");
        }
        let both = changed("heartbeat=soon,rate=-1").unwrap_err();
        assert!(both.contains("heartbeat: ") && both.contains("rate: "), "{both}");
    }

    /// What is shown can be said, and changes nothing.
    #[test]
    fn every_value_that_is_shown_is_one() {
        let config =
            changed("probe=60s,class.state.ttl=5s,class.state.messages=5,class.state.bytes=5").unwrap();
        let mut same =
            Config { acknowledge: GROUPS.map(|group| (group.into(), Default::default())).into(), ..config };
        let config = same.clone();
        for line in listed(&config).lines().skip(1) {
            let (key, value) = line.trim().split_once(' ').unwrap();
            change(&mut same, key, value.trim()).unwrap();
        }
        assert_eq!(same, config);
    }

    /// The leaves of a configuration, and what is in each.
    fn leaves(path: String, json: &Json, found: &mut BTreeSet<(String, String)>) {
        let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        match json {
            // Lengths of time are seconds and nanoseconds.
            Json::Object(fields) if !fields.contains_key("nanos") => {
                fields.iter().for_each(|(key, value)| leaves(below(key), value, found));
            }
            Json::Array(items) => {
                items.iter().enumerate().for_each(|(at, item)| leaves(below(&at.to_string()), item, found));
            }
            value => drop(found.insert((path, value.to_string()))),
        }
    }

    /// Whoever adds a setting to the configuration finds here that it can be asked about.
    #[test]
    fn every_setting_of_the_configuration_can_be_changed() {
        let all = |config: &Config| {
            let mut found = BTreeSet::new();
            leaves(String::new(), &serde_json::to_value(config).unwrap(), &mut found);
            found
        };
        let rule = "kind=request&group=x&source=x&operation=x&resource=x->state";
        let config = changed(&format!("probe=60s,otherwise=state,rules=off,rule.new={rule}")).unwrap();
        let mut other = config.clone();
        let mut keys: Vec<String> = listed(&config)
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().next().unwrap().into())
            .collect();
        // Without rules none could be changed.
        keys.retain(|key| key != RULES);
        for key in &keys {
            let values = [
                "7",
                "7s",
                "classic",
                "random",
                "quic",
                "at-most-once",
                "reject",
                "true",
                "telemetry",
                "false",
                "else",
                "hub",
                "kind=link-control&group=a&source=b&operation=c&resource=d->telemetry",
            ];
            let before = other.clone();
            let differs =
                values.iter().any(|value| change(&mut other, key, value).is_ok() && other != before);
            assert!(differs, "{key}");
        }
        let (before, after) = (all(&config), all(&other));
        let same: BTreeSet<&str> = before.intersection(&after).map(|(path, _)| path.as_str()).collect();
        let is_meant = |path: &str| path.ends_with(".name") || path.starts_with("endpoints.weights.");
        let missed: Vec<&&str> = same.iter().filter(|path| !is_meant(path)).collect();
        assert!(missed.is_empty(), "{missed:?}");
    }
}
