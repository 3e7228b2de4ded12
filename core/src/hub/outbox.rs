//! What is to be sent, in order, until the cloud has it.
//!
//! Control traffic (keepalives, acknowledgements, responses, link control answers) goes ahead of bulk, so that a flood
//! of data never makes the cloud resend what was long delivered (defect D8). A message that has been written stays here
//! until a pong confirms it: CloudHub answers a ping from its read loop, after it has handed on all that came before.
//! When the link is lost first, what was unconfirmed is queued again, in its old order and with its old id.

use super::sync_keeper::WaitId;
use super::view::Standing;
use crate::canary::{Canary, Planted};
use crate::limits::{CONTROL_QUEUE_MAX, PINGS_MAX};
use crate::message::{Message, operation};
use alloc::collections::VecDeque;
use serde::{Deserialize, Serialize};

/// Which way a message takes; the first lane that holds something goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Lane {
    /// Ours, and only meant for the link on which it was due: keepalive, link control answer. Never sent again, so
    /// never kept for a confirmation.
    Transient,
    /// An acknowledgement or response of a module.
    Control,
    /// Everything else; subject to the rate limit.
    Bulk,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) message: Message,
    pub(super) lane: Lane,
    /// The wait that hangs on it, if it is a sync request.
    pub(super) wait: Option<WaitId>,
}

/// A bound on the outbox.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Bounds {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Outbox {
    lanes: [VecDeque<Entry>; 3],
    unconfirmed: VecDeque<Entry>,
    /// Messages ever written; the last `unconfirmed.len()` of them are unconfirmed.
    written: u64,
    /// Pings on the way: number, and how much had been written before it.
    pings: VecDeque<(u64, u64)>,
    bytes: usize,
    bounds: Bounds,
    planted: Planted,
}

impl Outbox {
    pub(super) fn new(bounds: Bounds) -> Outbox {
        Outbox {
            lanes: Default::default(),
            unconfirmed: VecDeque::new(),
            written: 0,
            pings: VecDeque::new(),
            bytes: 0,
            bounds,
            planted: Planted::default(),
        }
    }

    #[cfg(feature = "canaries")]
    pub(super) fn plant(&mut self, planted: Planted) {
        self.planted = planted;
    }

    pub(super) fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// Messages queued or unconfirmed.
    pub(super) fn len(&self) -> usize {
        self.queued() + self.unconfirmed.len()
    }

    /// Messages queued.
    pub(super) fn queued(&self) -> usize {
        self.lanes.iter().map(VecDeque::len).sum()
    }

    pub(super) fn unconfirmed(&self) -> usize {
        self.unconfirmed.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Everything that it holds, in the order in which it was or will be written.
    pub(super) fn standing(&self) -> impl Iterator<Item = (Standing, &Entry)> {
        let unconfirmed = self.unconfirmed.iter().map(|entry| (Standing::Unconfirmed, entry));
        let lanes = self.lanes.iter().zip([Standing::Own, Standing::Control, Standing::Bulk]);
        unconfirmed.chain(lanes.flat_map(|(lane, standing)| lane.iter().map(move |entry| (standing, entry))))
    }

    /// The lane that goes next.
    pub(super) fn next_lane(&self) -> Option<Lane> {
        [Lane::Transient, Lane::Control, Lane::Bulk]
            .into_iter()
            .find(|&lane| !self.lanes[lane as usize].is_empty())
    }

    /// Whether more than this share (in 1/256) of either bound is used.
    pub(super) fn is_fuller_than(&self, share: usize) -> bool {
        let over = |used: usize, bound: usize| used.saturating_mul(256) > bound.saturating_mul(share);
        over(self.len(), self.bounds.messages) || over(self.bytes, self.bounds.bytes)
    }

    /// Queues a message. Returns what has to make room for it: the oldest of its kind that have not left, or the new
    /// one itself when they would not be enough.
    pub(super) fn push(&mut self, entry: Entry) -> VecDeque<Entry> {
        let lane = if entry.lane == Lane::Transient { Lane::Transient } else { Lane::Bulk };
        let Some(leaving) = self.to_make_room(&entry) else { return VecDeque::from([entry]) };
        // Most often nothing has to leave, and the hot path should not pay for collecting nothing.
        let room = match leaving {
            0 => VecDeque::new(),
            _ => self.lanes[lane as usize].drain(..leaving).collect::<VecDeque<Entry>>(),
        };
        self.bytes -= room.iter().map(|entry| entry.message.bytes()).sum::<usize>();
        self.bytes += entry.message.bytes();
        self.lanes[entry.lane as usize].push_back(entry);
        room
    }

    /// How many queued messages must leave so that this one can stay; `None` when even all of them are not enough.
    fn to_make_room(&self, entry: &Entry) -> Option<usize> {
        if entry.lane == Lane::Transient {
            return Some(usize::from(self.lanes[Lane::Transient as usize].len() >= CONTROL_QUEUE_MAX));
        }
        let (mut messages, mut bytes, mut leaving) = (self.len(), self.bytes, 0);
        let mut oldest = self.lanes[Lane::Bulk as usize].iter();
        // One message may be larger than all the room, when it is alone.
        while messages >= self.bounds.messages
            || (messages > 0 && bytes.saturating_add(entry.message.bytes()) > self.bounds.bytes)
        {
            bytes -= oldest.next()?.message.bytes();
            messages -= 1;
            leaving += 1;
        }
        Some(leaving)
    }

    /// Whether a keepalive message has not left yet.
    pub(super) fn holds_keepalive(&self) -> bool {
        let mut own = self.lanes[Lane::Transient as usize].iter();
        own.any(|entry| entry.message.operation() == operation::KEEPALIVE)
    }

    /// Takes the next message of a lane, for writing or for dropping.
    pub(super) fn pop(&mut self, lane: Lane) -> Option<Entry> {
        let entry = self.lanes[lane as usize].pop_front()?;
        self.bytes -= entry.message.bytes();
        Some(entry)
    }

    /// Takes the next message of a lane if it is one of these.
    pub(super) fn pop_if(&mut self, lane: Lane, is_one: impl FnOnce(&Entry) -> bool) -> Option<Entry> {
        if is_one(self.lanes[lane as usize].front()?) { self.pop(lane) } else { None }
    }

    /// A message goes out; it is kept until it is confirmed.
    pub(super) fn written(&mut self, entry: Entry) {
        self.bytes += entry.message.bytes();
        self.unconfirmed.push_back(entry);
        self.written += 1;
    }

    /// A ping goes out behind everything written so far.
    pub(super) fn pinged(&mut self, number: u64) {
        if self.pings.len() >= PINGS_MAX {
            self.pings.pop_back();
        }
        self.pings.push_back((number, self.written));
    }

    /// A pong came back. It confirms all that was written before its ping, and any earlier ping with it: a peer may
    /// leave pongs out. Returns how many messages it confirmed, or `None` when no ping up to this one is on its way.
    pub(super) fn confirm(&mut self, number: u64) -> Option<u64> {
        let at = self.pings.partition_point(|&(ping, _)| ping <= number).checked_sub(1)?;
        let (_, before) = self.pings[at];
        let written = if self.planted.is(Canary::PongConfirmsAll) { self.written } else { before };
        self.pings.drain(..=at);
        let first = self.written - self.unconfirmed.len() as u64;
        let confirmed = written.saturating_sub(first);
        for entry in self.unconfirmed.drain(..confirmed as usize) {
            if !self.planted.is(Canary::BytesForgotten) {
                self.bytes -= entry.message.bytes();
            }
        }
        Some(confirmed)
    }

    /// The link is gone: unconfirmed messages are queued again, first and in order. Returns what has no meaning on
    /// another link.
    pub(super) fn link_lost(&mut self) -> VecDeque<Entry> {
        self.pings.clear();
        if self.planted.is(Canary::OrderSwapped) {
            self.unconfirmed.make_contiguous().reverse();
        }
        while let Some(entry) = self.unconfirmed.pop_back() {
            self.lanes[entry.lane as usize].push_front(entry);
        }
        let transient = core::mem::take(&mut self.lanes[Lane::Transient as usize]);
        self.bytes -= transient.iter().map(|entry| entry.message.bytes()).sum::<usize>();
        transient
    }
}
