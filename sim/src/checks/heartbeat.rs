//! Keepalive messages: never further apart than a heartbeat while the link takes them, and never more than the time
//! allows; a machine that slept makes up for none that it missed.

use super::{Check, Outcome, Step, broken};
use edgehub_core::limits::{WRITE_WINDOW_BYTES, WRITE_WINDOW_MESSAGES};
use edgehub_core::message::operation;
use edgehub_core::{Config, Input, Instant, LinkEvent, Note, Output};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Heartbeat {
    heartbeat: Duration,
    /// A timer that ran when the configuration changed keeps its length once.
    running: Duration,
    /// One that was due by an older configuration, whose heartbeat is this, waits for the link to take it.
    waits: Option<Duration>,
    /// The shortest heartbeat of this link.
    shortest: Duration,
    opened: Option<Instant>,
    last: Instant,
    count: u64,
    messages: usize,
    bytes: usize,
}

impl Heartbeat {
    pub(super) fn new(config: &Config) -> Heartbeat {
        Heartbeat::zero(config.heartbeat)
    }

    fn observe(&mut self, step: &Step<'_>) {
        let before = self.heartbeat;
        match step.input {
            Input::Reconfigure(config) => {
                if step.now.mono.since(self.last) >= self.running {
                    self.waits = self.waits.max(Some(before));
                }
                self.heartbeat = config.heartbeat.max(Duration::from_millis(1));
                self.running = self.running.max(self.heartbeat);
                self.shortest = self.shortest.min(self.heartbeat);
            }
            Input::Link { epoch, event: LinkEvent::Flushed { messages, bytes } } if *epoch == step.epoch => {
                self.messages = self.messages.saturating_sub(*messages);
                self.bytes = self.bytes.saturating_sub(*bytes);
            }
            _ => {}
        }
        for output in step.outputs {
            match output {
                Output::Note(Note::LinkUp { .. }) => {
                    *self = Heartbeat { opened: Some(step.now.mono), ..Heartbeat::zero(self.heartbeat) };
                }
                Output::Note(Note::LinkDown { .. }) => self.opened = None,
                Output::Write { message, .. } => {
                    self.messages += 1;
                    self.bytes += message.bytes();
                    if message.operation() == operation::KEEPALIVE && message.source() == "websocket" {
                        self.last = step.now.mono;
                        // One that was due when the configuration changed went out, and on, by the old one.
                        let reconfigured = matches!(step.input, Input::Reconfigure(_)).then_some(before);
                        let older = self.waits.take().max(reconfigured);
                        self.running = self.heartbeat.max(older.unwrap_or_default());
                        self.count += 1;
                    }
                }
                _ => {}
            }
        }
    }

    fn zero(heartbeat: Duration) -> Heartbeat {
        Heartbeat {
            heartbeat,
            running: heartbeat,
            waits: None,
            shortest: heartbeat,
            opened: None,
            last: Instant(0),
            count: 0,
            messages: 0,
            bytes: 0,
        }
    }
}

impl Check for Heartbeat {
    fn name(&self) -> &'static str {
        "heartbeat"
    }

    fn after(&mut self, step: &Step<'_>) -> Outcome {
        let before = self.count;
        self.observe(step);
        let Some(opened) = self.opened else { return Ok(()) };
        let now = step.now.mono;
        let allowed = 1 + (now.since(opened).as_micros() / self.shortest.as_micros().max(1)) as u64;
        if self.count > allowed {
            return broken("too-many", format!("{} keepalives in {:?}", self.count, now.since(opened)));
        }
        if self.last == now && self.count > before + 1 {
            return broken("burst", format!("{} keepalives at once", self.count - before));
        }
        let open = self.messages < WRITE_WINDOW_MESSAGES && self.bytes < WRITE_WINDOW_BYTES;
        if open && now.since(self.last) >= self.running {
            return broken("overdue", format!("the last keepalive is {:?} old", now.since(self.last)));
        }
        if open && step.deadline.is_none_or(|deadline| deadline.at > self.last + self.running) {
            return broken("no-deadline", "no deadline in time for the next keepalive".to_string());
        }
        Ok(())
    }
}
