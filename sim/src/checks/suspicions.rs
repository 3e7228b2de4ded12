//! What the hub calls probably wrong is so, and whatever is so is said, each time.

use super::{Check, Outcome, Step, broken};
use edgehub_core::hub::{LinkEnd, Suspicion};
use edgehub_core::message::operation;
use edgehub_core::{Config, Input, Instant, LinkEvent, Note, Output};
use std::time::Duration;

/// Links in a row.
const KICKED: u32 = 3;
const TOLERANCE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Suspicions {
    heartbeat: Duration,
    keepalive: Duration,
    stable: Duration,
    opened: Option<Instant>,
    last_beat: Instant,
    kicked: u32,
    /// What was said of a link that ended, until a message of a session comes; and if each link ends, until one has held.
    lasting: Option<Suspicion>,
    ended: Option<LinkEnd>,
}

impl Suspicions {
    pub(super) fn new(config: &Config) -> Suspicions {
        let mut suspicions = Suspicions {
            heartbeat: Duration::ZERO,
            keepalive: Duration::ZERO,
            stable: Duration::ZERO,
            opened: None,
            last_beat: Instant(0),
            kicked: 0,
            lasting: None,
            ended: None,
        };
        suspicions.configure(config);
        suspicions
    }

    fn configure(&mut self, config: &Config) {
        self.heartbeat = config.heartbeat.max(Duration::from_millis(1));
        (self.keepalive, self.stable) = (config.cloud_keepalive, config.stable_after);
    }

    /// What is to be said of an output, if anything.
    fn of(&mut self, output: &Output, now: Instant) -> Option<Suspicion> {
        match output {
            Output::Note(Note::LinkUp { .. }) => {
                (self.opened, self.last_beat) = (Some(now), now);
                (self.heartbeat * 2 > self.keepalive).then_some(Suspicion::HeartbeatTooSlow)
            }
            Output::Write { message, .. } if message.operation() == operation::KEEPALIVE => {
                if message.source() == "websocket" {
                    self.last_beat = now;
                }
                None
            }
            Output::Note(Note::LinkDown { end, retry_in, .. }) => {
                let lived = now.since(self.opened.take()?);
                if retry_in.is_none() {
                    return None;
                }
                let short = *end == LinkEnd::Closed && lived < self.stable;
                self.kicked = if short { self.kicked + 1 } else { 0 };
                let unheard = now.since(self.last_beat).abs_diff(self.keepalive) <= TOLERANCE;
                match end {
                    LinkEnd::NoSession => Some(Suspicion::NoSession),
                    LinkEnd::Closed if unheard => Some(Suspicion::KeepaliveUnheard),
                    _ if self.kicked >= KICKED => Some(Suspicion::DuplicateName { links: self.kicked }),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

impl Suspicions {
    /// Whoever asks how the hub is hears of what was said and is not over, and why there is no link.
    fn look_at_health(&mut self, step: &Step<'_>, opened: Option<Instant>) -> Outcome {
        let ignored = step.outputs.iter().any(|output| {
            matches!(output, Output::Note(Note::StaleLinkEvent { .. } | Note::UnexpectedLinkEvent { .. }))
        });
        for output in step.outputs {
            match output {
                Output::Note(Note::Suspected { cause, .. }) if *cause != Suspicion::HeartbeatTooSlow => {
                    self.lasting = Some(*cause);
                }
                Output::Note(Note::LinkUp { .. }) => self.ended = None,
                Output::Note(Note::LinkDown { end, .. }) => self.ended = Some(*end),
                _ => {}
            }
        }
        if let Input::Link { event: LinkEvent::Received(message), .. } = step.input
            && !ignored
            && !message.is_link_control()
        {
            let held = self.stable.max(self.keepalive * 2);
            let holds = opened.is_some_and(|opened| step.now.mono.since(opened) >= held);
            let is_about_links =
                matches!(self.lasting, Some(Suspicion::DuplicateName { .. } | Suspicion::KeepaliveUnheard));
            if holds || !is_about_links {
                self.lasting = None;
            }
        }
        let (heartbeat, keepalive) = match step.input {
            Input::Reconfigure(config) => {
                (config.heartbeat.max(Duration::from_millis(1)), config.cloud_keepalive)
            }
            _ => (self.heartbeat, self.keepalive),
        };
        let slow = step.hub.link_state().is_open() && heartbeat * 2 > keepalive;
        let health = step.hub.health();
        let right = self.lasting.or(slow.then_some(Suspicion::HeartbeatTooSlow));
        if (health.suspicion, health.ended, health.link) == (right, self.ended, step.hub.link_state()) {
            return Ok(());
        }
        broken("health", format!("{health:?}, and it is {right:?}: {self:?}"))
    }
}

impl Check for Suspicions {
    fn name(&self) -> &'static str {
        "suspicions"
    }

    fn after(&mut self, step: &Step<'_>) -> Outcome {
        // The link that the input is about, even if it ends with it.
        let opened = self.opened;
        let due: Vec<Suspicion> =
            step.outputs.iter().filter_map(|output| self.of(output, step.now.mono)).collect();
        let said: Vec<Suspicion> = step
            .outputs
            .iter()
            .filter_map(|output| match output {
                Output::Note(Note::Suspected { cause, .. }) => Some(*cause),
                _ => None,
            })
            .collect();
        self.look_at_health(step, opened)?;
        if let Input::Reconfigure(config) = step.input {
            // What ends or begins in the same step does so by rules that are between the two.
            self.configure(config);
        } else if due != said {
            return broken("suspicion", format!("said {said:?}, and it is {due:?}: {self:?}"));
        }
        Ok(())
    }
}
