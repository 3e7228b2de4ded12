//! How much is on its way: written, and not yet behind a pong.
//!
//! An operating system takes megabytes at once. On a slow link a pong behind them comes when the link has long been
//! given up as silent, the next link begins with the same megabytes, and so for ever; and an acknowledgement behind them
//! comes too late. So only so much may be on its way as the link carries in [`FLIGHT_DELAY`]. How much that is, pongs tell:
//! the window begins small, doubles when a round trip was quick although the window was full, and shrinks to its share
//! when one was slow. It outlives the link, for the next one leads to the same place.
//!
//! A ping leaves behind every quarter of the window, so that it opens again before it is used up, and at the latest when
//! so many messages or so much time say so ([`Config::barrier_messages`], [`Config::barrier_after`], or a quarter of the shortest
//! round trip, if that is longer).

use super::consistent::{is_small, is_sum};
use super::outbox::Amount;
use crate::canary::{Canary, Planted};
use crate::config::Config;
use crate::limits::{
    BARRIER_ROUND_TRIP_MAX, BARRIER_ROUND_TRIP_SHARE, FLIGHT_BYTES_MAX, FLIGHT_BYTES_MIN, FLIGHT_BYTES_START,
    FLIGHT_DELAY, PINGS_MAX,
};
use crate::time::Instant;
use alloc::collections::VecDeque;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// A ping on its way.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Mark {
    number: u64,
    at: Instant,
    /// Messages that want to be confirmed and were written before it, ever.
    messages: u64,
    /// All bytes that were written between the ping before it and this one.
    bytes: u64,
}

/// What a pong says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    /// Messages that are confirmed with it, counted from the first one ever.
    pub(super) messages: u64,
    /// The time since its ping, if somebody listened all the while.
    pub(super) round_trip: Option<Duration>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Flight {
    /// Bytes that may be on their way.
    window: u64,
    /// Bytes that are.
    on_its_way: u64,
    marks: VecDeque<Mark>,
    /// The number of the last ping, ever.
    last_ping: u64,
    /// Written since then, and when a ping is due for its sake.
    uncovered: Amount,
    ping_due: Option<Instant>,
    /// Before this moment nobody listened: how long a pong took to a ping from before says nothing.
    deaf_until: Option<Instant>,
    /// When the last pong came.
    answered_at: Option<Instant>,
    /// The shortest round trip of this link.
    shortest: Option<Duration>,
    /// The window is looked at again at the pong of this ping: by then everything in it was written under it.
    round_ends: u64,
    /// Whether the window was used up in this round.
    was_full: bool,
}

impl Flight {
    pub(super) fn new() -> Flight {
        Flight {
            window: FLIGHT_BYTES_START,
            on_its_way: 0,
            marks: VecDeque::new(),
            last_ping: 0,
            uncovered: Amount::default(),
            ping_due: None,
            deaf_until: None,
            answered_at: None,
            shortest: None,
            round_ends: 1,
            was_full: false,
        }
    }

    /// Whether a state out of a file can be one: what is on its way is what is behind the pings, and what no ping covers.
    pub(super) fn is_consistent(&self) -> bool {
        let covered = self.marks.iter().map(|mark| mark.bytes);
        is_sum(self.on_its_way, covered.chain([self.uncovered.bytes as u64]))
            && self.window <= FLIGHT_BYTES_MAX
            && [self.last_ping, self.round_ends, self.uncovered.messages as u64].into_iter().all(is_small)
    }

    /// The link is gone, and on another one nothing is on its way. If it had become silent, perhaps that was too much for
    /// it.
    pub(super) fn ended(&mut self, silent: bool) {
        if silent && self.on_its_way > 0 {
            self.window = (self.window / 2).max(FLIGHT_BYTES_MIN);
        }
        let Flight { window, last_ping, .. } = *self;
        *self = Flight { window, last_ping, round_ends: last_ping + 1, ..Flight::new() };
    }

    /// Whether another message may be written. One that is larger than the window passes alone.
    pub(super) fn has_room(&self, planted: Planted) -> bool {
        self.on_its_way < self.window || planted.is(Canary::FlightUnbounded)
    }

    /// A message is written.
    pub(super) fn wrote(&mut self, bytes: usize, now: Instant, config: &Config) {
        self.on_its_way += bytes as u64;
        self.was_full |= self.on_its_way >= self.window;
        self.uncovered.messages += 1;
        self.uncovered.bytes += bytes;
        if self.ping_due.is_none() {
            self.ping_due = Some(now + self.patience(config));
        }
    }

    /// How long what was written may be without a ping behind it. On a link whose pongs take long, one more ping a moment later
    /// confirms hardly anything sooner.
    fn patience(&self, config: &Config) -> Duration {
        let of_round_trip = self.shortest.unwrap_or_default() / BARRIER_ROUND_TRIP_SHARE;
        config.barrier_after.max(of_round_trip.min(BARRIER_ROUND_TRIP_MAX))
    }

    /// Whether so much was written since the last ping that the next one must not wait.
    pub(super) fn wants_ping(&self, config: &Config) -> bool {
        let Amount { messages, bytes } = self.uncovered;
        messages >= config.barrier_messages as usize || bytes as u64 >= self.window / 4
    }

    /// Whether anything was written since the last ping.
    pub(super) fn is_uncovered(&self) -> bool {
        self.uncovered.messages > 0
    }

    /// When a ping is due for the sake of what was written, at the latest.
    pub(super) fn ping_due(&self) -> Option<Instant> {
        self.ping_due
    }

    /// A ping goes out behind everything written so far, of which so many messages, ever, want to be confirmed. Returns
    /// its number.
    pub(super) fn pinged(&mut self, messages: u64, now: Instant) -> u64 {
        self.last_ping += 1;
        let newest = if self.marks.len() >= PINGS_MAX { self.marks.pop_back() } else { None };
        let bytes = core::mem::take(&mut self.uncovered).bytes as u64 + newest.map_or(0, |mark| mark.bytes);
        self.ping_due = None;
        self.marks.push_back(Mark { number: self.last_ping, at: now, messages, bytes });
        self.last_ping
    }

    /// The link is read again.
    pub(super) fn listens_again(&mut self, now: Instant) {
        self.deaf_until = Some(now);
    }

    /// The number of the last ping, ever.
    pub(super) fn last_ping(&self) -> u64 {
        self.last_ping
    }

    /// Since when pings have been without an answer that would have been heard. Whoever answers late, but one after the
    /// other, is not silent.
    pub(super) fn unanswered_since(&self) -> Option<Instant> {
        let oldest = self.marks.front()?.at;
        [self.deaf_until, self.answered_at].into_iter().flatten().chain([oldest]).max()
    }

    /// A pong came back. It covers all that was written before its ping, and any earlier ping with it: a peer may leave
    /// pongs out. `None` when no ping up to this one is on its way.
    pub(super) fn answered(&mut self, number: u64, now: Instant) -> Option<Answer> {
        let at = self.marks.partition_point(|mark| mark.number <= number).checked_sub(1)?;
        let mark = self.marks.get(at).copied().filter(|_| number <= self.last_ping)?;
        self.on_its_way -= self.marks.drain(..=at).map(|mark| mark.bytes).sum::<u64>();
        self.answered_at = Some(now);
        let listened = self.deaf_until.is_none_or(|until| until <= mark.at);
        let round_trip = listened.then(|| now.since(mark.at));
        self.shortest = self.shortest.into_iter().chain(round_trip).min();
        if mark.number >= self.round_ends {
            if let Some((round_trip, shortest)) = round_trip.zip(self.shortest) {
                self.adapt(round_trip.saturating_sub(shortest));
            }
            self.round_ends = self.last_ping + 1;
            self.was_full = false;
        }
        Some(Answer { messages: mark.messages, round_trip })
    }

    /// A round is over in which this was the time spent in queues.
    fn adapt(&mut self, queued: Duration) {
        let window = if queued > FLIGHT_DELAY {
            u128::from(self.window) * FLIGHT_DELAY.as_micros() / queued.as_micros()
        } else if self.was_full && queued <= FLIGHT_DELAY / 2 {
            u128::from(self.window) * 2
        } else {
            return;
        };
        self.window = (window.min(u128::from(FLIGHT_BYTES_MAX)) as u64).max(FLIGHT_BYTES_MIN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KB: usize = 1024;

    /// A link of so many bytes per second that answers every ping when all before it has arrived; a second passes at a
    /// time, in which as much is written as may be. Returns the window after each second.
    fn windows(bytes_per_second: u64, seconds: u64) -> alloc::vec::Vec<u64> {
        let config = Config::default();
        let mut flight = Flight::new();
        let (mut idle_at, mut now) = (0, 0);
        let mut pongs: VecDeque<(u64, u64)> = VecDeque::new();
        let mut windows = alloc::vec![];
        while now < seconds * 1_000_000 {
            now += 10_000;
            while pongs.front().is_some_and(|&(at, _)| at <= now) {
                let (at, number) = pongs.pop_front().unwrap_or_default();
                flight.answered(number, Instant(at));
            }
            while flight.has_room(Planted::default()) {
                flight.wrote(KB, Instant(now), &config);
                idle_at = idle_at.max(now) + KB as u64 * 1_000_000 / bytes_per_second;
                if flight.wants_ping(&config) {
                    pongs.push_back((idle_at + 1_000, flight.pinged(0, Instant(now))));
                }
            }
            if now % 1_000_000 == 0 {
                windows.push(flight.window);
            }
        }
        windows
    }

    #[test]
    fn a_fast_link_gets_all_there_is() {
        assert_eq!(windows(100 << 20, 2).last(), Some(&FLIGHT_BYTES_MAX));
    }

    #[test]
    fn a_slow_link_gets_what_it_carries_in_a_short_time() {
        for rate in [4 << 10, 16 << 10, 128 << 10] {
            for window in windows(rate, 60).split_off(20) {
                assert!((rate / 4..=rate * 4).contains(&window), "{window} at {rate} B/s");
            }
        }
    }

    #[test]
    fn what_is_larger_than_the_window_passes_alone() {
        let config = Config::default();
        let mut flight = Flight::new();
        flight.wrote(FLIGHT_BYTES_MAX as usize * 2, Instant(0), &config);
        assert!(!flight.has_room(Planted::default()) && flight.wants_ping(&config));
        let ping = flight.pinged(1, Instant(0));
        assert_eq!(flight.answered(ping + 1, Instant(5)), None, "no such ping");
        let answer = Answer { messages: 1, round_trip: Some(Duration::from_micros(5)) };
        assert_eq!(flight.answered(ping, Instant(5)), Some(answer));
        assert!(flight.has_room(Planted::default()));
    }

    #[test]
    fn a_ping_follows_later_where_pongs_take_long() {
        let config = Config::default();
        let check = |round_trip_ms: u64, due_ms: u64| {
            let mut flight = Flight::new();
            flight.wrote(KB, Instant(0), &config);
            let ping = flight.pinged(1, Instant(0));
            flight.answered(ping, Instant(round_trip_ms * 1000));
            flight.wrote(KB, Instant(60_000_000), &config);
            assert_eq!(flight.ping_due(), Some(Instant(60_000_000 + due_ms * 1000)), "{round_trip_ms} ms");
        };
        check(1, 50);
        check(200, 50);
        check(204, 51);
        check(600, 150);
        check(4_000, 1_000);
        check(8_000, 1_000);
    }

    #[test]
    fn nobody_listened() {
        let config = Config::default();
        let mut flight = Flight::new();
        flight.wrote(KB, Instant(0), &config);
        let ping = flight.pinged(1, Instant(0));
        assert_eq!(flight.unanswered_since(), Some(Instant(0)));
        flight.listens_again(Instant(9));
        assert_eq!(flight.unanswered_since(), Some(Instant(9)));
        assert_eq!(flight.answered(ping, Instant(9)), Some(Answer { messages: 1, round_trip: None }));
        let ping = flight.pinged(1, Instant(9));
        assert!(flight.answered(ping, Instant(12)).is_some_and(|answer| answer.round_trip.is_some()));
    }

    #[test]
    fn a_link_that_fell_silent_under_its_load_halves_the_window() {
        let mut flight = Flight::new();
        flight.wrote(KB, Instant(0), &Config::default());
        flight.ended(true);
        assert_eq!((flight.window, flight.on_its_way), (FLIGHT_BYTES_START / 2, 0));
        flight.ended(true);
        assert_eq!(flight.window, FLIGHT_BYTES_START / 2, "nothing was on its way");
    }
}
