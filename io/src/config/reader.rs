//! Walks a configuration section by section and collects everything that is wrong on the way.
//!
//! A value that is absent or null means the default. A value of the wrong kind means the default too, and a problem in
//! the report, so that the walk goes on to the next problem. Keys match whatever their case, as they do in KubeEdge.

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use super::{LaneConfig, Problem, Warning};
use crate::websocket::is_plain_name;

/// Longer periods are surely mistakes, and sums of them would overflow somebody's clock.
const SECONDS_MAX: f64 = 365.0 * 24.0 * 60.0 * 60.0;
/// A mistaken value is shown up to here.
const SHOWN_CHARS_MAX: usize = 60;

/// What the walk has found so far.
#[derive(Default)]
pub(super) struct Report {
    found: RefCell<(Vec<Problem>, Vec<Warning>)>,
}

impl Report {
    pub(super) fn into_parts(self) -> (Vec<Problem>, Vec<Warning>) {
        self.found.into_inner()
    }

    /// Adds a problem, unless a second look at the same place has found it again.
    fn add(&self, problem: Problem) {
        let problems = &mut self.found.borrow_mut().0;
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
}

/// One mapping of the file. It remembers which keys were asked for, to tell afterwards which ones nobody knows.
pub(super) struct Section<'a> {
    path: String,
    fields: Option<&'a Map<String, Value>>,
    asked: RefCell<Vec<&'static str>>,
    report: &'a Report,
}

impl<'a> Section<'a> {
    pub(super) fn root(document: &'a Value, report: &'a Report) -> Self {
        Self::new(String::new(), Some(document), report)
    }

    fn new(path: String, value: Option<&'a Value>, report: &'a Report) -> Self {
        let section =
            Self { path, fields: value.and_then(Value::as_object), asked: RefCell::default(), report };
        match value {
            None | Some(Value::Null | Value::Object(_)) => {}
            Some(other) => section.problem(format!("expected a mapping, found {}", show(other))),
        }
        section
    }

    /// Reports a problem with the section as a whole.
    pub(super) fn problem(&self, message: impl Into<String>) {
        self.report.add(Problem { path: self.path.clone(), message: message.into() });
    }

    /// Reports a problem with one key.
    pub(super) fn problem_at(&self, key: &str, message: impl Into<String>) {
        self.report.add(Problem { path: self.path_of(key), message: message.into() });
    }

    /// Reports something odd about one key.
    pub(super) fn warn_at(&self, key: &str, message: impl Into<String>) {
        let warning = Warning { path: self.path_of(key), message: message.into() };
        self.report.found.borrow_mut().1.push(warning);
    }

    /// Whether one of these keys is there.
    pub(super) fn has_any(&self, keys: &[&'static str]) -> bool {
        keys.iter().any(|key| self.value(key).is_some())
    }

    /// Whether a key says nothing: it is absent, or a text without anything in it.
    pub(super) fn is_blank(&self, key: &'static str) -> bool {
        match self.value(key) {
            None => true,
            Some(Value::String(text)) => text.split(',').all(|part| part.trim().is_empty()),
            Some(_) => false,
        }
    }

    /// Whether a key is a list of nothing.
    pub(super) fn is_empty_list(&self, key: &'static str) -> bool {
        matches!(self.value(key), Some(Value::Array(items)) if items.is_empty())
    }

    /// A section within this one; an absent one reads as all defaults.
    pub(super) fn section(&self, key: &'static str) -> Section<'a> {
        Section::new(self.path_of(key), self.value(key), self.report)
    }

    /// The sections within this one, whose keys are names that the file gives.
    pub(super) fn sections(&self) -> Vec<(&'a str, Section<'a>)> {
        let fields = self.fields.into_iter().flatten();
        fields
            .map(|(name, value)| (name.as_str(), Section::new(self.path_of(name), Some(value), self.report)))
            .collect()
    }

    /// A list of sections; an absent one has none.
    pub(super) fn list(&self, key: &'static str) -> Vec<Section<'a>> {
        let path = |index| format!("{}[{index}]", self.path_of(key));
        match self.value(key) {
            None => Vec::new(),
            Some(Value::Array(items)) => items
                .iter()
                .enumerate()
                .map(|(index, item)| Section::new(path(index), Some(item), self.report))
                .collect(),
            Some(other) => {
                self.problem_at(key, format!("expected a list, found {}", show(other)));
                Vec::new()
            }
        }
    }

    /// One of these words, and what it stands for.
    pub(super) fn word<T: Copy>(&self, key: &'static str, default: T, words: &[(&str, T)]) -> T {
        let Some(text) = self.text(key) else { return default };
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, meaning)) => *meaning,
            None => {
                let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                let found = show(&Value::String(text));
                self.problem_at(key, format!("expected one of {}, found {found}", known.join(", ")));
                default
            }
        }
    }

    /// Marks keys as known that nothing is done with.
    pub(super) fn accept(&self, keys: &[&'static str]) {
        self.asked.borrow_mut().extend(keys);
    }

    /// A text; an empty one counts as absent, and a whole number stands for its digits.
    pub(super) fn text(&self, key: &'static str) -> Option<String> {
        match self.value(key)? {
            Value::String(text) if text.trim().is_empty() => None,
            Value::String(text) => Some(text.trim().to_owned()),
            Value::Number(number) if number.is_u64() => Some(number.to_string()),
            other => {
                self.problem_at(key, format!("expected text, found {}; put it in quotes", show(other)));
                None
            }
        }
    }

    /// A name that goes into URLs and headers as it is; Kubernetes names always can.
    pub(super) fn name(&self, key: &'static str) -> Option<String> {
        let name = self.text(key)?;
        if !is_plain_name(&name) {
            self.problem_at(key, format!("expected ASCII letters, digits and -._~ only, found {name:?}"));
        }
        Some(name)
    }

    /// A text, a list of texts, or several texts separated by commas; a whole number stands for its digits.
    pub(super) fn texts(&self, key: &'static str) -> Vec<String> {
        let Some(Value::Array(items)) = self.value(key) else {
            let text = self.text(key).unwrap_or_default();
            return text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect();
        };
        let mut texts = Vec::new();
        for (index, item) in items.iter().enumerate() {
            match item {
                Value::String(text) if !text.trim().is_empty() => texts.push(text.trim().to_owned()),
                Value::Number(number) if number.is_u64() => texts.push(number.to_string()),
                _ => self
                    .problem_at(&format!("{key}[{index}]"), format!("expected text, found {}", show(item))),
            }
        }
        texts
    }

    /// The path of a file.
    pub(super) fn file(&self, key: &'static str, default: PathBuf) -> PathBuf {
        self.text(key).map_or(default, PathBuf::from)
    }

    /// A truth value.
    pub(super) fn flag(&self, key: &'static str, default: bool) -> bool {
        match self.value(key) {
            None => default,
            Some(Value::Bool(flag)) => *flag,
            Some(other) => {
                self.problem_at(key, format!("expected true or false, found {}", show(other)));
                default
            }
        }
    }

    /// A positive number of seconds, fractions allowed.
    pub(super) fn seconds(&self, key: &'static str, default: Duration) -> Duration {
        let Some(value) = self.value(key) else {
            return default;
        };
        match value.as_f64() {
            Some(seconds) if seconds > SECONDS_MAX => {
                self.problem_at(
                    key,
                    format!("expected at most {SECONDS_MAX} seconds, found {}", show(value)),
                );
                default
            }
            // Below a microsecond nothing is left of it, and a period of nothing is not one.
            Some(seconds) if seconds >= 1e-6 => Duration::try_from_secs_f64(seconds).unwrap_or(default),
            _ => {
                self.problem_at(key, format!("expected a positive number of seconds, found {}", show(value)));
                default
            }
        }
    }

    /// A whole number within bounds.
    pub(super) fn count(&self, key: &'static str, default: u64, bounds: RangeInclusive<u64>) -> u64 {
        let Some(value) = self.value(key) else {
            return default;
        };
        match value.as_u64() {
            Some(count) if bounds.contains(&count) => count,
            _ => {
                let (least, most) = bounds.into_inner();
                let message =
                    format!("expected a whole number from {least} to {most}, found {}", show(value));
                self.problem_at(key, message);
                default
            }
        }
    }

    /// Warns of every key that nobody has asked for.
    pub(super) fn warn_of_unknown(&self) {
        self.warn_of_unknown_unless(|_| false);
    }

    /// Warns of every key that nobody has asked for and that does not start like this.
    pub(super) fn warn_of_unknown_except(&self, prefix: &str) {
        self.warn_of_unknown_unless(|key| key.starts_with(prefix));
    }

    fn warn_of_unknown_unless(&self, harmless: impl Fn(&str) -> bool) {
        let asked = self.asked.borrow();
        for key in self.fields.into_iter().flat_map(Map::keys) {
            if !harmless(key) && !asked.iter().any(|known| known.eq_ignore_ascii_case(key)) {
                self.warn_at(key, "unknown key; it changes nothing");
            }
        }
    }

    /// The path of a key within this section, in one line whatever the key is.
    fn path_of(&self, key: &str) -> String {
        let key =
            if key.contains(char::is_control) { key.escape_debug().to_string() } else { key.to_owned() };
        if self.path.is_empty() { key } else { format!("{}.{key}", self.path) }
    }

    fn value(&self, key: &'static str) -> Option<&'a Value> {
        self.asked.borrow_mut().push(key);
        let fields = self.fields?;
        let any_case =
            || fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value);
        fields.get(key).or_else(any_case).filter(|value| !value.is_null())
    }
}

/// A lane's three times, which both dialects have under different names. Two of them say how long a single read or write may
/// take; here pings say whether a link lives, so they are known and change nothing.
pub(super) fn lane_times(
    section: &Section<'_>,
    [handshake, read, write]: [&'static str; 3],
    addresses: Vec<String>,
) -> LaneConfig {
    for deadline in [read, write] {
        if section.seconds(deadline, super::DEADLINE) != super::DEADLINE {
            section.warn_at(
                deadline,
                "changes nothing: a link ends when its pings go unanswered (edgehub.pingInterval, edgehub.pingMisses)",
            );
        }
    }
    LaneConfig { addresses, handshake_timeout: section.seconds(handshake, super::HANDSHAKE_TIMEOUT) }
}

/// Whether the text is `HOST:PORT`, an IPv6 address in brackets.
pub(super) fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    let host_is_good = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            rustls_pki_types::DnsName::try_from(host).is_ok() || host.parse::<std::net::Ipv4Addr>().is_ok()
        }
    };
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    host_is_good && digits && port.parse::<u16>().is_ok_and(|port| port > 0)
}

/// A mistaken value as it is shown to the user.
fn show(value: &Value) -> String {
    match value {
        Value::Object(_) => "a mapping".into(),
        Value::Array(_) => "a list".into(),
        Value::Null => "nothing".into(),
        other => {
            let text = other.to_string();
            match text.char_indices().nth(SHOWN_CHARS_MAX) {
                Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
                None => text,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Looks at a section and expects these problems and warnings, each as `path: message`.
    fn check(value: Value, look: impl FnOnce(&Section<'_>), expected: &[&str]) {
        let report = Report::default();
        look(&Section::root(&value, &report));
        let (problems, warnings) = report.into_parts();
        let found: Vec<_> = problems
            .iter()
            .map(ToString::to_string)
            .chain(warnings.iter().map(|warning| format!("warning: {warning}")))
            .collect();
        assert_eq!(found, expected);
    }

    const FALLBACK: Duration = Duration::from_secs(7);

    #[test]
    fn seconds_are_positive_and_at_most_a_year() {
        for (value, expected) in [
            (json!(15), Duration::from_secs(15)),
            (json!(0.5), Duration::from_millis(500)),
            (json!(31_536_000), Duration::from_secs(31_536_000)),
            (json!(0.000_001), Duration::from_micros(1)),
            (Value::Null, FALLBACK),
        ] {
            check(json!({ "a": value }), |s| assert_eq!(s.seconds("a", FALLBACK), expected), &[]);
        }
        for value in [json!(0), json!(-1), json!("15"), json!(true), json!(1e-7), json!([])] {
            let message = format!("a: expected a positive number of seconds, found {}", show(&value));
            check(json!({ "a": value }), |s| assert_eq!(s.seconds("a", FALLBACK), FALLBACK), &[&message]);
        }
        for value in [json!(31_536_001), json!(1e300)] {
            let message = format!("a: expected at most 31536000 seconds, found {}", show(&value));
            check(json!({ "a": value }), |s| assert_eq!(s.seconds("a", FALLBACK), FALLBACK), &[&message]);
        }
    }

    #[test]
    fn counts_keep_their_bounds() {
        for good in [1, 5] {
            check(json!({ "a": good }), |s| assert_eq!(s.count("a", 3, 1..=5), good), &[]);
        }
        for bad in [json!(0), json!(6), json!(1.5), json!("1"), json!(-1)] {
            let message = format!("a: expected a whole number from 1 to 5, found {}", show(&bad));
            check(json!({ "a": bad }), |s| assert_eq!(s.count("a", 3, 1..=5), 3), &[&message]);
        }
    }

    #[test]
    fn texts_come_in_several_forms() {
        let expected = ["x", "y"];
        for value in [json!("x,y"), json!(" x , y,"), json!(["x", "y "])] {
            check(json!({ "a": value }), |s| assert_eq!(s.texts("a"), expected), &[]);
        }
        check(
            json!({ "a": ["x", 1, true] }),
            |s| assert_eq!(s.texts("a"), ["x", "1"]),
            &["a[2]: expected text, found true"],
        );
        check(json!({ "a": 12 }), |s| assert_eq!(s.text("a").as_deref(), Some("12")), &[]);
        check(json!({ "a": " " }), |s| assert_eq!(s.text("a"), None), &[]);
        let message = "a: expected text, found 1.5; put it in quotes";
        check(json!({ "a": 1.5 }), |s| assert_eq!(s.text("a"), None), &[message]);
    }

    #[test]
    fn keys_match_in_any_case_and_unknown_ones_are_told() {
        let look = |s: &Section<'_>| {
            assert!(s.section("outer").flag("flag", false));
            let outer = s.section("outer");
            outer.accept(&["flag"]);
            outer.warn_of_unknown_except("ssl-");
        };
        let value = json!({ "Outer": { "FLAG": true, "other": 1, "ssl-x": 1 } });
        check(value, look, &["warning: outer.other: unknown key; it changes nothing"]);
    }

    #[test]
    fn a_section_that_is_none_is_told_once() {
        let look = |s: &Section<'_>| {
            assert_eq!(s.section("a").text("b"), None);
            assert_eq!(s.section("a").text("c"), None);
        };
        check(json!({ "a": 3 }), look, &["a: expected a mapping, found 3"]);
        check(json!({ "a": null }), look, &[]);
    }

    #[test]
    fn long_values_are_cut() {
        let shown = show(&json!("ä".repeat(100)));
        assert_eq!(shown.chars().count(), SHOWN_CHARS_MAX + 1);
    }

    #[test]
    fn hosts_and_ports_are_told_from_other_texts() {
        for good in ["127.0.0.1:10000", "cloud.example:1", "[::1]:65535", "localhost:80"] {
            assert!(is_host_and_port(good), "{good}");
        }
        for bad in
            ["", ":", "host", "host:", ":1", "host:0", "host:65536", "host:+1", "a b:1", "::1:1", "wss://h:1"]
        {
            assert!(!is_host_and_port(bad), "{bad}");
        }
    }
}
