//! Reads the text form. An error names the line, what is wrong there, and what would be right.

use super::settings::{self, Setting, allows};
use super::text::Value;
use super::verb::{Action, Kind, Parameter, Subject};
use super::{
    CLOUDS_KEY, CLOUDS_MAX, DURATION_MAX, LATENCY_KEY, NODES_MAX, STREAMS_KEY, Scenario, VERSION_LINE,
};
use crate::catalogue;
use edgehub_core::Instant;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Why a text is no scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong, and what to write instead.
    pub what: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for ParseError {}

impl FromStr for Scenario {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Scenario, ParseError> {
        let mut lines = text
            .lines()
            .enumerate()
            .map(|(at, line)| (at + 1, line.split('#').next().unwrap_or_default().trim()))
            .filter(|(_, line)| !line.is_empty());
        match lines.next() {
            Some((_, VERSION_LINE)) => {}
            other => {
                let line = other.map_or(1, |(line, _)| line);
                return Err(ParseError { line, what: format!("begin the file with {VERSION_LINE:?}") });
            }
        }
        let mut scenario = Scenario::quiet("", Duration::ZERO);
        for (number, line) in lines {
            let read = match line.starts_with(|first: char| first.is_ascii_digit()) {
                true => action(line, &scenario).map(|action| scenario.actions.push(action)),
                false => head(line, &mut scenario),
            };
            read.map_err(|what| ParseError { line: number, what })?;
        }
        scenario.sort();
        Ok(scenario)
    }
}

fn head(line: &str, scenario: &mut Scenario) -> Result<(), String> {
    if !scenario.actions.is_empty() {
        return Err(String::from(
            "an action begins with its time in seconds; head lines stand above all actions",
        ));
    }
    let (key, value) = line.split_once(' ').ok_or_else(|| format!("write a value after {line:?}"))?;
    let value = value.trim();
    match key {
        "name" => scenario.name = value.to_string(),
        "salt" => scenario.salt = value.parse().map_err(|_| format!("{value:?} is no number"))?,
        "nodes" => {
            let nodes = value.parse().ok().filter(|nodes| (1..=NODES_MAX).contains(nodes));
            scenario.nodes = nodes.ok_or_else(|| format!("write 1 to {NODES_MAX} nodes, not {value:?}"))?;
        }
        CLOUDS_KEY => {
            let clouds = value.parse().ok().filter(|clouds| (1..=CLOUDS_MAX).contains(clouds));
            scenario.clouds =
                clouds.ok_or_else(|| format!("write 1 to {CLOUDS_MAX} clouds, not {value:?}"))?;
        }
        "duration" => {
            let length = Duration::from_micros(seconds(value)?);
            if length > DURATION_MAX {
                return Err(format!("write at most {} seconds", DURATION_MAX.as_secs()));
            }
            scenario.duration = length;
        }
        "end" => {
            scenario.ends_unhealed = match value {
                "unhealed" => true,
                "healed" => false,
                _ => return Err(format!("write \"healed\" or \"unhealed\", not {value:?}")),
            }
        }
        LATENCY_KEY => {
            scenario.latency = Duration::from_micros(number(&settings::LATENCY_RANGE, value)?);
        }
        STREAMS_KEY => {
            scenario.streams_apart = Duration::from_micros(number(&settings::STREAMS_RANGE, value)?);
        }
        "edge" => set(&settings::EDGE, &mut scenario.edge, value)?,
        "cloud" => set(&settings::CLOUD, &mut scenario.cloud, value)?,
        _ => {
            return Err(format!(
                "{key:?} is unknown; a head has name, salt, nodes, clouds, duration, end, latency, streams-apart, edge and cloud"
            ));
        }
    }
    Ok(())
}

fn set<C>(settings: &[Setting<C>], config: &mut C, text: &str) -> Result<(), String> {
    let (name, value) = text.split_once(' ').ok_or_else(|| format!("write a value after {text:?}"))?;
    let setting = settings.iter().find(|setting| setting.parameter.name == name).ok_or_else(|| {
        let names: Vec<_> = settings.iter().map(|setting| setting.parameter.name).collect();
        format!("{name:?} cannot be set; one of {} can", names.join(", "))
    })?;
    (setting.change)(config, number(&setting.parameter, value.trim())?);
    Ok(())
}

fn action(line: &str, scenario: &Scenario) -> Result<Action, String> {
    let mut words = line.split_whitespace();
    let mut word = |what: &str| words.next().ok_or_else(|| format!("write {what} next"));
    let at = Instant(seconds(word("a time")?)?);
    let subject = match word("\"node\" or \"cloud\"")? {
        "node" => Subject::Node,
        "cloud" => Subject::Cloud,
        other => return Err(format!("write \"node\" and its number, or \"cloud\", not {other:?}")),
    };
    let of = |text: &str, what: &str, there_are: usize| {
        let number = text.parse().ok().filter(|number| *number < there_are);
        number.ok_or_else(|| format!("{text:?} is no {what}: there are {there_are}, counted from 0"))
    };
    let (node, name) = match subject {
        Subject::Node => (of(word("the number of a node")?, "node", scenario.nodes)?, word("a verb")?),
        // The first of several needs no number.
        Subject::Cloud => match word("a verb")? {
            number if number.starts_with(|first: char| first.is_ascii_digit()) => {
                (of(number, "cloud", scenario.clouds)?, word("a verb")?)
            }
            name => (0, name),
        },
    };
    let verb = catalogue::verb(subject, name).ok_or_else(|| {
        let known: Vec<_> = catalogue::verbs().filter(|verb| verb.subject == subject).collect();
        let known: Vec<_> = known.iter().map(|verb| verb.name).collect();
        format!("{name:?} is unknown; one of {} is known", known.join(", "))
    })?;
    let mut action = Action::simplest(at, node, verb);
    for word in words {
        let names = || verb.parameters.iter().map(|parameter| parameter.name).collect::<Vec<_>>().join(", ");
        let (name, value) = word.split_once('=').ok_or_else(|| format!("write {word:?} as name=value"))?;
        let place = verb.parameters.iter().position(|parameter| parameter.name == name);
        let place = place.ok_or_else(|| format!("{:?} has no {name:?}, but: {}", verb.name, names()))?;
        action.values[place] = number(&verb.parameters[place], value)?;
    }
    Ok(action)
}

/// A value in a parameter's range.
fn number(parameter: &Parameter, text: &str) -> Result<u64, String> {
    let name = parameter.name;
    let value = match parameter.kind {
        Kind::Time => seconds(text)?,
        Kind::Count => text.parse().map_err(|_| format!("{name} is a number, not {text:?}"))?,
        Kind::Word(words) => {
            let place = words.iter().position(|word| *word == text);
            place.ok_or_else(|| format!("{name} is one of {}, not {text:?}", words.join(", ")))? as u64
        }
    };
    if allows(parameter, value) {
        return Ok(value);
    }
    let (low, high) = (Value(parameter, parameter.low), Value(parameter, parameter.high));
    Err(format!("{name} is {low} to {high}, not {text}"))
}

/// Seconds with up to six decimals, as microseconds.
fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no time; write seconds with up to six decimals, like 1.500000");
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || part.len() > 6 || !digits(whole) || !digits(part) {
        return Err(wrong());
    }
    let micros: u64 = format!("{part:0<6}").parse().map_err(|_| wrong())?;
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    whole.checked_mul(1_000_000).and_then(|whole| whole.checked_add(micros)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::generate;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn what_is_written_reads_as_the_same(seed in any::<u64>(), minutes in 1u64..4) {
            let scenario = generate(seed, Duration::from_secs(60 * minutes));
            let text = scenario.to_string();
            let read: Scenario = text.parse().map_err(|error: ParseError| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(&read, &scenario);
            prop_assert_eq!(read.to_string(), text);
        }
    }

    fn check(line: &str, expected: &str) {
        let text = format!("{VERSION_LINE}\nname x # a comment\nduration 10\n\n{line}\n");
        let error = text.parse::<Scenario>().unwrap_err();
        assert_eq!(error.line, 5);
        assert!(error.what.contains(expected), "{line}: {error}");
    }

    #[test]
    fn errors_name_the_line_and_the_remedy() {
        check("nodes 0", "write 1 to 256 nodes");
        check("nodes 257", "write 1 to 256 nodes");
        check("clouds 0", "write 1 to 4 clouds");
        check("clouds 5", "write 1 to 4 clouds");
        check("1.0 cloud 1 crash", "\"1\" is no cloud: there are 1, counted from 0");
        check("colour red", "a head has name, salt");
        check("edge colour 1", "one of heartbeat, ping-interval");
        check("edge heartbeat 1s", "write seconds with up to six decimals");
        check("edge heartbeat 4.999999", "heartbeat is 5.000000 to 25.000000");
        check("1.0 nobody", "write \"node\" and its number, or \"cloud\"");
        check("1.0 node 1 cut", "there are 1, counted from 0");
        check("1.0 node 0 fly", "is unknown; one of ");
        check("1.0 node 0 cut way", "as name=value");
        check("1.0 node 0 cut way=left", "way is one of up, down");
        check("1.0 node 0 cut speed=1", "has no \"speed\", but: way");
        check("1.0000001 node 0 cut", "up to six decimals");
        check("99999999999999999999 node 0 cut", "is no time");
    }

    #[test]
    fn a_file_begins_with_its_version() {
        let error = "name x".parse::<Scenario>().unwrap_err();
        assert_eq!(error.to_string(), "line 1: begin the file with \"edgehub-scenario 1\"");
        assert_eq!("".parse::<Scenario>().unwrap_err().line, 1);
    }
}
