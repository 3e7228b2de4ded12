//! A trace becomes a scenario: what was recorded at a site, as actions that can be edited, run and shrunk.
//!
//! A scenario has a world of its own: its cloud, its modules and its links answer as they do, not as those of the site did.
//! What the site's people and faults *did* is taken over, at its time: what modules and the cloud sent and asked, how
//! links ended, which dials failed, which modules did not take their messages, what operators changed. What follows from
//! these is the world's business; so is the end, with a shutdown of its own.

mod importer;

use crate::scenario::Scenario;
use edgehub_core::Instant;
use edgehub_core::trace::explain::Biographer;
use edgehub_core::trace::{Replay, ReplayError, Trace};
use importer::Importer;
use std::cell::RefCell;
use std::fmt;
use std::ops::ControlFlow;

/// The scenario of a trace, and what of the trace is not in it.
#[derive(Debug)]
pub struct Imported {
    /// The scenario.
    pub scenario: Scenario,
    /// What could not be taken over, or only in another form; each once.
    pub changed: Vec<String>,
}

/// Actions that a scenario is made of, at most: what is longer nobody reads, and no run of it ends today.
const ACTIONS_MAX: usize = 200_000;

/// Why there is no scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportError {
    /// The trace cannot be replayed.
    Replay(ReplayError),
    /// More happens in the trace than a scenario can hold.
    TooMuch {
        /// How much is too much.
        actions: usize,
        /// When it becomes too much.
        at: Instant,
    },
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImportError::Replay(error) => error.fmt(f),
            ImportError::TooMuch { actions, at } => write!(
                f,
                "up to {:.3} s of the hub's clock {actions} things happen, and a scenario holds no more: cut out what matters \
                 with `edgehub trace cut --from TIME --to TIME`, and import that",
                at.0 as f64 / 1e6
            ),
        }
    }
}

impl std::error::Error for ImportError {}

impl From<ReplayError> for ImportError {
    fn from(error: ReplayError) -> ImportError {
        ImportError::Replay(error)
    }
}

/// Makes a scenario of a trace.
pub fn import(trace: &Trace<'_>, name: &str) -> Result<Imported, ImportError> {
    import_up_to(trace, name, ACTIONS_MAX)
}

fn import_up_to(trace: &Trace<'_>, name: &str, actions_max: usize) -> Result<Imported, ImportError> {
    let begin = trace.blocks().first().map_or(trace.header().begin.mono, |block| block.begin());
    let mut config = trace.header().config.clone();
    let mut importer = Importer::new(begin, config.clone());
    let ended = RefCell::new(Vec::new());
    let mut biographer = Biographer::new(|story| ended.borrow_mut().push(story));
    Replay::new(trace).without_comparing().run(|moment| {
        importer.watch(moment);
        biographer.watch(moment);
        ended.borrow_mut().drain(..).for_each(|story| importer.take_story(&story));
        if importer.actions.len() > actions_max { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if importer.actions.len() > actions_max {
        return Err(ImportError::TooMuch { actions: actions_max, at: importer.end });
    }
    biographer.finish();
    drop(biographer);
    ended.into_inner().iter().for_each(|story| importer.take_story(story));
    importer.bring_into_ranges(&mut config);
    Ok(importer.finish(name, config))
}

#[cfg(test)]
mod tests;
