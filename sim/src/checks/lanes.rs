//! What a hub must know of its lanes, told by what it did: which one it must dial next.

use edgehub_core::Instant;
use edgehub_core::config::{Lane, LaneChoice, Lanes as Config};
use edgehub_core::hub::LinkEnd;
use edgehub_core::limits::LANE_RETRY_MAX;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Lanes {
    config: Config,
    /// A link that was silent after less had not held.
    held: Duration,
    present: Lane,
    /// The lane that failed at the present endpoint.
    failed: Option<Lane>,
    /// QUIC comes second until then.
    second_until: Instant,
    /// For how long it was said to, last.
    length: Option<Duration>,
    /// What was decided in the moment of a reconfiguration may have been so by either configuration.
    unsure: bool,
}

impl Lanes {
    pub(super) fn new(config: &edgehub_core::Config) -> Lanes {
        Lanes {
            config: config.lanes.clone(),
            held: config.stable_after + config.silence_limit(),
            present: Lane::WebSocket,
            failed: None,
            second_until: Instant(0),
            length: None,
            unsure: false,
        }
    }

    /// A lane is dialled. Returns whether it may be.
    pub(super) fn opens(&mut self, now: Instant, lane: Lane) -> bool {
        self.present = lane;
        match self.config.choice {
            LaneChoice::WebSocket => lane == Lane::WebSocket,
            LaneChoice::Quic => lane == Lane::Quic,
            LaneChoice::Auto if self.unsure => true,
            LaneChoice::Auto => match self.failed {
                Some(failed) => lane != failed,
                None => (lane == Lane::Quic) == (now >= self.second_until),
            },
        }
    }

    /// The dial has opened.
    pub(super) fn opened(&mut self, now: Instant) {
        let instead = self.failed.take() == Some(Lane::Quic);
        match self.present {
            Lane::Quic => (self.second_until, self.length, self.unsure) = (Instant(0), None, false),
            Lane::WebSocket if instead => {
                let first = self.config.retry_after;
                let length = self.length.map_or(first, |before| before * 2).min(LANE_RETRY_MAX.max(first));
                (self.second_until, self.length) = (now + length, Some(length));
            }
            Lane::WebSocket => {}
        }
    }

    /// A dial has failed, or a link ended that lived so long. Returns whether the other lane has to follow, if that is known.
    pub(super) fn ended(&mut self, end: LinkEnd, lived: Option<Duration>) -> Option<bool> {
        let silent = self.present == Lane::Quic && end == LinkEnd::Silent;
        let counts = lived.is_none_or(|lived| silent && lived < self.held);
        let first = self.failed.take().is_none();
        let follows = self.config.choice == LaneChoice::Auto && counts && first;
        self.failed = follows.then_some(self.present);
        (!self.unsure).then_some(follows)
    }

    /// What was tried was elsewhere.
    pub(super) fn elsewhere(&mut self) {
        self.failed = None;
    }

    /// Another configuration counts from now on; `amid`: something was decided in the same moment.
    pub(super) fn reconfigure(&mut self, config: &edgehub_core::Config, amid: bool, elsewhere: bool) {
        let held = config.stable_after + config.silence_limit();
        let another = config.lanes != self.config;
        self.unsure = amid && (another || elsewhere || held != self.held) || self.unsure && !another;
        if another {
            (self.second_until, self.length) = (Instant(0), None);
        }
        if another || elsewhere {
            self.failed = None;
        }
        (self.config, self.held) = (config.lanes.clone(), held);
    }
}
