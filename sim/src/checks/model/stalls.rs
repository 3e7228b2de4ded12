//! When a module counts as stalled: when it has taken nothing for as long as the limit, while something waited for it; or
//! when the link has not been read for as long. Not later, and not before.

use super::super::timely::{Due, in_time};
use super::{Outcome, Step, broken};
use edgehub_core::{Config, Input, Instant, ModuleEvent, ModuleId, Note, Output};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Stalls {
    limit: Duration,
    /// Since when something waits for a module, and it took nothing.
    since: BTreeMap<ModuleId, Instant>,
    paused: Option<Instant>,
}

impl Stalls {
    pub(super) fn new(config: &Config) -> Stalls {
        Stalls { limit: limit(config), since: BTreeMap::new(), paused: None }
    }

    /// Judges a step after which something waits for these modules.
    pub(super) fn after(&mut self, step: &Step<'_>, waits: &[ModuleId]) -> Outcome {
        let now = step.now.mono;
        let mut shortest = self.limit;
        if let Input::Reconfigure(config) = step.input {
            self.limit = limit(config);
            shortest = shortest.min(self.limit);
        }
        for output in step.outputs {
            match output {
                Output::Note(Note::ModuleStalled { module }) => {
                    let over = |since: &Instant| *since + shortest <= now;
                    let unread = self.paused.as_ref().is_some_and(over);
                    let since = self.since.get(module).copied();
                    if !unread && !since.as_ref().is_some_and(over) {
                        let what =
                            format!("{module:?} is called stalled at {now:?}, and waits since {since:?}");
                        return broken("stalled-early", what);
                    }
                }
                Output::Pause { .. } => self.paused = Some(now),
                Output::Resume { .. } | Output::Note(Note::LinkUp { .. } | Note::LinkDown { .. }) => {
                    self.paused = None;
                }
                _ => {}
            }
        }
        self.since.retain(|module, _| waits.contains(module));
        let took = match step.input {
            Input::Module { module, event: ModuleEvent::Ready { credit: 1.. } } => Some(*module),
            _ => None,
        };
        for &module in waits {
            let since = self.since.entry(module).or_insert(now);
            if took == Some(module) {
                *since = now;
            }
        }
        let due = |since: Instant| Due::new("stall-unnoticed", "stall-untimed", since + self.limit);
        let modules = self.since.values().min().copied();
        [modules, self.paused].into_iter().flatten().try_for_each(|since| in_time(due(since), step))
    }
}

fn limit(config: &Config) -> Duration {
    config.stall_limit.max(Duration::from_millis(1))
}
