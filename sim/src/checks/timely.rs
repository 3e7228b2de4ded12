//! Things happen in time: neither after they are due, nor before they may.
//!
//! Each part works out for itself, from what went in and came out, when the hub must have done something, and from when
//! on it may give something up. What is due must have happened in the first step at or after that moment, and the hub must
//! ask for a tick by then, or a driver that does as it is told would come too late.
//!
//! | file | what is due |
//! |---|---|
//! | `silence` | a link on which nothing is heard is given up |
//! | `answering` | a peer that lives and does not answer is called stalled, and given up |
//! | `pinging` | a sign of life is asked for; what was written is followed by a ping that confirms it |
//! | `probing` | the session is asked for, and a link without one left |
//! | `dialling` | the wait before a dial ends, and so does the patience with one |
//! | `renewing` | a link with an old certificate is left, when what is on it is confirmed |
//! | `stopping` | a shutdown is over, within its grace and not without using it |
//! | `writing` | what waits leaves when there is a link, room and a token |
//!
//! When a module counts as stalled is the business of the model of the way down, which knows what waits for it.

mod answering;
mod dialling;
mod pinging;
mod probing;
mod renewing;
mod silence;
mod stopping;
mod writing;

pub(crate) use probing::is_probe;

use super::confirmation::Confirmation;
use super::flight::Flight;
use super::pace::Pace;
use super::rate::RateLimit;
use super::stored::Stored;
use super::upstream::Upstream;
use super::{Outcome, Step, broken};
use answering::Answering;
use dialling::Dialling;
use edgehub_core::{Config, Input, Instant};
use pinging::Pinging;
use probing::Probing;
use renewing::Renewing;
use silence::Silence;
use std::time::Duration;
use stopping::Stopping;

/// What must have happened, by when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    /// The rule that is broken if it has not.
    overdue: &'static str,
    /// The rule that is broken if the hub does not ask for a tick in time.
    untimed: &'static str,
    at: Instant,
}

impl Due {
    pub(super) fn new(overdue: &'static str, untimed: &'static str, at: Instant) -> Due {
        Due { overdue, untimed, at }
    }
}

/// Judges a step that led to this obligation.
pub(super) fn in_time(due: Due, step: &Step<'_>) -> Outcome {
    let (now, deadline) = (step.now.mono, step.deadline);
    // What another configuration makes due is looked at in the next step.
    if due.at <= now && !matches!(step.input, Input::Reconfigure(_)) {
        return broken(due.overdue, format!("due at {:?}, and not done at {now:?}", due.at));
    }
    match deadline {
        Some(deadline) if deadline.at <= due.at.max(now) => Ok(()),
        _ => broken(due.untimed, format!("due at {:?}, and the hub asks for {deadline:?}", due.at)),
    }
}

/// The shortest length that a setting can have.
fn length(setting: Duration) -> Duration {
    setting.max(Duration::from_millis(1))
}

#[derive(Debug)]
pub(super) struct Timely {
    silence: Silence,
    answering: Answering,
    pinging: Pinging,
    probing: Probing,
    dialling: Dialling,
    stopping: Stopping,
    renewing: Renewing,
}

impl Timely {
    pub(super) fn new(config: &Config) -> Timely {
        Timely {
            silence: Silence::new(config),
            answering: Answering::new(config),
            pinging: Pinging::new(config),
            probing: Probing::new(config),
            dialling: Dialling::new(config),
            stopping: Stopping::new(config),
            renewing: Renewing::new(config),
        }
    }

    /// Judges a step, which the others have judged.
    pub(super) fn after(
        &mut self,
        step: &Step<'_>,
        confirmation: &Confirmation,
        upstream: &Upstream,
        stored: &Stored,
        (rate, pace): (&RateLimit, &Pace),
        flight: &Flight,
    ) -> Outcome {
        self.silence.after(step)?;
        self.answering.after(step)?;
        self.pinging.after(step, confirmation)?;
        self.probing.after(step, rate.is_open())?;
        self.dialling.after(step)?;
        self.stopping.after(step)?;
        self.renewing.after(step, confirmation)?;
        let [ping, barrier] = self.pinging.due();
        let dues = [
            self.silence.due(),
            self.answering.due(),
            ping,
            self.probing.due(),
            barrier,
            self.dialling.due(),
            self.stopping.due(),
            self.renewing.due(),
        ];
        dues.into_iter().flatten().try_for_each(|due| in_time(due, step))?;
        writing::after(step, upstream, stored, (rate, pace), flight)
    }
}
