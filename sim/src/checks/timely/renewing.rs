//! With another certificate, or once the better lane gets through, a link is left when every ping on it is answered and everything confirmed, or when its grace is
//! over: not later, and not before. Until then nothing of modules follows what was written. A dial begins anew, and whoever
//! leaves a link is asked to.

use super::super::better_lane::BetterLane;
use super::super::confirmation::Confirmation;
use super::super::pings::Pings;
use super::{Due, Outcome, Step, broken};
use crate::key;
use edgehub_core::hub::LinkEnd;
use edgehub_core::limits::RENEWAL_GRACE;
use edgehub_core::{Config, Input, Instant, LinkEvent, Note, Output};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Life {
    #[default]
    Down,
    Opening,
    Up,
}

#[derive(Debug)]
pub(super) struct Renewing {
    life: Life,
    stopping: bool,
    better_lane: BetterLane,
    pings: Pings,
    leave_by: Option<Instant>,
}

impl Renewing {
    pub(super) fn new(config: &Config) -> Renewing {
        Renewing {
            life: Life::default(),
            stopping: false,
            better_lane: BetterLane::new(config),
            pings: Pings::default(),
            leave_by: None,
        }
    }

    /// Judges a step, in which the confirmation has already counted.
    pub(super) fn after(&mut self, step: &Step<'_>, confirmation: &Confirmation) -> Outcome {
        let now = step.now.mono;
        if let Input::Link { epoch, event: LinkEvent::Pong(number) } = step.input
            && *epoch == step.epoch
            && self.pings.is_answered_by(*number)
        {
            self.pings.answered(*number);
        }
        self.stopping |= *step.input == Input::Shutdown;
        let told = *step.input == Input::Renewed;
        let reached =
            matches!(step.input, Input::Link { epoch, event: LinkEvent::Reached } if *epoch == step.epoch);
        let mut began_anew = false;
        for output in step.outputs {
            match output {
                Output::Open { .. } => self.life = Life::Opening,
                Output::Note(Note::LinkUp { .. }) => (self.life, self.leave_by) = (Life::Up, None),
                Output::Note(Note::LinkDown { end, unconfirmed, .. }) => {
                    if *end == LinkEnd::Renewed {
                        began_anew = told && self.life == Life::Opening;
                        self.left(now, *unconfirmed > 0, began_anew)?;
                    }
                    (self.life, self.leave_by) = (Life::Down, None);
                }
                Output::Write { message, .. }
                    if self.leave_by.is_some()
                        && !self.stopping
                        && confirmation.is_of_module(key::of(message.msg_id())) =>
                {
                    let what = format!("{} is written to a link that is left", message.msg_id());
                    return broken("renewal-writes", what);
                }
                _ => {}
            }
            self.pings.observe(output, now);
            self.better_lane.observe(output);
        }
        self.better_lane.stepped(step.input);
        if reached && self.better_lane.answered() && self.life == Life::Up && !self.stopping {
            self.leave_by.get_or_insert(now + RENEWAL_GRACE);
        }
        if told && !self.stopping {
            match self.life {
                Life::Up => drop(self.leave_by.get_or_insert(now + RENEWAL_GRACE)),
                Life::Opening if !began_anew => {
                    return broken("renewal-misses-dial", "a dial goes on with the old certificate".into());
                }
                Life::Opening | Life::Down => {}
            }
        }
        if self.stopping {
            self.leave_by = None;
        }
        if self.leave_by.is_some() && self.pings.oldest().is_none() && !confirmation.awaits_any() {
            return broken("renewal-waits", format!("nothing is waited for, by {:?}", self.leave_by));
        }
        Ok(())
    }

    /// A link was left, or a dial given up.
    fn left(&self, now: Instant, unconfirmed: bool, began_anew: bool) -> Outcome {
        if began_anew || self.leave_by.is_some_and(|by| by <= now) {
            return Ok(());
        }
        if self.leave_by.is_none() {
            return broken("renewal-unasked", format!("left at {now:?}: {self:?}"));
        }
        if unconfirmed || self.pings.oldest().is_some() {
            return broken("renewal-early", format!("left at {now:?}, unconfirmed: {unconfirmed}, {self:?}"));
        }
        Ok(())
    }

    pub(super) fn due(&self) -> Option<Due> {
        self.leave_by.map(|at| Due::new("renewal-overdue", "renewal-untimed", at))
    }
}
