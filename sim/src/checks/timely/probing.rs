//! When nothing has proven for long that the cloud has a session, the hub asks; when the question was read and nobody
//! answers, it leaves the link; neither before. Nobody counts while nobody reads.

use super::super::pings::Pings;
use super::{Due, Outcome, Step, broken, length};
use edgehub_core::config::Probe;
use edgehub_core::hub::{Direction, DropReason, LinkEnd, LinkState};
use edgehub_core::message::operation;
use edgehub_core::{Config, Input, Instant, LinkEvent, Message, Note, Output};
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
        }
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
            (Stage::Read(since), Some((_, limit))) => Some(since + limit),
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
                Output::Note(Note::LinkUp { .. }) => self.link_up(now),
                Output::Note(Note::LinkDown { end, .. }) => {
                    if *end == LinkEnd::NoSession && !reconfigured {
                        self.given_up(now)?;
                    }
                    (self.proven, self.paused) = (None, false);
                }
                Output::Ping { number, .. } => self.last_ping = *number,
                Output::Write { message, .. } if is_probe(message) => match reconfigured {
                    true => (self.stage, self.unseen) = (Stage::Unsure, 0),
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
        if self.question.as_deref() != Some(message.parent_msg_id()) || self.unseen > 0 {
            return Ok(());
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
            Stage::Read(since) => Some(Due::new("no-session-unnoticed", "no-session-untimed", since + limit)),
            Stage::Unseen | Stage::Written { .. } | Stage::Unsure => None,
        }
    }
}
