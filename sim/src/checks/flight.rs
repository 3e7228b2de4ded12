//! No more is on its way, written and not behind a pong, than the link was seen to carry in a short time; and what may be
//! on its way is.
//!
//! The window is worked out again from what pongs tell: `core/src/hub/flight.rs` says by which rule.

use super::rate::is_control;
use super::{Outcome, Step, broken};
use crate::key;
use edgehub_core::hub::LinkEnd;
use edgehub_core::limits::{FLIGHT_BYTES_MAX, FLIGHT_BYTES_MIN, FLIGHT_BYTES_START, FLIGHT_DELAY, PINGS_MAX};
use edgehub_core::{Input, Instant, LinkEvent, Note, Output};
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Flight {
    window: u64,
    on_its_way: u64,
    /// Pings on their way, in order: number, when, and the bytes between it and the one before.
    pings: VecDeque<(u64, Instant, u64)>,
    last_ping: u64,
    /// Bytes behind the last ping.
    behind: u64,
    shortest: Option<Duration>,
    /// Pings up to this one say nothing of what the window is now.
    old_pings: u64,
    was_full: bool,
    /// Nobody listened before.
    deaf_until: Option<Instant>,
    /// Exempt messages that modules sent. What the hub makes itself has no weight: its length depends on the wall clock.
    of_modules: BTreeSet<u64>,
}

impl Flight {
    pub(super) fn new() -> Flight {
        Flight {
            window: FLIGHT_BYTES_START,
            on_its_way: 0,
            pings: VecDeque::new(),
            last_ping: 0,
            behind: 0,
            shortest: None,
            old_pings: 0,
            was_full: false,
            deaf_until: None,
            of_modules: BTreeSet::new(),
        }
    }

    /// Whether another message that is not exempt must be let through; else it must not.
    pub(super) fn has_room(&self) -> bool {
        self.on_its_way < self.window
    }

    fn begins_again(&mut self) {
        let (window, last_ping, of_modules) =
            (self.window, self.last_ping, std::mem::take(&mut self.of_modules));
        *self = Flight { window, last_ping, old_pings: last_ping, of_modules, ..Flight::new() };
    }

    fn ended(&mut self, end: LinkEnd) {
        if matches!(end, LinkEnd::Silent | LinkEnd::Stalled) && self.on_its_way > 0 {
            self.window = FLIGHT_BYTES_MIN.max(self.window / 2);
        }
        self.begins_again();
    }

    fn pinged(&mut self, number: u64, now: Instant) {
        let bytes = std::mem::take(&mut self.behind);
        self.last_ping = number;
        // The newest of too many is replaced.
        let replaced = if self.pings.len() >= PINGS_MAX { self.pings.pop_back() } else { None };
        self.pings.push_back((number, now, bytes + replaced.map_or(0, |(.., bytes)| bytes)));
    }

    fn ponged(&mut self, number: u64, now: Instant) {
        let mut answered = None;
        while let Some(&(ping, at, bytes)) = self.pings.front().filter(|(ping, ..)| *ping <= number) {
            self.pings.pop_front();
            self.on_its_way -= bytes;
            answered = Some((ping, at));
        }
        let Some((ping, at)) = answered else { return };
        let heard_at_once = self.deaf_until.is_none_or(|until| until <= at);
        if heard_at_once {
            let round_trip = now.since(at);
            let shortest = self.shortest.map_or(round_trip, |shortest| shortest.min(round_trip));
            self.shortest = Some(shortest);
            let queued = (round_trip - shortest).as_micros() as u64;
            let wanted = FLIGHT_DELAY.as_micros() as u64;
            if ping > self.old_pings && queued > wanted {
                self.window = (self.window * wanted / queued).max(FLIGHT_BYTES_MIN);
            } else if ping > self.old_pings && self.was_full && queued <= wanted / 2 {
                self.window = (self.window * 2).min(FLIGHT_BYTES_MAX);
            }
        }
        if ping > self.old_pings {
            (self.old_pings, self.was_full) = (self.last_ping, false);
        }
    }

    pub(super) fn after(&mut self, step: &Step<'_>) -> Outcome {
        let now = step.now.mono;
        if let Some((message, _)) = step.accepted()
            && is_control(message)
        {
            self.of_modules.insert(key::of(message.msg_id()));
        }
        let mut pong = match step.input {
            Input::Link { epoch, event: LinkEvent::Pong(number) } if *epoch == step.epoch => {
                Some(*number).filter(|number| *number <= self.last_ping)
            }
            _ => None,
        };
        let nothing = |output: &Output| {
            matches!(output, Output::Note(Note::UnexpectedLinkEvent { .. } | Note::StaleLinkEvent { .. }))
        };
        pong = pong.filter(|_| !step.outputs.iter().any(nothing));
        // What was due is done before the pong counts; its round trip says when that is.
        let told = step.outputs.iter().any(|output| matches!(output, Output::Note(Note::RoundTrip { .. })));
        if !told && let Some(number) = pong.take() {
            if step.was_due() && step.outputs.iter().any(|output| matches!(output, Output::Resume { .. })) {
                self.deaf_until = Some(now);
            }
            self.ponged(number, now);
        }
        for output in step.outputs {
            match output {
                Output::Note(Note::LinkUp { .. }) => self.begins_again(),
                Output::Note(Note::LinkDown { end, .. }) => self.ended(*end),
                Output::Note(Note::RoundTrip { .. }) => {
                    if let Some(number) = pong.take() {
                        self.ponged(number, now);
                    }
                }
                Output::Resume { .. } => self.deaf_until = Some(now),
                Output::Ping { number, .. } => self.pinged(*number, now),
                Output::Write { message, .. } => {
                    if !is_control(message) && !self.has_room() {
                        let Flight { on_its_way, window, .. } = self;
                        let what = format!(
                            "{} leaves; {on_its_way} of {window} bytes are on their way",
                            message.msg_id()
                        );
                        return broken("flight-full", what);
                    }
                    let own = is_control(message) && !self.of_modules.contains(&key::of(message.msg_id()));
                    let weight = if own { 0 } else { message.bytes() as u64 };
                    self.on_its_way += weight;
                    self.behind += weight;
                    self.was_full |= !self.has_room();
                }
                _ => {}
            }
        }
        Ok(())
    }
}
