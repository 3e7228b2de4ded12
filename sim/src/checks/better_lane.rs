//! The question whether the better lane gets through: asked of the driver, and open until it is answered, another link is dialled, or
//! other lanes count, of which what was due before has asked for nothing.

use edgehub_core::config::Lanes;
use edgehub_core::{Config, Input, Output};

#[derive(Debug)]
pub(super) struct BetterLane {
    lanes: Lanes,
    is_asked: bool,
}

impl BetterLane {
    pub(super) fn new(config: &Config) -> BetterLane {
        BetterLane { lanes: config.lanes.clone(), is_asked: false }
    }

    pub(super) fn is_asked(&self) -> bool {
        self.is_asked
    }

    pub(super) fn observe(&mut self, output: &Output) {
        match output {
            Output::Open { .. } => self.is_asked = false,
            Output::Reach { .. } => self.is_asked = true,
            _ => {}
        }
    }

    /// A step with this input is over.
    pub(super) fn stepped(&mut self, input: &Input) {
        if let Input::Reconfigure(config) = input
            && config.lanes != self.lanes
        {
            *self = BetterLane::new(config);
        }
    }

    /// It gets through. Returns whether that was asked.
    pub(super) fn answered(&mut self) -> bool {
        std::mem::take(&mut self.is_asked)
    }
}
