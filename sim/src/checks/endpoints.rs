//! Of several endpoints: another one soon after each failure until all have been tried, the same one after a link that held,
//! and the preferred one again after long enough, without flapping.

use super::lanes::Lanes;
use super::{Check, Outcome, Step, broken};
use edgehub_core::config::{Choice, Endpoints as Config};
use edgehub_core::hub::LinkEnd;
use edgehub_core::limits::{
    BACKOFF_FLOOR, RENEWAL_GRACE, RETURN_PENALTY_MAX, RETURN_POSTPONED_FOR, RETURN_POSTPONED_MAX,
};
use edgehub_core::{Input, Instant, LinkEvent, Note, Output};
use std::collections::BTreeSet;
use std::time::Duration;

/// A driver that is so much later than it was asked to be was away.
const DRIVER_AWAY: Duration = Duration::from_secs(1);

/// What the next dial must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// One that has not failed in this round.
    Untried,
    Same,
    Preferred,
    /// Another list has come.
    Any,
}

#[derive(Debug)]
pub(super) struct Endpoints {
    config: Config,
    lanes: Lanes,
    stable: Duration,
    base: Duration,
    /// The endpoint of the present link or dial, if it is in the list.
    present: Option<usize>,
    /// Those that have failed since a link held last, or since all have.
    tried: BTreeSet<usize>,
    /// Those of which that cannot be told.
    maybe_tried: BTreeSet<usize>,
    next: Next,
    up: Option<Instant>,
    /// When the link came up, or the list was changed since.
    away_since: Option<Instant>,
    /// When the driver came back last that had been away: what fell due meanwhile is done from then on.
    awake_since: Instant,
    stopping: bool,
}

impl Endpoints {
    pub(super) fn new(config: &edgehub_core::Config) -> Endpoints {
        Endpoints {
            config: config.endpoints.clone(),
            lanes: Lanes::new(config),
            stable: config.stable_after,
            base: config.backoff_base.max(BACKOFF_FLOOR),
            present: None,
            tried: BTreeSet::new(),
            maybe_tried: BTreeSet::new(),
            next: Next::Any,
            up: None,
            away_since: None,
            awake_since: Instant(0),
            stopping: false,
        }
    }

    fn count(&self) -> usize {
        self.config.weights.len().max(1)
    }

    fn opens(&mut self, endpoint: usize) -> Outcome {
        let right = match self.next {
            Next::Any => true,
            Next::Untried => !self.tried.contains(&endpoint),
            Next::Same => Some(endpoint) == self.present,
            Next::Preferred => endpoint == 0,
        };
        if !right || endpoint >= self.count() {
            let next = self.next;
            return broken("wrong-endpoint", format!("{endpoint} is dialled, {next:?} is due: {self:?}"));
        }
        (self.present, self.next) = (Some(endpoint), Next::Any);
        Ok(())
    }

    fn ended(&mut self, now: Instant, end: LinkEnd, wait: Duration) -> Outcome {
        let (up, away_since) = (self.up.take(), self.away_since.take());
        let lived = up.filter(|_| end != LinkEnd::NoSession).map(|up| now.since(up));
        self.lanes.down();
        if end == LinkEnd::Moved {
            self.lanes.ended(end, up.map(|up| now.since(up)));
            let lived = away_since.map(|since| now.since(since)).unwrap_or_default();
            if !self.returns() || lived < self.config.return_after {
                return broken("returns-early", format!("left after {lived:?}: {self:?}"));
            }
            self.none_is_tried();
            self.next = if self.config.choice == Choice::Ordered { Next::Preferred } else { Next::Any };
            return self.soon(wait);
        }
        let held = lived.is_some_and(|lived| lived >= self.stable);
        if end == LinkEnd::Renewed {
            if held {
                self.none_is_tried();
            }
            self.next = if self.present.is_some() { Next::Same } else { Next::Any };
            // No lane has failed either.
            return Ok(());
        }
        let Some(present) = self.present else {
            self.lanes.elsewhere();
            // It is in no list: what becomes of it says nothing of those that are.
            self.next = Next::Any;
            return Ok(());
        };
        match self.lanes.ended(end, up.map(|up| now.since(up))) {
            Some(true) => {
                self.next = Next::Same;
                return self.soon(wait);
            }
            Some(false) => {}
            None => {
                self.may_have_failed(Some(present));
                return Ok(());
            }
        }
        if held {
            self.none_is_tried();
            self.next = Next::Same;
            return Ok(());
        }
        self.tried.insert(present);
        self.next = Next::Untried;
        let round_over = self.tried.len() >= self.count();
        let may_be_over = self.tried.union(&self.maybe_tried).count() >= self.count();
        match may_be_over {
            // Only a backoff takes so long.
            true if round_over || wait > self.base => self.none_is_tried(),
            true => self.maybe_tried.append(&mut self.tried),
            false => return self.soon(wait),
        }
        Ok(())
    }

    fn none_is_tried(&mut self) {
        self.tried.clear();
        self.maybe_tried.clear();
    }

    /// What became of an endpoint cannot be told, nor whether that was the end of a round.
    fn may_have_failed(&mut self, endpoint: Option<usize>) {
        self.maybe_tried.append(&mut self.tried);
        self.maybe_tried.extend(endpoint.filter(|endpoint| *endpoint < self.count()));
        self.next = Next::Any;
    }

    fn follow(&mut self, now: Instant, output: &Output) -> Outcome {
        match output {
            Output::Reach { .. } if !self.lanes.asks(now) => {
                broken("asks-early", format!("QUIC is asked for beside a link: {self:?}"))
            }
            Output::Open { endpoint, lane, .. } => match self.lanes.opens(now, *lane) {
                true => self.opens(*endpoint),
                false => broken("wrong-lane", format!("{lane:?} is dialled: {self:?}")),
            },
            Output::Note(Note::LinkUp { .. }) => {
                self.lanes.opened(now);
                (self.up, self.away_since) = (Some(now), Some(now));
                Ok(())
            }
            Output::Note(Note::LinkDown { end, retry_in: Some(wait), .. }) => self.ended(now, *end, *wait),
            Output::Note(Note::LinkDown { .. }) => {
                self.lanes.down();
                (self.up, self.away_since) = (None, None);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// What was due in the moment of another configuration was done first, by the old one; what the new one makes due, after that.
    /// Which of both an end was cannot be told.
    fn follow_both(&mut self, now: Instant, outputs: &[Output], config: &edgehub_core::Config) {
        let (last, mut over) = (self.present, false);
        for output in outputs {
            match output {
                Output::Reach { .. } => {
                    self.lanes.asks(now);
                }
                Output::Open { endpoint, lane, .. } => {
                    self.lanes.opens(now, *lane);
                    (self.present, self.next) = (Some(*endpoint), Next::Any);
                }
                Output::Note(Note::LinkDown { .. }) => {
                    self.lanes.down();
                    (self.up, self.away_since, over) = (None, None, true);
                }
                _ => {}
            }
        }
        self.reconfigure(now, config);
        if over {
            self.may_have_failed(last);
            self.lanes.may_have_failed();
        }
    }

    /// Another configuration counts from now on.
    fn reconfigure(&mut self, now: Instant, config: &edgehub_core::Config) {
        self.lanes.reconfigure(config, config.endpoints != self.config);
        (self.stable, self.base) = (config.stable_after, config.backoff_base.max(BACKOFF_FLOOR));
        if config.endpoints != self.config {
            self.config = config.endpoints.clone();
            self.next = Next::Any;
            self.present = self.present.filter(|present| *present < self.count());
            self.away_since = self.away_since.map(|_| now);
            self.none_is_tried();
        }
    }

    fn soon(&self, wait: Duration) -> Outcome {
        match wait > self.base {
            true => {
                broken("fails-over-late", format!("{wait:?} until another endpoint is dialled: {self:?}"))
            }
            false => Ok(()),
        }
    }

    /// Whether the present endpoint is to be left for the preferred one.
    fn returns(&self) -> bool {
        match self.present {
            Some(present) => self.config.choice == Choice::Ordered && present != 0,
            // It is in no list any more.
            None => true,
        }
    }

    /// When a node must have returned at the latest, whatever it has found before.
    fn returned_by(&self) -> Option<Instant> {
        let up = self.away_since.filter(|_| self.returns())?;
        let postponed = RETURN_POSTPONED_FOR * (RETURN_POSTPONED_MAX + 1);
        // A link that is being left has its own time for that.
        let due = up + self.config.return_after * (RETURN_PENALTY_MAX + 1);
        Some(due.max(self.awake_since) + postponed + RENEWAL_GRACE)
    }
}

impl Check for Endpoints {
    fn name(&self) -> &'static str {
        "endpoints"
    }

    fn after(&mut self, step: &Step<'_>) -> Outcome {
        let now = step.now.mono;
        if step.deadline_before.is_some_and(|deadline| deadline.at + DRIVER_AWAY <= now) {
            self.awake_since = now;
        }
        let stale = |output: &Output| matches!(output, Output::Note(Note::StaleLinkEvent { .. }));
        if let Input::Link { epoch, event: LinkEvent::Reached } = step.input
            && *epoch == step.epoch
            && !step.outputs.iter().any(stale)
        {
            self.lanes.reached();
        }
        match step.input {
            Input::Reconfigure(config) if step.was_due() => self.follow_both(now, step.outputs, config),
            Input::Reconfigure(config) => {
                self.reconfigure(now, config);
                step.outputs.iter().try_for_each(|output| self.follow(now, output))?;
            }
            _ => step.outputs.iter().try_for_each(|output| self.follow(now, output))?,
        }
        self.stopping |= *step.input == Input::Shutdown;
        // A link that is being left has its own time for that.
        if let Some(by) = self.lanes.asked_by().map(|by| by.max(self.awake_since) + RENEWAL_GRACE)
            && by < now
            && !self.stopping
            && !step.was_due()
        {
            return broken("asks-never", format!("QUIC was to be asked for by {by:?}: {self:?}"));
        }
        match self.returned_by() {
            Some(by) if by < now && !self.stopping && !step.was_due() => {
                broken("returns-never", format!("the preferred endpoint was due by {by:?}: {self:?}"))
            }
            _ => Ok(()),
        }
    }
}
