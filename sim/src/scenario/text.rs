//! The readable form: a head of `key value` lines, then one action per line.
//!
//! ```text
//! edgehub-scenario 1
//! name a cut in the middle of a frame
//! duration 60.000000
//! edge heartbeat 5.000000
//!
//! 12.345000 node 0 cut way=up after=117
//! ```
//!
//! What has its default is left out, in the head and in the actions. Times are in seconds. `#` begins a comment.

use super::settings::{self, Setting};
use super::verb::{Action, Kind, Parameter, Subject};
use super::{CLOUDS_KEY, LATENCY_KEY, STREAMS_KEY, Scenario, VERSION_LINE};
use std::fmt::{self, Display, Formatter};

/// Microseconds as seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seconds(pub(crate) u64);

impl Display for Seconds {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// One value as its parameter writes it.
pub(super) struct Value<'a>(pub(super) &'a Parameter, pub(super) u64);

impl Display for Value<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.kind {
            Kind::Time => write!(f, "{}", Seconds(self.1)),
            Kind::Count => write!(f, "{}", self.1),
            Kind::Word(words) => f.write_str(words.get(self.1 as usize).unwrap_or(&"?")),
        }
    }
}

impl Display for Action {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:>13} ", Seconds(self.at.0).to_string())?;
        match self.verb.subject {
            Subject::Node => write!(f, "node {} {}", self.node, self.verb.name)?,
            Subject::Cloud if self.node == 0 => write!(f, "cloud {}", self.verb.name)?,
            Subject::Cloud => write!(f, "cloud {} {}", self.node, self.verb.name)?,
        }
        for (parameter, value) in self.verb.parameters.iter().zip(self.values) {
            if value != parameter.low {
                write!(f, " {}={}", parameter.name, Value(parameter, value))?;
            }
        }
        Ok(())
    }
}

fn changed<C: Default>(
    f: &mut Formatter<'_>,
    side: &str,
    settings: &[Setting<C>],
    config: &C,
) -> fmt::Result {
    let default = C::default();
    for Setting { parameter, read, .. } in settings {
        let value = read(config);
        if value != read(&default) {
            writeln!(f, "{side} {} {}", parameter.name, Value(parameter, value))?;
        }
    }
    Ok(())
}

impl Display for Scenario {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{VERSION_LINE}\nname {}\nsalt {}", self.name, self.salt)?;
        writeln!(f, "nodes {}\nduration {}", self.nodes, Seconds(self.duration.as_micros() as u64))?;
        if self.clouds != 1 {
            writeln!(f, "{CLOUDS_KEY} {}", self.clouds)?;
        }
        if self.ends_unhealed {
            writeln!(f, "end unhealed")?;
        }
        if self.latency != settings::LATENCY {
            writeln!(f, "{LATENCY_KEY} {}", Seconds(self.latency.as_micros() as u64))?;
        }
        if !self.streams_apart.is_zero() {
            writeln!(f, "{STREAMS_KEY} {}", Seconds(self.streams_apart.as_micros() as u64))?;
        }
        changed(f, "edge", &settings::EDGE, &self.edge)?;
        changed(f, "cloud", &settings::CLOUD, &self.cloud)?;
        if !self.actions.is_empty() {
            writeln!(f)?;
        }
        self.actions.iter().try_for_each(|action| writeln!(f, "{action}"))
    }
}
