//! Links: a stream each way, with latency, room for so many bytes, and an end on each side that opens and closes by
//! itself.
//!
//! A stream loses nothing out of its middle: what is written arrives in order, later, or the whole link ends. What the
//! driver writes is `unsent` until there is room; then it is under way, and counts as flushed.

use edgehub_core::cloud::ConnectionId;
use edgehub_core::{Instant, LinkEpoch, Message};
use std::collections::VecDeque;

/// Bytes under way in one direction: socket buffers and what is between them.
const ROOM_BYTES: usize = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LinkId(pub(crate) usize);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Up,
    Down,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Edge,
    Cloud,
}

/// What one side knows of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Opening,
    Open,
    Closed,
}

#[derive(Debug)]
pub(crate) enum Frame {
    Message(Message),
    Ping(u64),
    Pong(u64),
    /// The end, told in order.
    Close,
}

impl Frame {
    fn bytes(&self) -> usize {
        match self {
            Frame::Message(message) => message.bytes(),
            _ => 16,
        }
    }
}

/// One direction.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    unsent: VecDeque<Frame>,
    under_way: VecDeque<(Instant, Frame)>,
    bytes: usize,
    /// Nothing arrives before.
    pub(crate) not_before: Instant,
    /// Nothing arrives ever again, and nobody notices.
    pub(crate) silent: bool,
    /// The receiver does not read.
    pub(crate) held: bool,
    /// An arrival is planned.
    planned: bool,
}

impl Stream {
    pub(crate) fn write(&mut self, frame: Frame) {
        self.unsent.push_back(frame);
    }

    /// Sends what there is room for, and returns how many messages and bytes of them that was.
    pub(crate) fn send(&mut self, mut arrival: impl FnMut() -> Instant) -> (usize, usize) {
        let (mut messages, mut bytes) = (0, 0);
        while self.bytes < ROOM_BYTES
            && let Some(frame) = self.unsent.pop_front()
        {
            self.bytes += frame.bytes();
            if let Frame::Message(message) = &frame {
                messages += 1;
                bytes += message.bytes();
            }
            self.not_before = self.not_before.max(arrival());
            self.under_way.push_back((self.not_before, frame));
        }
        (messages, bytes)
    }

    /// When to look for an arrival, if that is not planned yet.
    pub(crate) fn plan(&mut self) -> Option<Instant> {
        if self.planned || self.silent || self.held {
            return None;
        }
        let at = self.under_way.front()?.0;
        self.planned = true;
        Some(at)
    }

    /// The planned arrival.
    pub(crate) fn receive(&mut self) -> Option<Frame> {
        self.planned = false;
        if self.silent || self.held {
            return None;
        }
        let (_, frame) = self.under_way.pop_front()?;
        self.bytes -= frame.bytes();
        Some(frame)
    }

    /// What is under way is lost.
    pub(crate) fn cut(&mut self) {
        self.unsent.clear();
        self.under_way.clear();
        self.bytes = 0;
    }
}

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) node: usize,
    pub(crate) epoch: LinkEpoch,
    pub(crate) connection: ConnectionId,
    pub(crate) edge: Side,
    pub(crate) cloud: Side,
    pub(crate) up: Stream,
    pub(crate) down: Stream,
    /// Both ends will learn that it is over.
    pub(crate) cut: bool,
}

impl Link {
    pub(crate) fn stream(&mut self, way: Way) -> &mut Stream {
        match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        }
    }
}

/// Every link there ever was.
#[derive(Debug, Default)]
pub(crate) struct Network {
    links: Vec<Link>,
}

impl Network {
    pub(crate) fn link(&self, id: LinkId) -> &Link {
        &self.links[id.0]
    }

    pub(crate) fn link_mut(&mut self, id: LinkId) -> &mut Link {
        &mut self.links[id.0]
    }

    pub(crate) fn begin(&mut self, node: usize, epoch: LinkEpoch) -> LinkId {
        let id = LinkId(self.links.len());
        self.links.push(Link {
            node,
            epoch,
            // Numbered when CloudHub accepts it.
            connection: ConnectionId(0),
            edge: Side::Opening,
            cloud: Side::Opening,
            up: Stream::default(),
            down: Stream::default(),
            cut: false,
        });
        id
    }

    /// Links that at least one side takes for open.
    pub(crate) fn live(&self) -> Vec<LinkId> {
        let live = |link: &Link| !link.cut && (link.edge == Side::Open || link.cloud == Side::Open);
        self.links.iter().enumerate().filter(|(_, link)| live(link)).map(|(id, _)| LinkId(id)).collect()
    }

    /// The link of a connection that CloudHub takes for open.
    pub(crate) fn of(&self, connection: ConnectionId) -> Option<LinkId> {
        self.links
            .iter()
            .rposition(|link| link.cloud == Side::Open && link.connection == connection)
            .map(LinkId)
    }
}
