//! One direction of a link: a stream that loses nothing out of its middle.
//!
//! What is written arrives in order, later, or the whole link ends. What the driver writes is `unsent` until there is
//! room; then it is under way, and counts as flushed.

use super::lane::Lane;
use crate::key;
use bytes::Bytes;
use edgehub_core::package::Ping;
use edgehub_core::{Instant, Message};
use std::collections::VecDeque;
use std::time::Duration;

/// One frame.
#[derive(Debug, Clone)]
pub(crate) enum Frame {
    Message(Message),
    /// Bytes that something happened to; whoever receives them decodes them.
    Raw(Bytes),
    /// Longer than any frame may be.
    Oversize,
    /// No frame at all.
    Garbage,
    Ping(u64),
    /// A ping that says how many messages were written before it, by stream.
    CountedPing(Ping),
    Pong(u64),
    /// The end, told in order.
    Close,
}

impl Frame {
    pub(super) fn bytes(&self) -> usize {
        match self {
            Frame::Message(message) => message.bytes(),
            Frame::Raw(bytes) => bytes.len(),
            _ => 16,
        }
    }
}

/// What the way to the other side is like at present.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conduct {
    /// The range of a frame's latency.
    pub(crate) latency: (Duration, Duration),
    /// Bytes per second.
    pub(crate) rate: Option<u64>,
    /// Bytes under way: socket buffers and what is between them.
    pub(crate) room: usize,
    /// A frame comes in so many pieces, with a pause before each.
    pub(crate) pieces: u64,
    pub(crate) gap: Duration,
    /// Frames arrive only at multiples of this.
    pub(crate) every: Option<Duration>,
}

/// A change that is made to one of the next messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Damage {
    /// Messages that pass unharmed before.
    pub(crate) skip: u64,
    pub(crate) what: u64,
    pub(crate) at: u64,
}

/// What was sent in one go.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sent {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
    /// Messages that something happened to.
    pub(crate) damaged: usize,
    /// The link dies here.
    pub(crate) severed: bool,
}

/// One direction.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// It has several streams.
    pub(crate) lane: Option<Lane>,
    unsent: VecDeque<(Frame, Option<usize>)>,
    under_way: VecDeque<(Instant, Frame, Option<usize>)>,
    bytes: usize,
    /// Frames so far.
    frames: u64,
    /// Nothing arrives before.
    pub(crate) not_before: Instant,
    /// When a message or a pong last arrived; a ping says nothing of a keepalive that is overdue.
    pub(crate) heard: Instant,
    /// Nothing arrives ever again, and nobody notices.
    pub(crate) silent: bool,
    /// The receiver does not read.
    pub(crate) held: bool,
    /// An arrival is planned.
    planned: Option<Instant>,
    /// Frames that have arrived since the sender's operating system was asked last.
    arrived: u64,
    /// Until then the sender's operating system takes nothing more than so many frames.
    pub(crate) stuck_until: Instant,
    pub(crate) takes: u64,
    /// So many bytes still pass before the link dies.
    pub(crate) dies_after: Option<u64>,
    pub(crate) damage: VecDeque<Damage>,
    /// Messages, by the numbers of their ids, that arrive at a certain moment, if nothing before them is later.
    pub(crate) exact: Vec<(u64, Instant)>,
}

impl Stream {
    /// Frames under way that will arrive.
    pub(super) fn frames_to_come(&self) -> usize {
        if self.silent || self.held { 0 } else { self.under_way.len() }
    }

    pub(super) fn write(&mut self, frame: Frame) {
        let written = match &mut self.lane {
            Some(lane) => lane.write(frame),
            None => (frame, None),
        };
        self.unsent.push_back(written);
    }

    /// Sends what there is room for. `latency` draws the latency of a frame from its number, and `behind` by how much its stream is
    /// behind, if there are several.
    pub(super) fn send(
        &mut self,
        now: Instant,
        conduct: &Conduct,
        (latency, behind): (impl Fn(u64) -> Duration, impl Fn(u64) -> Duration),
        mut harm: impl FnMut(&mut Frame, Damage),
    ) -> Sent {
        let mut sent = Sent::default();
        while self.bytes < conduct.room
            && (self.stuck_until <= now || self.takes > 0)
            && let Some((mut frame, number)) = self.unsent.pop_front()
        {
            self.takes = self.takes.saturating_sub(1);
            let bytes = frame.bytes();
            if let Some(left) = &mut self.dies_after {
                if *left < bytes as u64 {
                    sent.severed = true;
                    return sent;
                }
                *left -= bytes as u64;
            }
            let mut exact = None;
            if let Frame::Message(message) = &frame {
                sent.messages += 1;
                sent.bytes += message.bytes();
                if !self.exact.is_empty() {
                    let key = key::of(message.msg_id());
                    let place = self.exact.iter().position(|(wanted, _)| *wanted == key);
                    exact = place.map(|place| self.exact.swap_remove(place).1);
                }
                if let Some(damage) = self.damage.front_mut() {
                    if damage.skip == 0 {
                        let damage = *damage;
                        self.damage.pop_front();
                        sent.damaged += 1;
                        harm(&mut frame, damage);
                    } else {
                        damage.skip -= 1;
                    }
                }
            }
            self.bytes += bytes;
            self.frames += 1;
            let mut arrival = now + latency(self.frames);
            if conduct.pieces > 0 {
                // The pieces of the next frame come after the last one of this.
                arrival = arrival.max(self.not_before) + conduct.gap * conduct.pieces as u32;
            }
            if let Some(rate) = conduct.rate {
                let length = Duration::from_micros(bytes as u64 * 1_000_000 / rate.max(1));
                arrival = arrival.max(self.not_before) + length;
            }
            if let Some(every) = conduct.every {
                let every = every.as_micros().max(1) as u64;
                arrival = Instant(arrival.0.div_ceil(every).saturating_mul(every));
            }
            self.not_before = self.not_before.max(exact.unwrap_or(arrival));
            let mut at = self.not_before;
            if let (Some(lane), Some(number)) = (&mut self.lane, number) {
                at = lane.arrival(number, at + behind(self.frames));
            }
            // The end comes last, on whatever stream.
            let last = self.under_way.back().map_or(at, |(at, ..)| *at);
            if matches!(frame, Frame::Close) {
                at = at.max(last);
            }
            let place = self.under_way.partition_point(|(other, ..)| *other <= at);
            self.under_way.insert(place, (at, frame, number));
        }
        sent
    }

    /// When to look for an arrival, if that is not planned yet.
    pub(super) fn plan(&mut self) -> Option<Instant> {
        if self.silent || self.held {
            return None;
        }
        let at = self.under_way.front()?.0;
        // What overtakes on another stream arrives before what is planned.
        if self.planned.is_some_and(|planned| planned <= at) {
            return None;
        }
        self.planned = Some(at);
        Some(at)
    }

    /// When the last of what is under way arrives, if anything arrives at all.
    pub(super) fn empty_at(&self) -> Instant {
        self.under_way.back().filter(|_| !self.silent).map_or(Instant(0), |(at, ..)| *at)
    }

    /// The planned arrival, if its time has really come, and the numbers of the pings that can be answered when it is handed on.
    pub(super) fn receive(&mut self, now: Instant) -> Option<(Frame, Vec<u64>)> {
        self.planned = None;
        if self.silent || self.held || self.under_way.front()?.0 > now {
            return None;
        }
        let (_, frame, number) = self.under_way.pop_front()?;
        self.arrived += 1;
        if matches!(frame, Frame::Message(_) | Frame::Pong(_)) {
            self.heard = now;
        }
        self.bytes -= frame.bytes().min(self.bytes);
        let pongs = self.lane.as_mut().map_or_else(Vec::new, |lane| lane.handed_on(&frame, number));
        Some((frame, pongs))
    }

    /// Whether something has arrived since this was asked last, and more is under way.
    pub(super) fn made_progress(&mut self) -> bool {
        std::mem::take(&mut self.arrived) > 0 && !self.under_way.is_empty()
    }

    /// Nothing arrives before then, not even what is under way.
    pub(crate) fn clog(&mut self, until: Instant) {
        self.not_before = self.not_before.max(until);
        for (at, ..) in &mut self.under_way {
            *at = (*at).max(until);
        }
    }

    /// What is under way is lost.
    pub(super) fn lose(&mut self) {
        self.unsent.clear();
        self.under_way.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When three frames that are sent at once arrive, in milliseconds.
    fn arrivals(pieces: u64) -> Vec<u64> {
        let latency = (Duration::ZERO, Duration::ZERO);
        let gap = Duration::from_millis(2);
        let conduct = Conduct { latency, rate: None, room: 1_000, pieces, gap, every: None };
        let mut stream = Stream::default();
        (0..3).for_each(|number| stream.write(Frame::Ping(number)));
        let latency = (|_| Duration::from_millis(10), |_| Duration::ZERO);
        stream.send(Instant(0), &conduct, latency, |_, _| {});
        stream.under_way.iter().map(|(at, ..)| at.0 / 1_000).collect()
    }

    /// A frame in pieces is not just a late one: the next one waits for its last piece.
    #[test]
    fn pieces_of_two_frames_do_not_mix() {
        assert_eq!(arrivals(0), [10, 10, 10]);
        assert_eq!(arrivals(5), [20, 30, 40]);
    }
}
