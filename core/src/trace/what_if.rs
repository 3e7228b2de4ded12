//! The recorded environment, with another configuration.
//!
//! Two hubs are told the same, one with the recorded configuration and one with the other. As long as both want the same,
//! the recording says all that happens to both: the result is exact. From the first output that differs, or the first
//! deadline that the recorded hub does not have, the world might have answered differently, and a model answers in its
//! place. The model takes from the recording what it can: what modules and the cloud sent and when, when
//! the cloud could be reached, how long it took to answer, to open a link, and to take what was written, how healthy the
//! journal was, and how long it took to store and to read back.

mod environment;
mod journal;
mod model;
mod outcome;

pub use outcome::Outcome;

use super::replay::{Replay, ReplayError};
use super::{Moment, Trace};
use crate::config::Config;
use crate::hub::{Hub, Input, Output};
use crate::time::{Instant, Now};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::ControlFlow;
use environment::Environment;
use model::Model;
use outcome::Tally;

/// Where the other hub first did something else; what follows is from the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parting {
    /// When.
    pub at: Instant,
    /// The record before it, or of it.
    pub record: u64,
    /// What the recorded hub wanted there, if anything.
    pub recorded: Option<Output>,
    /// What the other one wanted there, if anything; `None` on both sides is a deadline that only one of them has.
    pub other: Option<Output>,
}

/// What would have been different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhatIf {
    /// The first difference; without one everything is exact, and equal.
    pub parting: Option<Parting>,
    /// What happened.
    pub recorded: Outcome,
    /// What would have happened.
    pub other: Outcome,
}

/// Runs a trace again with the configuration that `change` makes of the recorded one, and of each that the recorded hub
/// was given later.
pub fn what_if(trace: &Trace<'_>, change: impl Fn(&mut Config)) -> Result<WhatIf, ReplayError> {
    let mut environment = Environment::default();
    let mut tally = Tally::new();
    // Behind a damaged part nothing says what had happened before: the comparison ends there.
    let mut begun = false;
    let whole = |begun: &mut bool, moment: &Moment<'_>| {
        let goes_on = !(moment.resumed && *begun);
        *begun = true;
        goes_on
    };
    Replay::new(trace).without_comparing().run(|moment| {
        if !whole(&mut begun, moment) {
            return ControlFlow::Break(());
        }
        environment.watch(moment);
        tally.watch(moment);
        ControlFlow::Continue(())
    })?;
    let recorded = tally.end();
    environment.finish();
    let mut other = Other {
        environment: &environment,
        change,
        runs: None,
        tally: Tally::new(),
        deadline: None,
        record: 0,
        now: Instant(0),
    };
    begun = false;
    Replay::new(trace).without_comparing().run(|moment| {
        if !whole(&mut begun, moment) {
            return ControlFlow::Break(());
        }
        other.step(trace, moment);
        ControlFlow::Continue(())
    })?;
    let parting = other.runs.and_then(|running| running.parting);
    Ok(WhatIf { parting, recorded, other: other.tally.end() })
}

/// The other hub.
struct Running<'e> {
    hub: Hub,
    model: Model<'e>,
    parting: Option<Parting>,
}

struct Other<'e, F> {
    environment: &'e Environment,
    change: F,
    runs: Option<Running<'e>>,
    tally: Tally,
    /// What the recorded hub waits for.
    deadline: Option<Instant>,
    record: u64,
    /// When the other hub was last told something: a debt of the world that should be paid earlier is paid now.
    now: Instant,
}

impl<F: Fn(&mut Config)> Other<'_, F> {
    /// Takes the next moment of the recorded hub.
    fn step(&mut self, trace: &Trace<'_>, moment: &Moment<'_>) {
        let (now, record) = (moment.now, moment.record);
        self.record = record;
        match &moment.input {
            None => self.begin(trace, moment),
            Some(input) => {
                self.act_before(now);
                let is_exact = self.runs.as_ref().is_some_and(|running| running.parting.is_none());
                let input = self.changed(input);
                if is_exact {
                    let outputs = self.handle(now, input);
                    self.part_if_different(now, moment.outputs, &outputs);
                } else {
                    let told = self.runs.as_mut().and_then(|running| running.model.recorded(now.mono, input));
                    if let Some(told) = told {
                        self.handle(now, told);
                    }
                }
            }
        }
        self.deadline = moment.hub.next_deadline().map(|deadline| deadline.at);
    }

    fn begin(&mut self, trace: &Trace<'_>, moment: &Moment<'_>) {
        let header = trace.header();
        let mut config = header.config.clone();
        (self.change)(&mut config);
        let (hub, again) = if moment.resumed {
            // The hub goes on with what it holds, and hears of its new configuration.
            let place = trace.blocks().iter().find(|block| block.first_record() == moment.record);
            let Some(hub) = place.and_then(|place| trace.restore(place).ok()) else { return };
            (hub, Some(Input::Reconfigure(Box::new(config))))
        } else {
            (Hub::new(config, header.seed, moment.now), None)
        };
        let model = Model::new(self.environment, &hub);
        self.runs = Some(Running { hub, model, parting: None });
        // What it held counts before anything is said to it, as it does for the recorded one.
        let mut outputs = self.drain(moment.now, None);
        if let Some(input) = again {
            outputs.extend(self.handle(moment.now, input));
        }
        self.part_if_different(moment.now, moment.outputs, &outputs);
    }

    fn changed(&self, input: &Input) -> Input {
        match input {
            Input::Reconfigure(config) => {
                let mut config = config.clone();
                (self.change)(&mut config);
                Input::Reconfigure(config)
            }
            input => input.clone(),
        }
    }

    /// Does what the other hub has to do before the next recorded input: its own deadlines, and what the model answers.
    fn act_before(&mut self, until: Now) {
        loop {
            let Some(running) = &mut self.runs else { return };
            let deadline =
                running.hub.next_deadline().map(|deadline| deadline.at).filter(|&at| at < until.mono);
            if running.parting.is_none() {
                // The recorded hub's own ticks come a little after its deadlines.
                let Some(at) = deadline.filter(|&at| self.deadline.is_none_or(|recorded| at < recorded))
                else {
                    return;
                };
                running.parting = Some(Parting { at, record: self.record, recorded: None, other: None });
            }
            let owed = running.model.next().filter(|&at| at < until.mono);
            let (at, input) = match (deadline, owed) {
                (Some(deadline), owed) if owed.is_none_or(|owed| deadline <= owed) => {
                    (deadline, Some(Input::Tick))
                }
                (_, Some(owed)) => (owed, running.model.take(owed.max(self.now))),
                _ => return,
            };
            if let Some(input) = input {
                self.handle(wall_at(until, at.max(self.now)), input);
            }
        }
    }

    fn handle(&mut self, now: Now, input: Input) -> Vec<Output> {
        self.now = now.mono;
        if let Some(Running { hub, model, .. }) = &mut self.runs {
            model.told(&input);
            hub.handle(now, input.clone());
        }
        self.drain(now, Some(&input))
    }

    fn drain(&mut self, now: Now, input: Option<&Input>) -> Vec<Output> {
        let Some(Running { hub, model, .. }) = &mut self.runs else { return Vec::new() };
        let outputs: Vec<Output> = core::iter::from_fn(|| hub.poll_output()).collect();
        outputs.iter().for_each(|output| model.wanted(now.mono, output));
        let (record, resumed) = (self.record, input.is_none() && record_is_later(self.record));
        self.tally.watch(&Moment { record, now, input, content_hash: None, outputs: &outputs, hub, resumed });
        outputs
    }

    fn part_if_different(&mut self, now: Now, recorded: &[Output], other: &[Output]) {
        let same = recorded.iter().zip(other).take_while(|(one, other)| one == other).count();
        if same == recorded.len() && same == other.len() {
            return;
        }
        let (recorded, other) = (recorded.get(same).cloned(), other.get(same).cloned());
        if let Some(running) = &mut self.runs {
            running.parting = Some(Parting { at: now.mono, record: self.record, recorded, other });
        }
    }
}

/// A hub that begins behind others' records begins with what it holds.
fn record_is_later(record: u64) -> bool {
    record > 0
}

/// The wall clock at a moment shortly before another.
fn wall_at(now: Now, at: Instant) -> Now {
    Now::new(at.0, now.wall.0.saturating_sub((now.mono.since(at).as_millis()) as i64))
}
