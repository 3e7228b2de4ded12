//! How a link begins and ends.

use super::network::{End, Frame, LinkId, Side, Way};
use super::{Event, World};
use crate::checks::Outcome;
use edgehub_core::cloud::CloudInput;
use edgehub_core::{Input, Instant, LinkEpoch, LinkEvent};

impl World {
    /// The edge dials: refused, never answered, too late, or open after a round trip.
    pub(super) fn dial(&mut self, node: usize, epoch: LinkEpoch) {
        let chances = self.plan.chances.clone();
        let there = self.dice.between(self.plan.latency);
        let back = self.dice.between(self.plan.latency);
        if self.dice.chance(chances.open_refused) {
            return self.plan_in(there + back, Event::DialFailed { node, epoch });
        }
        let link = self.network.begin(node, epoch);
        self.edges[node].link = Some(link);
        if self.dice.chance(chances.open_hangs) {
            return;
        }
        let mut accepted = self.now + there;
        if self.dice.chance(chances.open_late) {
            accepted = accepted + self.plan.edge.open_timeout + self.dice.millis(0, 5_000);
        }
        self.network.link_mut(link).up.not_before = accepted;
        self.network.link_mut(link).down.not_before = accepted + back;
        self.queue.plan(accepted, Event::Accepted { link });
        self.queue.plan(accepted + back, Event::Dialled { link });
    }

    pub(super) fn accepted(&mut self, id: LinkId) -> Outcome {
        if !self.cloud.up {
            self.network.link_mut(id).cloud = Side::Closed;
            return Ok(());
        }
        let connection = self.cloud.next_connection();
        let link = self.network.link_mut(id);
        link.connection = connection;
        link.cloud = Side::Open;
        let node = self.edges[link.node].name.clone();
        self.cloud_handle(CloudInput::Connected { connection, node, project: "project".into() })
    }

    pub(super) fn dialled(&mut self, id: LinkId) -> Outcome {
        let link = self.network.link_mut(id);
        let (node, epoch) = (link.node, link.epoch);
        if link.edge == Side::Closed {
            return self.late(node, epoch, LinkEvent::Opened);
        }
        if link.cloud == Side::Opening || (link.cloud == Side::Closed && link.connection.0 == 0) {
            link.edge = Side::Closed;
            return self.edge_handle(node, Input::Link { epoch, event: LinkEvent::OpenFailed });
        }
        link.edge = Side::Open;
        self.edge_handle(node, Input::Link { epoch, event: LinkEvent::Opened })
    }

    pub(super) fn dial_failed(&mut self, node: usize, epoch: LinkEpoch) -> Outcome {
        self.edge_handle(node, Input::Link { epoch, event: LinkEvent::OpenFailed })
    }

    /// The hub wants the link closed.
    pub(super) fn close_from_edge(&mut self, node: usize, epoch: LinkEpoch) {
        let Some(id) = self.edges[node].link.filter(|&id| self.network.link(id).epoch == epoch) else {
            return;
        };
        let link = self.network.link_mut(id);
        link.edge = Side::Closed;
        link.up.write(Frame::Close);
        link.down.held = false;
        self.send(id, Way::Up);
        self.send(id, Way::Down);
    }

    /// CloudHub wants the link closed.
    pub(super) fn close_from_cloud(&mut self, id: LinkId) {
        let link = self.network.link_mut(id);
        link.cloud = Side::Closed;
        link.down.write(Frame::Close);
    }

    /// What was under way is lost, and each side learns of the end at a time of its own.
    pub(crate) fn cut(&mut self, id: LinkId) {
        let link = self.network.link_mut(id);
        link.cut = true;
        link.up.cut();
        link.down.cut();
        for end in [End::Edge, End::Cloud] {
            let delay = self.dice.millis(0, 3_000);
            self.plan_in(delay, Event::Severed { link: id, end });
        }
    }

    pub(super) fn severed(&mut self, id: LinkId, end: End) -> Outcome {
        let link = self.network.link_mut(id);
        let (node, epoch, connection) = (link.node, link.epoch, link.connection);
        match end {
            End::Edge if link.edge == Side::Closed => self.late(node, epoch, LinkEvent::Closed),
            End::Edge => {
                link.edge = Side::Closed;
                self.edge_handle(node, Input::Link { epoch, event: LinkEvent::Closed })
            }
            End::Cloud if link.cloud != Side::Open => Ok(()),
            End::Cloud => {
                link.cloud = Side::Closed;
                self.cloud_handle(CloudInput::Closed { connection })
            }
        }
    }

    /// An event of a link that the hub has given up; a driver may be too late to know.
    pub(super) fn late(&mut self, node: usize, epoch: LinkEpoch, event: LinkEvent) -> Outcome {
        if !self.dice.chance(self.plan.chances.late_event) {
            return Ok(());
        }
        self.edge_handle(node, Input::Link { epoch, event })
    }

    /// Sends what there is room for, and plans what comes of it.
    pub(super) fn send(&mut self, id: LinkId, way: Way) {
        let World { network, dice, plan, now, .. } = self;
        let link = network.link_mut(id);
        if link.cut {
            return link.stream(way).cut();
        }
        let stream = link.stream(way);
        let (messages, bytes) = stream.send(|| *now + dice.between(plan.latency));
        let arrival: Option<Instant> = stream.plan();
        if messages > 0 {
            let delay = self.dice.millis(0, 2);
            self.plan_in(delay, Event::Flushed { link: id, way, messages, bytes });
        }
        if let Some(at) = arrival {
            self.queue.plan(at.max(self.now), Event::Arrives { link: id, way });
        }
    }

    pub(super) fn flushed(&mut self, id: LinkId, way: Way, messages: usize, bytes: usize) -> Outcome {
        let link = self.network.link(id);
        let (node, epoch, connection) = (link.node, link.epoch, link.connection);
        let flushed = LinkEvent::Flushed { messages, bytes };
        match way {
            Way::Up if link.edge == Side::Closed => self.late(node, epoch, flushed),
            Way::Up => self.edge_handle(node, Input::Link { epoch, event: flushed }),
            Way::Down if link.cloud != Side::Open => Ok(()),
            Way::Down => self.cloud_handle(CloudInput::Flushed { connection, messages }),
        }
    }

    pub(super) fn arrives(&mut self, id: LinkId, way: Way) -> Outcome {
        let frame = self.network.link_mut(id).stream(way).receive();
        if let Some(frame) = frame {
            match way {
                Way::Up => self.arrives_at_cloud(id, frame)?,
                Way::Down => self.arrives_at_edge(id, frame)?,
            }
        }
        self.send(id, way);
        Ok(())
    }
}
