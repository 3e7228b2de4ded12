//! CloudHub, and the driver around it.

use super::arrivals::Arrivals;
use super::cloud_modules::AskPlan;
use super::network::{LinkId, Side, Way};
use super::stream::Frame;
use super::{Event, World};
use crate::canary;
use crate::chance::{For, Salt};
use crate::checks::{CloudChecks, Outcome, is_probe};
use crate::scenario::Scenario;
use edgehub_core::cloud::{CloudConfig, CloudHub, CloudInput, CloudNote, CloudOutput, ConnectionId};
use edgehub_core::{Instant, Now};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Cloud {
    pub(crate) hub: CloudHub,
    pub(crate) up: bool,
    pub(crate) arrivals: Arrivals,
    /// What comes of the requests that were sent, by node and id.
    pub(super) asks: BTreeMap<(usize, u64), AskPlan>,
    /// Reads so much later, until then.
    pub(crate) slow_by: Duration,
    pub(crate) slow_until: Instant,
    /// It does not answer for its own authority until then.
    pub(crate) too_old_until: Instant,
    /// A copy of an earlier state, for a replica that is behind.
    replica: Option<(CloudHub, CloudChecks)>,
    /// The replica takes over when CloudHub is there again.
    fails_over: bool,
    pub(super) checks: CloudChecks,
    starts: u64,
    connections: u64,
    timer: Option<Instant>,
}

impl Cloud {
    pub(super) fn new(config: &CloudConfig, salt: Salt) -> Cloud {
        let now = Now::new(0, super::START_WALL_MS);
        Cloud {
            hub: canary::cloud(config.clone(), salt.draw(For::CloudSeed, [0; 3]), now),
            up: true,
            arrivals: Arrivals::default(),
            asks: BTreeMap::new(),
            slow_by: Duration::ZERO,
            slow_until: Instant(0),
            too_old_until: Instant(0),
            replica: None,
            fails_over: false,
            checks: CloudChecks::new(config),
            starts: 0,
            connections: 0,
            timer: None,
        }
    }

    pub(super) fn next_connection(&mut self) -> ConnectionId {
        self.connections += 1;
        ConnectionId(self.connections)
    }
}

impl World {
    pub(crate) fn cloud_handle(&mut self, input: CloudInput) -> Outcome {
        let now = self.cloud_now();
        let described = self.log.keeps_everything().then(|| format!("{input:?}"));
        let outputs = self.cloud.checks.handle(&mut self.cloud.hub, now, input)?;
        if let Some(input) = described {
            self.log.detail(self.now, "cloud", || format!("{input} → {outputs:?}"));
        }
        let mut touched: Vec<LinkId> = Vec::new();
        for output in outputs {
            match output {
                CloudOutput::Write { connection, message } => {
                    if let Some(link) = self.network.of(connection) {
                        self.network.link_mut(link).down.write(Frame::Message(message));
                        touched.push(link);
                    }
                }
                CloudOutput::Close { connection, reason } => {
                    self.log.transition(self.now, "cloud", || format!("closes {connection:?}: {reason:?}"));
                    if let Some(id) = self.network.of(connection) {
                        self.close_from_cloud(id);
                        touched.push(id);
                    }
                }
                CloudOutput::Upstream { node, message } => self.dispatch(&node, &message),
                CloudOutput::Acknowledged { .. } | CloudOutput::Note(CloudNote::KeptAlive { .. }) => {}
                CloudOutput::Note(note) => self.log.transition(self.now, "cloud", || format!("{note:?}")),
            }
        }
        touched.dedup();
        for link in touched {
            self.send(link, Way::Down);
        }
        self.set_cloud_timer();
        Ok(())
    }

    /// CloudHub wants the link closed: no close frame of the lane's own, just the end.
    pub(super) fn close_from_cloud(&mut self, id: LinkId) {
        let link = self.network.link_mut(id);
        link.cloud = Side::Closed;
        link.down.write(Frame::Close);
    }

    /// The cloud ends a link that nothing is wrong with.
    pub(crate) fn evict(&mut self, id: LinkId) -> Outcome {
        let link = self.network.link(id);
        if link.cloud != Side::Open {
            return Ok(());
        }
        let connection = link.connection;
        self.close_from_cloud(id);
        self.send(id, Way::Down);
        match connection {
            Some(connection) => self.cloud_handle(CloudInput::Closed { connection }),
            None => Ok(()),
        }
    }

    fn set_cloud_timer(&mut self) {
        let Some(deadline) = self.cloud.hub.next_deadline() else { return };
        let at = deadline.at.max(self.now);
        if self.cloud.timer.is_none_or(|timer| timer > at) {
            self.cloud.timer = Some(at);
            self.queue.plan(at, Event::CloudTick);
        }
    }

    pub(super) fn cloud_tick(&mut self) -> Outcome {
        if self.cloud.timer.is_none_or(|timer| timer > self.now) || !self.cloud.up {
            return Ok(());
        }
        self.cloud.timer = None;
        if self.cloud.hub.next_deadline().is_some_and(|deadline| deadline.at <= self.now) {
            return self.cloud_handle(CloudInput::Tick);
        }
        self.set_cloud_timer();
        Ok(())
    }

    pub(super) fn arrives_at_cloud(&mut self, id: LinkId, frame: Frame) -> Outcome {
        let link = self.network.link_mut(id);
        if link.cloud != Side::Open {
            return Ok(());
        }
        let (node, connection) = (link.node, link.connection);
        // What was damaged may have another id, and an older link's rest comes beside what a newer one brings.
        let ordered = matches!(frame, Frame::Message(_)) && self.edges[node].link == Some(id);
        let message = match frame {
            // Answered by the reader, after everything before it was handed on.
            Frame::Ping(number) => {
                self.answer_ping(id, number);
                return Ok(());
            }
            // Answered when what it counts is there.
            Frame::CountedPing(_) | Frame::Pong(_) => return Ok(()),
            Frame::Close => {
                link.cloud = Side::Closed;
                return match connection {
                    Some(connection) => self.cloud_handle(CloudInput::Closed { connection }),
                    None => Ok(()),
                };
            }
            frame => super::harm::read(frame),
        };
        match &message {
            Ok(message) if ordered => self.cloud.arrivals.arrived(node, message)?,
            Ok(message) => self.cloud.arrivals.excuse(node, message.msg_id()),
            Err(_) => {}
        }
        match (message, connection) {
            (Ok(message), Some(_)) if self.now < self.cloud.too_old_until && is_probe(&message) => Ok(()),
            (Ok(message), Some(connection)) => {
                self.cloud_handle(CloudInput::Received { connection, message })
            }
            (Err(violation), Some(connection)) => {
                self.cloud_handle(CloudInput::Malformed { connection, violation })
            }
            // A zombie reads, and nothing comes of it; what it cannot read ends it.
            (Ok(_), None) => Ok(()),
            (Err(_), None) => self.evict(id),
        }
    }

    /// The reader answers a ping, unless it leaves it out.
    pub(super) fn answer_ping(&mut self, id: LinkId, number: u64) {
        let link = self.network.link_mut(id);
        if link.cloud != Side::Open {
            return;
        }
        if link.pongs_left_out > 0 {
            link.pongs_left_out -= 1;
            return;
        }
        link.down.write(Frame::Pong(number));
        self.send(id, Way::Down);
    }

    /// The process is gone, with everything that it held.
    pub(crate) fn cloud_fails(&mut self, absence: Duration, fails_over: bool) {
        if !self.cloud.up {
            return;
        }
        self.cloud.up = false;
        self.cloud.timer = None;
        self.cloud.fails_over = fails_over;
        for id in self.network.live() {
            self.network.link_mut(id).cloud = Side::Closed;
            self.cut(id);
        }
        self.plan_in(absence, Event::CloudStarts);
    }

    /// Copies of CloudHub's state are made as long before each fail-over as its replica is behind.
    pub(super) fn cloud_snapshots(&mut self, scenario: &Scenario) {
        for action in
            scenario.actions.iter().filter(|action| action.verb.name == crate::faults::cloud::FAIL_OVER)
        {
            self.queue.plan(action.at - Duration::from_micros(action.values[1]), Event::Snapshot);
        }
    }

    pub(super) fn snapshot(&mut self) -> Outcome {
        if self.cloud.up {
            self.cloud.replica = Some((self.cloud.hub.clone(), self.cloud.checks.clone()));
        }
        Ok(())
    }

    pub(super) fn cloud_starts(&mut self) -> Outcome {
        let now = self.cloud_now();
        let cloud = &mut self.cloud;
        cloud.starts += 1;
        cloud.up = true;
        let seed = self.salt.draw(For::CloudSeed, [cloud.starts, 0, 0]);
        let replica = cloud.replica.take().filter(|_| cloud.fails_over);
        let config = &self.cloud_config;
        let fresh = || (canary::cloud(config.clone(), seed, now), CloudChecks::new(config));
        (cloud.hub, cloud.checks) = replica.unwrap_or_else(fresh);
        self.log.transition(self.now, "cloud", || "is there again");
        // A replica has none of the connections that its state speaks of.
        for connection in self.cloud.checks.connections() {
            self.cloud_handle(CloudInput::Closed { connection })?;
        }
        self.set_cloud_timer();
        Ok(())
    }
}
