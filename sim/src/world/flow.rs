//! Frames on their way, and how a link ends.

use super::network::{End, LinkId, Side, Way};
use super::stream::Frame;
use super::{Event, World};
use crate::chance::For;
use crate::checks::Outcome;
use crate::faults::{closing, framing, silence};
use edgehub_core::cloud::CloudInput;
use edgehub_core::{Input, Instant, LinkEpoch, LinkEvent};
use std::time::Duration;

impl World {
    /// Sends what there is room for, and plans what comes of it.
    pub(crate) fn send(&mut self, id: LinkId, way: Way) {
        let World { network, edges, salt, now, clouds, arrivals, streams_apart, .. } = self;
        let link = network.link_mut(id);
        if link.cut {
            return link.stream(way).lose();
        }
        let (node, epoch, incarnation) = (link.node, link.epoch.0, link.incarnation);
        let edge = &edges[node];
        let conduct = if edge.conduct_until > *now { &edge.conduct } else { &edge.usual };
        let cloud = &clouds[link.leads_to];
        let slow = if way == Way::Up && cloud.slow_until > *now { cloud.slow_by } else { Duration::ZERO };
        let stream = link.stream(way);
        let ids = [node as u64, incarnation << 32 | epoch, way as u64];
        let (low, high) = conduct.latency;
        let latency =
            |frame: u64| slow + salt.between(low, high, For::Latency, [ids[0] << 1 | ids[2], ids[1], frame]);
        let behind = |frame: u64| {
            salt.between(Duration::ZERO, *streams_apart, For::Streams, [ids[0] << 1 | ids[2], ids[1], frame])
        };
        let sent = stream.send(*now, conduct, (latency, behind), |frame, damage| {
            if way == Way::Up
                && let Frame::Message(message) = frame
            {
                // Whatever becomes of it, it did come to the other side.
                arrivals.excuse(node, message.msg_id());
            }
            super::harm::harm(frame, damage);
        });
        let arrival: Option<Instant> = stream.plan();
        if sent.messages > 0 {
            let delay = salt.up_to_ms(2, For::Flush, [ids[0] << 1 | ids[2], ids[1], now.0]);
            let event = Event::Flushed { link: id, way, messages: sent.messages, bytes: sent.bytes };
            self.queue.plan(*now + delay, event);
        }
        if let Some(at) = arrival {
            self.queue.plan(at.max(self.now), Event::Arrives { link: id, way });
        }
        (0..sent.damaged).for_each(|_| self.took_effect(&framing::DAMAGE));
        if sent.severed && self.cut(id) {
            self.took_effect(&closing::CUT);
        }
    }

    pub(super) fn flushed(&mut self, id: LinkId, way: Way, messages: usize, bytes: usize) -> Outcome {
        let link = self.network.link(id);
        let (node, epoch, cloud) = (link.node, link.epoch, link.leads_to);
        let event = LinkEvent::Flushed { messages, bytes };
        match (way, link.connection) {
            (Way::Up, _) if link.edge == Side::Closed => self.late(id, event),
            (Way::Up, _) if link.incarnation != self.edges[node].incarnation => Ok(()),
            (Way::Up, _) => self.edge_handle(node, Input::Link { epoch, event }),
            (Way::Down, Some(connection)) if link.cloud == Side::Open => {
                self.cloud_handle(cloud, CloudInput::Flushed { connection, messages })
            }
            (Way::Down, _) => Ok(()),
        }
    }

    pub(super) fn arrives(&mut self, id: LinkId, way: Way) -> Outcome {
        let now = self.now;
        let link = self.network.link_mut(id);
        let frame = link.stream(way).receive(now);
        if let Some((frame, pongs)) = frame {
            link.crossed = now;
            match way {
                Way::Up => {
                    self.arrives_at_cloud(id, frame)?;
                    pongs.into_iter().for_each(|number| self.answer_ping(id, number));
                }
                Way::Down => self.arrives_at_edge(id, frame)?,
            }
        }
        self.send(id, way);
        Ok(())
    }

    fn arrives_at_edge(&mut self, id: LinkId, frame: Frame) -> Outcome {
        let link = self.network.link_mut(id);
        let (node, epoch) = (link.node, link.epoch);
        let closed = link.edge == Side::Closed;
        let event = match frame {
            Frame::Message(message) => LinkEvent::Received(message),
            Frame::Pong(number) => {
                link.last_pong = number;
                if let Some(lane) = &mut link.up.lane {
                    lane.answered(number);
                }
                LinkEvent::Pong(number)
            }
            // The driver's library answers pings.
            Frame::Ping(_) | Frame::CountedPing(_) => return Ok(()),
            Frame::Close => {
                link.edge = Side::Closed;
                LinkEvent::Closed
            }
            damaged => match super::harm::read(damaged) {
                Ok(message) => LinkEvent::Received(message),
                Err(violation) => LinkEvent::Malformed(violation),
            },
        };
        if closed {
            return self.late(id, event);
        }
        if link.incarnation != self.edges[node].incarnation {
            return Ok(());
        }
        self.edge_handle(node, Input::Link { epoch, event })
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

    /// What was under way is lost, and each side learns of the end at a time of its own.
    /// Whether it was not cut before.
    pub(crate) fn cut(&mut self, id: LinkId) -> bool {
        let now = self.now;
        let salt = self.salt;
        let link = self.network.link_mut(id);
        if link.cut {
            return false;
        }
        link.cut = true;
        link.up.lose();
        link.down.lose();
        let ids = |end| [link.node as u64, link.incarnation << 32 | link.epoch.0, end];
        let drawn = || (salt.up_to_ms(3_000, For::Told, ids(0)), salt.up_to_ms(3_000, For::Told, ids(1)));
        let (edge, cloud) = link.told.unwrap_or_else(drawn);
        self.plan_severed(id, End::Edge, now + edge);
        self.plan_severed(id, End::Cloud, now + cloud);
        true
    }

    pub(super) fn severed(&mut self, id: LinkId, end: End) -> Outcome {
        let link = self.network.link_mut(id);
        let (node, epoch, connection, cloud) = (link.node, link.epoch, link.connection, link.leads_to);
        match end {
            End::Edge if link.edge == Side::Closed => self.late(id, LinkEvent::Closed),
            End::Edge => {
                link.edge = Side::Closed;
                if link.incarnation != self.edges[node].incarnation {
                    return Ok(());
                }
                self.edge_handle(node, Input::Link { epoch, event: LinkEvent::Closed })
            }
            End::Cloud if link.cloud != Side::Open => Ok(()),
            End::Cloud => {
                link.cloud = Side::Closed;
                match connection {
                    Some(connection) => self.cloud_handle(cloud, CloudInput::Closed { connection }),
                    None => Ok(()),
                }
            }
        }
    }

    /// An event of a link that the hub has given up; half of the drivers are too late to know.
    pub(super) fn late(&mut self, id: LinkId, event: LinkEvent) -> Outcome {
        let link = self.network.link(id);
        let (node, epoch, incarnation) = (link.node, link.epoch, link.incarnation);
        let knows = self.salt.is(500, For::Driver, [node as u64, incarnation, epoch.0]);
        if knows || incarnation != self.edges[node].incarnation {
            return Ok(());
        }
        self.edge_handle(node, Input::Link { epoch, event })
    }

    /// Nothing crosses the node's link for a while; then everything does; then again.
    pub(crate) fn flap(&mut self, node: usize, times: u64, silent_us: u64, heard_us: u64) -> Outcome {
        if !self.flapping {
            return Ok(());
        }
        let until = self.now + Duration::from_micros(silent_us);
        if self.clog(node, &[Way::Up, Way::Down], until) {
            self.took_effect(&silence::FLAP);
        }
        if times > 1 {
            let again = Event::Flaps { node, times: times - 1, silent_us, heard_us };
            self.plan_in(Duration::from_micros(silent_us.saturating_add(heard_us)), again);
        }
        Ok(())
    }

    /// Nothing arrives on the node's link before then, if it has one.
    pub(crate) fn clog(&mut self, node: usize, ways: &[Way], until: Instant) -> bool {
        let Some(id) = self.edges[node].link else { return false };
        for &way in ways {
            self.network.link_mut(id).stream(way).clog(until);
        }
        self.network.link(id).lives()
    }

    /// A translator on the way looks whether the link is still used.
    pub(crate) fn nat_looks(&mut self, id: LinkId) {
        let now = self.now;
        let link = self.network.link_mut(id);
        let Some(idle) = link.nat_idle.filter(|_| link.lives()) else { return };
        if link.crossed + idle <= now {
            (link.up.silent, link.down.silent) = (true, true);
            self.log.transition(now, "nat", || "forgets the link");
            return self.took_effect(&silence::NAT);
        }
        let at = link.crossed + idle;
        self.queue.plan(at, Event::NatLooks { link: id });
    }
}
