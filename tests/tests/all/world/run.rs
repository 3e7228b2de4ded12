//! A run that has run: the list of `(now, input)` with the outputs of each.

use edgehub_core::{Config, Hub, Input, Now, Output};

/// The wall clock at the start of every run.
pub(crate) const WALL: i64 = 1_700_000_000_000;

/// One input of a run, and what it led to.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    pub(crate) now: Now,
    pub(crate) input: Input,
    pub(crate) outputs: Vec<Output>,
}

/// A run that has run: what law after law looks at.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) config: Config,
    pub(crate) seed: u64,
    pub(crate) moments: Vec<Moment>,
}

/// The hub at the start of a run, and its first outputs.
pub(crate) fn start(config: &Config, seed: u64) -> Hub {
    Hub::new(config.clone(), seed, Now::new(1_000_000, WALL))
}

/// Takes everything that waits to be taken.
pub(crate) fn drain(hub: &mut Hub) -> Vec<Output> {
    std::iter::from_fn(|| hub.poll_output()).collect()
}

impl Run {
    /// Every input, without the outputs.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = (Now, Input)> + '_ {
        self.moments.iter().map(|moment| (moment.now, moment.input.clone()))
    }

    /// Every output, in order.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = &Output> {
        self.moments.iter().flat_map(|moment| &moment.outputs)
    }
}

/// Feeds inputs to a new hub, draining after each.
pub(crate) fn replay(config: &Config, seed: u64, inputs: impl Iterator<Item = (Now, Input)>) -> Run {
    let mut hub = start(config, seed);
    drain(&mut hub);
    let moments = inputs
        .map(|(now, input)| {
            hub.handle(now, input.clone());
            Moment { now, input, outputs: drain(&mut hub) }
        })
        .collect();
    Run { config: config.clone(), seed, moments }
}
