//! A long backlog leaves at its pace after the link has come up: no stretch of time holds more of it, and nothing of it
//! waits longer than the pace and the longest wait before it make it.

use super::upstream::Upstream;
use super::{Outcome, Step, broken};
use edgehub_core::config::Drain;
use edgehub_core::hub::{Direction, LinkEnd, LinkState};
use edgehub_core::limits::DRAIN_BURST_PER_SECOND;
use edgehub_core::{Config, Input, Instant, Note, Output};
use std::time::Duration;

/// Parts of a message.
const WHOLE: u128 = 1_000_000;

/// A backlog that leaves at its pace.
#[derive(Debug)]
struct Backlog {
    drain: Drain,
    /// The newest message of it.
    newest: u64,
    /// Whether there is surely one: near the mark nobody knows, where ids were used twice.
    sure: bool,
    /// Its beginning, at the latest; `None` when it has begun.
    begins_by: Option<Instant>,
    level: u128,
    at: Instant,
}

impl Backlog {
    fn full(&self) -> u128 {
        u128::from((self.drain.per_second / DRAIN_BURST_PER_SECOND).max(1)) * WHOLE
    }

    /// When the next one may leave, at the latest.
    fn next(&self) -> Instant {
        let missing = WHOLE.saturating_sub(self.level).div_ceil(u128::from(self.drain.per_second));
        (self.at + Duration::from_micros(missing as u64)).max(self.begins_by.unwrap_or(self.at))
    }
}

#[derive(Debug)]
pub(super) struct Pace {
    drain: Option<Drain>,
    backlog: Option<Backlog>,
    up: bool,
    /// The last link ended for another certificate: the next one goes on like it.
    goes_on: bool,
}

impl Pace {
    pub(super) fn new(config: &Config) -> Pace {
        Pace { drain: of(config), backlog: None, up: false, goes_on: false }
    }

    /// When what waits first has its turn, at the latest; `None` when it needs none.
    pub(super) fn turn_at(&self, number: u64) -> Option<Instant> {
        self.backlog.as_ref().filter(|backlog| number <= backlog.newest).map(Backlog::next)
    }

    /// Whether a backlog of which something waits leaves at its pace; `None` when nobody knows.
    pub(super) fn is_draining(&self, upstream: &Upstream) -> Option<bool> {
        let Some(backlog) = &self.backlog else { return Some(false) };
        backlog.sure.then(|| upstream.has_limited_up_to(backlog.newest))
    }

    /// Whether something that nobody knows of may hold up what waits.
    pub(super) fn is_unsure(&self, upstream: &Upstream) -> bool {
        self.backlog.is_some() && upstream.is_ambiguous()
    }

    /// Judges a step, before the way up has taken it in.
    pub(super) fn after(&mut self, step: &Step<'_>, upstream: &Upstream) -> Outcome {
        if let Input::Reconfigure(config) = step.input
            && of(config) != self.drain
        {
            (self.drain, self.backlog, self.goes_on) = (of(config), None, false);
        }
        // A shutdown does not wait for any of it, and may be over in its first step.
        if matches!(step.hub.link_state(), LinkState::Draining | LinkState::Stopped) {
            self.backlog = None;
        }
        if let Some(backlog) = &mut self.backlog {
            let now = step.now.mono.max(backlog.at);
            let gained = now.since(backlog.at).as_micros() * u128::from(backlog.drain.per_second);
            (backlog.level, backlog.at) = ((backlog.level + gained).min(backlog.full()), now);
        }
        for output in step.outputs {
            match output {
                Output::Note(Note::LinkUp { .. }) => {
                    self.up = true;
                    if !std::mem::take(&mut self.goes_on) {
                        self.link_up(step, upstream);
                    }
                }
                Output::Note(Note::LinkDown { end, .. }) => {
                    let was_up = std::mem::take(&mut self.up);
                    // A dial that begins anew is none that fails.
                    self.goes_on = *end == LinkEnd::Renewed && (self.goes_on || was_up);
                    if !self.goes_on {
                        self.backlog = None;
                    }
                }
                Output::Write { message, .. } => self.written(message.msg_id(), upstream)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn link_up(&mut self, step: &Step<'_>, upstream: &Upstream) {
        self.backlog = None;
        let (Some(drain), waiting) = (self.drain, upstream.limited_waiting()) else { return };
        let is_drop =
            |output: &&Output| matches!(output, Output::Note(Note::Dropped { direction: Direction::Up, .. }));
        let dropped = step.outputs.iter().filter(is_drop).count();
        let perhaps = if upstream.is_ambiguous() { usize::MAX } else { waiting };
        if perhaps > drain.above {
            let mut backlog = Backlog {
                drain,
                newest: upstream.newest(),
                sure: waiting.saturating_sub(dropped) > drain.above,
                begins_by: Some(step.now.mono + drain.spread),
                level: 0,
                at: step.now.mono,
            };
            backlog.level = backlog.full();
            self.backlog = Some(backlog);
        }
    }

    fn written(&mut self, msg_id: &str, upstream: &Upstream) -> Outcome {
        let Some(backlog) = &mut self.backlog else { return Ok(()) };
        let Some((true, _, number)) = upstream.rank_of(msg_id) else { return Ok(()) };
        if number > backlog.newest {
            return Ok(());
        }
        if backlog.begins_by.take().is_some() {
            backlog.level = backlog.full();
        }
        match backlog.level.checked_sub(WHOLE) {
            Some(level) => backlog.level = level,
            None if !backlog.sure => backlog.level = 0,
            None => return broken("too-fast", format!("{msg_id} leaves before its turn in the backlog")),
        }
        Ok(())
    }
}

/// The pace as the hub takes it: one a second at least.
fn of(config: &Config) -> Option<Drain> {
    config.drain.map(|drain| Drain { per_second: drain.per_second.max(1), ..drain })
}
