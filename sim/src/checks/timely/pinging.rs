//! While a link is open, no two pings are further apart than the interval; and what was written is followed by a ping,
//! after so many messages or so much time, whichever comes first. That time is longer where pongs take long.

use super::super::confirmation::Confirmation;
use super::{Due, Outcome, Step, broken, length};
use crate::key;
use edgehub_core::limits::{BARRIER_ROUND_TRIP_MAX, BARRIER_ROUND_TRIP_SHARE};
use edgehub_core::{Config, Input, Instant, Note, Output};
use std::time::Duration;

#[derive(Debug, Clone, Copy)]
struct Settings {
    interval: Duration,
    messages: u32,
    time: Duration,
}

impl Settings {
    fn of(config: &Config) -> Settings {
        let Config { ping_interval, barrier_messages, barrier_after, .. } = config;
        let (interval, time) = (length(*ping_interval), length(*barrier_after));
        Settings { interval, messages: (*barrier_messages).max(1), time }
    }

    /// The more patient of both.
    fn or(self, other: Settings) -> Settings {
        Settings {
            interval: self.interval.max(other.interval),
            messages: self.messages.max(other.messages),
            time: self.time.max(other.time),
        }
    }
}

#[derive(Debug)]
pub(super) struct Pinging {
    settings: Settings,
    /// The next ping of an open link is due.
    ping_by: Option<Instant>,
    /// Written since the last ping and in want of a confirmation, and by when its ping is due.
    uncovered: u32,
    barrier_by: Option<Instant>,
    /// The shortest round trip of this link.
    shortest: Option<Duration>,
}

impl Pinging {
    pub(super) fn new(config: &Config) -> Pinging {
        Pinging {
            settings: Settings::of(config),
            ping_by: None,
            uncovered: 0,
            barrier_by: None,
            shortest: None,
        }
    }

    pub(super) fn after(&mut self, step: &Step<'_>, confirmation: &Confirmation) -> Outcome {
        let now = step.now.mono;
        let mut settings = self.settings;
        if let Input::Reconfigure(config) = step.input {
            // What was due before the change went by the old one, what comes after it by the new one.
            self.settings = Settings::of(config);
            settings = settings.or(self.settings);
        }
        let mut full = false;
        for output in step.outputs {
            match output {
                Output::Note(Note::LinkUp { .. }) => {
                    (self.uncovered, self.barrier_by, full) = (0, None, false);
                    (self.ping_by, self.shortest) = (Some(now + settings.interval), None);
                }
                Output::Note(Note::LinkDown { .. }) => {
                    (self.uncovered, self.barrier_by, full) = (0, None, false);
                    (self.ping_by, self.shortest) = (None, None);
                }
                Output::Note(Note::RoundTrip { rtt }) => {
                    self.shortest = Some(self.shortest.map_or(*rtt, |shortest| shortest.min(*rtt)));
                }
                Output::Ping { .. } => {
                    (self.uncovered, self.barrier_by, full) = (0, None, false);
                    self.ping_by = Some(now + settings.interval);
                }
                Output::Write { message, .. } => {
                    self.uncovered += u32::from(confirmation.is_kept(key::of(message.msg_id())));
                    let of_round_trip = self.shortest.unwrap_or_default() / BARRIER_ROUND_TRIP_SHARE;
                    let time = settings.time.max(of_round_trip.min(BARRIER_ROUND_TRIP_MAX));
                    self.barrier_by.get_or_insert(now + time);
                    full = self.uncovered >= settings.messages;
                }
                _ => {}
            }
        }
        match full {
            true => {
                broken("barrier-missing", format!("{} messages without a ping behind them", self.uncovered))
            }
            false => Ok(()),
        }
    }

    pub(super) fn due(&self) -> [Option<Due>; 2] {
        let ping = |at| Due { overdue: "ping-overdue", untimed: "ping-untimed", at };
        let barrier = |at| Due { overdue: "barrier-overdue", untimed: "barrier-untimed", at };
        [self.ping_by.map(ping), self.barrier_by.map(barrier)]
    }
}
