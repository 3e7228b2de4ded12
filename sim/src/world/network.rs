//! Links: two streams, and an end on each side that opens and closes by itself.

use super::stream::Stream;
use edgehub_core::cloud::ConnectionId;
use edgehub_core::{Instant, LinkEpoch};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LinkId(pub(crate) usize);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Up,
    Down,
}

impl Way {
    /// The ways that a word parameter of `both, up, down` means.
    pub(crate) fn of(word: u64) -> &'static [Way] {
        match word {
            0 => &[Way::Up, Way::Down],
            1 => &[Way::Up],
            _ => &[Way::Down],
        }
    }
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
pub(crate) struct Link {
    pub(crate) node: usize,
    pub(crate) epoch: LinkEpoch,
    /// Which start of the node's process opened it.
    pub(crate) incarnation: u64,
    /// Numbered when CloudHub accepts it.
    pub(crate) connection: Option<ConnectionId>,
    pub(crate) edge: Side,
    pub(crate) cloud: Side,
    /// The number of the CloudHub at that end.
    pub(crate) leads_to: usize,
    /// The cloud answers pings and reads, and has no session.
    pub(crate) zombie: bool,
    pub(crate) up: Stream,
    pub(crate) down: Stream,
    /// Both ends will learn that it is over.
    pub(crate) cut: bool,
    /// When each end learns that the link was cut.
    pub(crate) told: Option<(Duration, Duration)>,
    /// A translator on the way forgets the link when nothing crosses it for so long.
    pub(crate) nat_idle: Option<Duration>,
    pub(crate) crossed: Instant,
    /// The cloud leaves so many pongs out.
    pub(crate) pongs_left_out: u64,
    /// The last pong that was read, for one that comes again.
    pub(crate) last_pong: u64,
}

impl Link {
    pub(crate) fn stream(&mut self, way: Way) -> &mut Stream {
        match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        }
    }

    /// Nothing crosses it any more, and nobody is told.
    pub(crate) fn fall_silent(&mut self) {
        (self.up.silent, self.down.silent) = (true, true);
    }

    /// At least one side takes it for open.
    pub(crate) fn lives(&self) -> bool {
        !self.cut && (self.edge == Side::Open || self.cloud == Side::Open)
    }
}

/// Every link there ever was.
#[derive(Debug, Default)]
pub(crate) struct Network {
    pub(crate) links: Vec<Link>,
    connections: BTreeMap<ConnectionId, LinkId>,
}

impl Network {
    pub(crate) fn link(&self, id: LinkId) -> &Link {
        &self.links[id.0]
    }

    pub(crate) fn link_mut(&mut self, id: LinkId) -> &mut Link {
        &mut self.links[id.0]
    }

    pub(super) fn begin(
        &mut self,
        node: usize,
        incarnation: u64,
        epoch: LinkEpoch,
        leads_to: usize,
    ) -> LinkId {
        let id = LinkId(self.links.len());
        self.links.push(Link {
            node,
            epoch,
            incarnation,
            connection: None,
            edge: Side::Opening,
            cloud: Side::Opening,
            leads_to,
            zombie: false,
            up: Stream::default(),
            down: Stream::default(),
            cut: false,
            told: None,
            nat_idle: None,
            crossed: Instant(0),
            pongs_left_out: 0,
            last_pong: 0,
        });
        id
    }

    /// CloudHub has accepted a link.
    pub(super) fn connect(&mut self, id: LinkId, connection: ConnectionId) {
        self.link_mut(id).connection = Some(connection);
        self.connections.insert(connection, id);
    }

    /// Links that at least one side takes for open.
    pub(crate) fn live(&self) -> Vec<LinkId> {
        self.links.iter().enumerate().filter(|(_, link)| link.lives()).map(|(id, _)| LinkId(id)).collect()
    }

    /// … of those to this CloudHub.
    pub(crate) fn live_to(&self, cloud: usize) -> Vec<LinkId> {
        self.live().into_iter().filter(|id| self.link(*id).leads_to == cloud).collect()
    }

    /// The link of a connection that CloudHub takes for open.
    pub(super) fn of(&self, connection: ConnectionId) -> Option<LinkId> {
        let id = *self.connections.get(&connection)?;
        (self.link(id).cloud == Side::Open).then_some(id)
    }
}
