//! When nothing has proven for long that the cloud has a session, the hub asks; when the question was read and nobody
//! answers, it leaves the link, later the oftener an endpoint that never answers was left; neither before. Nobody counts while nobody reads.

use super::super::pings::Pings;
use super::{Due, Outcome, Step, broken, length};
use edgehub_core::config::{Endpoints, Probe};
use edgehub_core::hub::{Direction, DropReason, LinkEnd, LinkState};
use edgehub_core::limits::{UNANSWERED_AT_ONCE, UNANSWERED_LONGEST, UNANSWERED_LONGEST_KNOWN};
use edgehub_core::message::operation;
use edgehub_core::{Config, Input, Instant, LinkEvent, Message, Note, Output};
use std::collections::BTreeMap;
use std::time::Duration;

/// How far the present question has got, as far as can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Served,
    /// It is due, and there is no room to write it.
    Unseen,
    Written {
        behind: u64,
    },
    Read(Instant),
    /// It may have been dropped for want of room.
    Unsure,
}

#[derive(Debug)]
pub(super) struct Probing {
    /// How long nothing may come, and how long an answer may take.
    lengths: Option<(Duration, Duration)>,
    /// When the link came up, or something last proved a session.
    proven: Option<Instant>,
    stage: Stage,
    paused: bool,
    /// It stops, or leaves its link for another certificate.
    leaving: bool,
    pings: Pings,
    last_ping: u64,
    /// Questions that may still be written although nobody needs them any more.
    unseen: u64,
    /// The last question that was written and not answered.
    question: Option<String>,
    /// What endpoints have shown, by their place in the configuration.
    habits: BTreeMap<usize, Habit>,
    /// The endpoint that was dialled last, if it is still one of the list.
    endpoint: Option<usize>,
    endpoints: Endpoints,
}

/// What an endpoint makes of questions, as far as can be seen.
#[derive(Debug, Default, Clone, Copy)]
struct Habit {
    answers: bool,
    unanswered: u32,
    /// It may have answered one that is another for the hub, or none.
    unsure: bool,
}

impl Habit {
    /// The time that an answer has.
    fn patience(self, limit: Duration) -> Duration {
        let (doubled, longest) = if self.answers {
            (self.unanswered.saturating_sub(UNANSWERED_AT_ONCE), UNANSWERED_LONGEST_KNOWN)
        } else {
            (self.unanswered, UNANSWERED_LONGEST)
        };
        (0..doubled.min(20)).fold(limit, |patience, _| (patience * 2).min(longest.max(limit)))
    }
}

/// Whether a message is a question of the hub's own.
pub(crate) fn is_probe(message: &Message) -> bool {
    message.operation() == operation::QUERY && message.source() == "edgehub"
}

fn lengths(config: &Config) -> Option<(Duration, Duration)> {
    config.probe.as_ref().map(|Probe { after, limit, .. }| (length(*after), length(*limit)))
}

impl Probing {
    pub(super) fn new(config: &Config) -> Probing {
        Probing {
            lengths: lengths(config),
            proven: None,
            stage: Stage::Served,
            paused: false,
            leaving: false,
            pings: Pings::default(),
            last_ping: 0,
            unseen: 0,
            question: None,
            habits: BTreeMap::new(),
            endpoint: None,
            endpoints: config.endpoints.clone(),
        }
    }

    fn habit(&self) -> Habit {
        self.endpoint.and_then(|endpoint| self.habits.get(&endpoint).copied()).unwrap_or_default()
    }

    fn habit_mut(&mut self) -> Option<&mut Habit> {
        Some(self.habits.entry(self.endpoint?).or_default())
    }

    /// A question leaves.
    fn written(&mut self, message: &Message, now: Instant) -> Outcome {
        self.question = Some(message.msg_id().into());
        if self.unseen > 0 {
            self.unseen -= 1;
            if self.stage == Stage::Unseen {
                self.stage = Stage::Written { behind: self.last_ping };
            }
            return Ok(());
        }
        let due = self.proven.zip(self.lengths).map(|(proven, (after, _))| proven + after);
        if self.stage == Stage::Unsure {
            return Ok(());
        }
        if self.stage != Stage::Served || due.is_none_or(|due| due > now) {
            return broken("probe-early", format!("asked at {now:?}, due at {due:?}, {:?}", self.stage));
        }
        self.stage = Stage::Written { behind: self.last_ping };
        Ok(())
    }

    fn given_up(&self, now: Instant) -> Outcome {
        let due = match (self.stage, self.lengths) {
            (Stage::Read(since), Some((_, limit))) if self.habit().unsure => Some(since + limit),
            (Stage::Read(since), Some((_, limit))) => Some(since + self.habit().patience(limit)),
            _ => None,
        };
        if self.stage == Stage::Unsure || due.is_some_and(|due| due <= now) {
            return Ok(());
        }
        broken("no-session-early", format!("given up at {now:?}, due at {due:?}, {:?}", self.stage))
    }

    /// Judges a step; `room` says whether the hub can write after it.
    pub(super) fn after(&mut self, step: &Step<'_>, room: bool) -> Outcome {
        let now = step.now.mono;
        let reconfigured = matches!(step.input, Input::Reconfigure(_));
        let ignored = step.outputs.iter().any(|output| {
            matches!(output, Output::Note(Note::StaleLinkEvent { .. } | Note::UnexpectedLinkEvent { .. }))
        });
        let event = match step.input {
            Input::Link { event, .. } if !ignored => Some(event),
            _ => None,
        };
        if let Some(LinkEvent::Pong(number)) = event
            && self.pings.is_answered_by(*number)
        {
            self.pings.answered(*number);
            if let Stage::Written { behind } = self.stage
                && *number > behind
            {
                self.stage = Stage::Read(now);
            }
        }
        let mut resumed = false;
        for output in step.outputs {
            self.pings.observe(output, now);
            match output {
                Output::Open { endpoint, .. } => self.endpoint = Some(*endpoint),
                Output::Note(Note::LinkUp { .. }) => self.link_up(now),
                Output::Note(Note::LinkDown { end, .. }) => {
                    if *end == LinkEnd::NoSession && !reconfigured {
                        self.given_up(now)?;
                    }
                    if *end == LinkEnd::NoSession
                        && let Some(habit) = self.habit_mut()
                    {
                        habit.unanswered += 1;
                    }
                    (self.proven, self.paused) = (None, false);
                }
                Output::Ping { number, .. } => self.last_ping = *number,
                Output::Write { message, .. } if is_probe(message) => match reconfigured {
                    true => {
                        self.question = Some(message.msg_id().into());
                        (self.stage, self.unseen) = (Stage::Unsure, 0);
                    }
                    false => self.written(message, now)?,
                },
                Output::Note(Note::Dropped {
                    direction: Direction::Up,
                    reason: DropReason::OutboxFull,
                    ..
                }) if self.unseen > 0 => (self.stage, self.unseen) = (Stage::Unsure, 0),
                Output::Pause { .. } => self.paused = true,
                Output::Resume { .. } => (self.paused, resumed) = (false, true),
                _ => {}
            }
        }
        if let Some(LinkEvent::Received(message)) = event
            && self.proven.is_some()
            && !message.is_link_control()
        {
            self.received(message, step)?;
            (self.proven, self.stage) = (Some(now), Stage::Served);
        }
        if resumed {
            match &mut self.stage {
                Stage::Served => self.proven = self.proven.map(|_| now),
                Stage::Read(since) => *since = now,
                _ => {}
            }
        }
        self.leaving =
            matches!(step.hub.link_state(), LinkState::Draining | LinkState::Stopped | LinkState::Renewing);
        if let Input::Reconfigure(config) = step.input {
            self.lengths = lengths(config);
            if config.endpoints != self.endpoints {
                // The present link goes to one of the old list.
                self.endpoints = config.endpoints.clone();
                self.habits.clear();
                self.endpoint = None;
            }
        }
        let due = self.due().filter(|_| self.stage == Stage::Served);
        if !room && due.is_some_and(|due| due.at <= now) {
            self.unseen += 1;
            self.stage = Stage::Unseen;
        }
        Ok(())
    }

    /// Something came from a session. What answers the question is for nobody else.
    fn received(&mut self, message: &Message, step: &Step<'_>) -> Outcome {
        let unclear = self.unseen > 0 || self.stage == Stage::Unsure;
        if unclear
            && !message.parent_msg_id().is_empty()
            && let Some(habit) = self.habit_mut()
        {
            habit.unsure = true;
        }
        if self.question.as_deref() != Some(message.parent_msg_id()) || self.unseen > 0 {
            return Ok(());
        }
        if let Some(habit) = self.habit_mut() {
            *habit = Habit { answers: true, unanswered: 0, unsure: habit.unsure };
        }
        self.question = None;
        let is_told_of = |output: &&Output| match output {
            Output::Note(Note::Dropped { direction: Direction::Down, msg_id, .. }) => {
                **msg_id == *message.msg_id()
            }
            Output::Deliver { message: delivered, .. } => delivered.msg_id() == message.msg_id(),
            _ => false,
        };
        match step.outputs.iter().find(is_told_of) {
            Some(output) if self.stage != Stage::Unsure => {
                broken("probe-answer-routed", format!("the answer to the hub's own question: {output:?}"))
            }
            _ => Ok(()),
        }
    }

    fn link_up(&mut self, now: Instant) {
        (self.proven, self.stage, self.paused, self.unseen) = (Some(now), Stage::Served, false, 0);
        self.question = None;
    }

    pub(super) fn due(&self) -> Option<Due> {
        let (proven, (after, limit)) = self.proven.zip(self.lengths)?;
        if self.paused || self.leaving {
            return None;
        }
        match self.stage {
            Stage::Served => Some(Due::new("probe-overdue", "probe-untimed", proven + after)),
            Stage::Read(_) if self.habit().unsure => None,
            Stage::Read(since) => {
                let at = since + self.habit().patience(limit);
                Some(Due::new("no-session-unnoticed", "no-session-untimed", at))
            }
            Stage::Unseen | Stage::Written { .. } | Stage::Unsure => None,
        }
    }
}
