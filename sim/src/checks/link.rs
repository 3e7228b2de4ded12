//! One live link at a time with a rising epoch; nothing is said to a link before it opened or after it ended; modules
//! learn of its coming and going in turn. An event is called stale or unexpected when it is, and only then.

use super::better_lane::BetterLane;
use super::model::is_connect_info;
use super::pings::Pings;
use super::{Check, Outcome, Step, broken};
use edgehub_core::hub::{Direction, DropReason};
use edgehub_core::{Config, Input, Instant, LinkEpoch, LinkEvent, ModuleEvent, ModuleId, Note, Output};
use std::collections::BTreeMap;

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Life {
    #[default]
    Ended,
    Opening,
    Up,
}

/// The life of the latest link, from outputs and notes.
#[derive(Debug)]
pub(super) struct Link {
    epoch: LinkEpoch,
    life: Life,
    /// The driver has said that this one opened.
    opened: bool,
    better_lane: BetterLane,
    pings: Pings,
}

/// What must become of an event of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Heeded,
    /// It is of a link that is over, or was never there.
    Stale,
    /// The state of its link does not allow it.
    Unexpected,
}

impl Link {
    pub(super) fn new(config: &Config) -> Link {
        Link {
            epoch: LinkEpoch::default(),
            life: Life::default(),
            opened: false,
            better_lane: BetterLane::new(config),
            pings: Pings::default(),
        }
    }

    /// What must become of an event that comes now.
    fn verdict(&self, epoch: LinkEpoch, event: &LinkEvent) -> Verdict {
        let fits = match (self.life, event) {
            _ if epoch != self.epoch => return Verdict::Stale,
            (Life::Ended, _) => return Verdict::Stale,
            (Life::Opening, LinkEvent::Opened | LinkEvent::OpenFailed | LinkEvent::Closed) => true,
            (Life::Up, LinkEvent::Pong(number)) => self.pings.is_answered_by(*number),
            (Life::Up, LinkEvent::Reached) => self.better_lane.is_asked(),
            (Life::Opening, _) | (Life::Up, LinkEvent::Opened | LinkEvent::OpenFailed) => false,
            (Life::Up, _) => true,
        };
        if fits { Verdict::Heeded } else { Verdict::Unexpected }
    }

    /// Judges each output, and what the hub says of the event that it was told.
    fn judge(&mut self, step: &Step<'_>) -> Outcome {
        let told = match step.input {
            Input::Link { epoch, event } => Some((*epoch, event)),
            _ => None,
        };
        let verdict = |link: &Link| told.map(|(epoch, event)| link.verdict(epoch, event));
        // What had come due was settled before the event: then it counts what the link has become until it is spoken of.
        let due = step.was_due();
        let mut right = verdict(self);
        let mut called = false;
        for output in step.outputs {
            let call = match output {
                Output::Note(Note::StaleLinkEvent { epoch }) => Some((Verdict::Stale, *epoch)),
                Output::Note(Note::UnexpectedLinkEvent { epoch }) => Some((Verdict::Unexpected, *epoch)),
                _ => None,
            };
            if let Some((call, epoch)) = call {
                right = if due { verdict(self) } else { right };
                if right != Some(call) || called || told.is_none_or(|(of, _)| of != epoch) {
                    return broken(
                        "miscalled",
                        format!("{told:?} is called {call:?}, and is {right:?}: {self:?}"),
                    );
                }
                called = true;
            }
            self.observe(output, step.now.mono)?;
            if due && !called && right != Some(Verdict::Heeded) {
                right = verdict(self);
            }
        }
        match right {
            Some(right @ (Verdict::Stale | Verdict::Unexpected)) if !called => {
                broken("uncalled", format!("{told:?} is {right:?}, and nobody says so: {self:?}"))
            }
            Some(Verdict::Heeded) => {
                match told {
                    Some((_, LinkEvent::Pong(number))) => self.pings.answered(*number),
                    Some((_, LinkEvent::Reached)) => drop(self.better_lane.answered()),
                    _ => {}
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn observe(&mut self, output: &Output, now: Instant) -> Outcome {
        self.pings.observe(output, now);
        self.better_lane.observe(output);
        match *output {
            Output::Open { epoch, .. } => {
                if self.life != Life::Ended || epoch.0 != self.epoch.0 + 1 {
                    return broken(
                        "open",
                        format!("Open {epoch:?} while {:?} is {:?}", self.epoch, self.life),
                    );
                }
                (self.epoch, self.life, self.opened) = (epoch, Life::Opening, false);
            }
            Output::Note(Note::LinkUp { epoch, .. }) => {
                if self.life != Life::Opening || epoch != self.epoch || !self.opened {
                    return broken("up", format!("LinkUp {epoch:?} while {self:?}"));
                }
                self.life = Life::Up;
            }
            Output::Note(Note::LinkDown { epoch, .. }) => {
                if epoch != self.epoch {
                    return broken("down", format!("LinkDown {epoch:?} while {self:?}"));
                }
                self.life = Life::Ended;
            }
            Output::Close { epoch } => {
                if epoch != self.epoch || self.life == Life::Ended {
                    return broken("close", format!("Close {epoch:?} while {self:?}"));
                }
                self.life = Life::Ended;
            }
            Output::Write { epoch, .. }
            | Output::Reach { epoch, .. }
            | Output::Ping { epoch, .. }
            | Output::Pause { epoch }
            | Output::Resume { epoch }
                if epoch != self.epoch || self.life != Life::Up =>
            {
                return broken("write", format!("{output:?} while {self:?}"));
            }
            _ => {}
        }
        Ok(())
    }
}

impl Check for Link {
    fn name(&self) -> &'static str {
        "link"
    }

    fn after(&mut self, step: &Step<'_>) -> Outcome {
        let mut ended = None;
        if let Input::Link { epoch, event } = step.input
            && *epoch == self.epoch
        {
            self.opened |= *event == LinkEvent::Opened;
            ended = matches!(event, LinkEvent::Closed | LinkEvent::OpenFailed).then_some((*epoch, event));
        }
        self.judge(step)?;
        self.better_lane.stepped(step.input);
        if let Some((epoch, event)) = ended
            && epoch == self.epoch
            && (self.life == Life::Up && *event == LinkEvent::Closed || self.life == Life::Opening)
        {
            return broken("left-open", format!("{event:?} of {epoch:?} left {self:?}"));
        }
        Ok(())
    }
}

/// What a module has heard of the link.
#[derive(Debug, Default)]
struct Heard {
    last: Option<String>,
    /// So many of the next news may follow one that was dropped.
    gap: usize,
}

/// Each module hears "connected" and "disconnected" in turn.
#[derive(Debug, Default)]
pub(super) struct ConnectInfo {
    heard: BTreeMap<ModuleId, Heard>,
}

impl Check for ConnectInfo {
    fn name(&self) -> &'static str {
        "connect info"
    }

    fn after(&mut self, step: &Step<'_>) -> Outcome {
        // What was dropped for a slow module may have been news: before, between or behind those that wait.
        let is_loss = |output: &Output| {
            let reasons = [DropReason::InboxFull, DropReason::ModuleStalled, DropReason::Shutdown];
            matches!(output, Output::Note(Note::Dropped { direction: Direction::Down, reason, .. }) if reasons.contains(reason))
        };
        let lost = step.outputs.iter().any(is_loss);
        for output in step.outputs {
            if let Output::Deliver { module, message, .. } = output
                && is_connect_info(message)
            {
                let heard = self.heard.entry(*module).or_default();
                let content = Some(message.content().to_string());
                let follows_gap = lost || heard.gap > 0;
                heard.gap = heard.gap.saturating_sub(1);
                if heard.last == content && !follows_gap {
                    return broken("connect-info", format!("{module:?} hears {content:?} twice in a row"));
                }
                heard.last = content;
            }
        }
        if lost {
            for module in step.hub.joined_modules() {
                let waiting = step.hub.inbox_messages(module).filter(|message| is_connect_info(message));
                self.heard.entry(module).or_default().gap = waiting.count() + 1;
            }
        }
        if let Input::Module { module, event: ModuleEvent::Left } = step.input {
            self.heard.remove(module);
        }
        Ok(())
    }
}

/// An event of a link that is over changes nothing.
#[derive(Debug, Default)]
pub(super) struct OldEpochs {
    epoch: LinkEpoch,
}

impl Check for OldEpochs {
    fn name(&self) -> &'static str {
        "old epochs"
    }

    fn after(&mut self, step: &Step<'_>) -> Outcome {
        let current = std::mem::replace(&mut self.epoch, step.hub.epoch());
        match step.input {
            Input::Link { epoch, .. } if *epoch != current && !step.was_due() && step.acted() => broken(
                "acted",
                format!("an event of {epoch:?}, while {current:?} is current, led to {:?}", step.outputs),
            ),
            _ => Ok(()),
        }
    }
}
