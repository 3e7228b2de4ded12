//! CloudHub, and the driver around it.

use super::clock::Clock;
use super::network::{LinkId, Side, Way};
use super::stream::Frame;
use super::{Event, World};
use crate::canary;
use crate::chance::{For, Salt};
use crate::checks::{CloudChecks, Outcome, is_probe};
use crate::effects::Effect;
use crate::scenario::{NODES_MAX, Scenario};
use edgehub_core::Instant;
use edgehub_core::cloud::{CloudConfig, CloudHub, CloudInput, CloudNote, CloudOutput, ConnectionId};
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Cloud {
    pub(crate) hub: CloudHub,
    pub(crate) clock: Clock,
    /// As it is called in logs.
    name: String,
    pub(crate) up: bool,
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
    timer: Option<Instant>,
}

impl Cloud {
    pub(super) fn new(number: usize, config: &CloudConfig, salt: Salt) -> Cloud {
        let mut clock = Clock::new(NODES_MAX + number);
        let now = clock.read(salt, Instant(0));
        Cloud {
            hub: canary::cloud(config.clone(), salt.draw(For::CloudSeed, [0, number as u64, 0]), now),
            clock,
            name: if number == 0 { "cloud".into() } else { format!("cloud {number}") },
            up: true,
            slow_by: Duration::ZERO,
            slow_until: Instant(0),
            too_old_until: Instant(0),
            replica: None,
            fails_over: false,
            checks: CloudChecks::new(config, now),
            starts: 0,
            timer: None,
        }
    }
}

impl World {
    pub(super) fn next_connection(&mut self) -> ConnectionId {
        self.connections += 1;
        ConnectionId(self.connections)
    }

    /// The CloudHub at the other end of a node's latest link.
    pub(super) fn cloud_of(&self, node: usize) -> usize {
        self.edges[node].link.map_or(0, |link| self.network.link(link).leads_to)
    }

    pub(crate) fn cloud_handle(&mut self, cloud: usize, input: CloudInput) -> Outcome {
        let now = self.cloud_now(cloud);
        let described = self.log.keeps_everything().then(|| format!("{input:?}"));
        let Cloud { hub, checks, name, .. } = &mut self.clouds[cloud];
        let outputs = checks.handle(hub, now, input)?;
        let name = name.clone();
        if let Some(input) = described {
            self.log.detail(self.now, &name, || format!("{input} → {outputs:?}"));
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
                    self.log.transition(self.now, &name, || format!("closes {connection:?}: {reason:?}"));
                    if let Some(id) = self.network.of(connection) {
                        self.close_from_cloud(id);
                        touched.push(id);
                    }
                }
                CloudOutput::Upstream { node, message } => self.dispatch(cloud, &node, &message),
                CloudOutput::Acknowledged { .. } | CloudOutput::Note(CloudNote::KeptAlive { .. }) => {}
                CloudOutput::Note(note) => self.log.transition(self.now, &name, || format!("{note:?}")),
            }
        }
        touched.dedup();
        for link in touched {
            self.send(link, Way::Down);
        }
        self.set_cloud_timer(cloud);
        Ok(())
    }

    /// CloudHub wants the link closed: no close frame of the lane's own, just the end.
    pub(super) fn close_from_cloud(&mut self, id: LinkId) {
        let link = self.network.link_mut(id);
        link.cloud = Side::Closed;
        link.down.write(Frame::Close);
    }

    /// The cloud ends a link that nothing is wrong with, if it has it.
    pub(crate) fn evict(&mut self, id: LinkId) -> Effect {
        let link = self.network.link(id);
        if link.cloud != Side::Open {
            return Ok(false);
        }
        let (connection, cloud) = (link.connection, link.leads_to);
        self.close_from_cloud(id);
        self.send(id, Way::Down);
        if let Some(connection) = connection {
            self.cloud_handle(cloud, CloudInput::Closed { connection })?;
        }
        Ok(true)
    }

    fn set_cloud_timer(&mut self, cloud: usize) {
        let Cloud { hub, clock, timer, .. } = &mut self.clouds[cloud];
        let Some(deadline) = hub.next_deadline() else { return };
        let at = clock.shows(deadline.at).max(self.now);
        if timer.is_none_or(|timer| timer > at) {
            *timer = Some(at);
            self.queue.plan(at, Event::CloudTick { cloud });
        }
    }

    /// A cloud's clock was changed: what was planned by it is planned again. One that is gone plans nothing.
    pub(crate) fn cloud_clock_changed(&mut self, cloud: usize) {
        if !self.clouds[cloud].up {
            return;
        }
        self.clouds[cloud].timer = Some(self.now);
        self.queue.plan(self.now, Event::CloudTick { cloud });
    }

    pub(super) fn cloud_tick(&mut self, cloud: usize) -> Outcome {
        let Cloud { hub, clock, timer, up, .. } = &mut self.clouds[cloud];
        if timer.is_none_or(|timer| timer > self.now) || !*up {
            return Ok(());
        }
        *timer = None;
        if hub.next_deadline().is_some_and(|deadline| clock.shows(deadline.at) <= self.now) {
            return self.cloud_handle(cloud, CloudInput::Tick);
        }
        self.set_cloud_timer(cloud);
        Ok(())
    }

    pub(super) fn arrives_at_cloud(&mut self, id: LinkId, frame: Frame) -> Outcome {
        let link = self.network.link_mut(id);
        if link.cloud != Side::Open {
            return Ok(());
        }
        let (node, connection, cloud) = (link.node, link.connection, link.leads_to);
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
                    Some(connection) => self.cloud_handle(cloud, CloudInput::Closed { connection }),
                    None => Ok(()),
                };
            }
            frame => super::harm::read(frame),
        };
        match &message {
            Ok(message) if ordered => self.arrivals.arrived(node, message)?,
            Ok(message) => self.arrivals.excuse(node, message.msg_id()),
            Err(_) => {}
        }
        match (message, connection) {
            (Ok(message), Some(_)) if self.now < self.clouds[cloud].too_old_until && is_probe(&message) => {
                Ok(())
            }
            (Ok(message), Some(connection)) => {
                self.cloud_handle(cloud, CloudInput::Received { connection, message })
            }
            (Err(violation), Some(connection)) => {
                self.cloud_handle(cloud, CloudInput::Malformed { connection, violation })
            }
            // A zombie reads, and nothing comes of it; what it cannot read ends it.
            (Ok(_), None) => Ok(()),
            (Err(_), None) => self.evict(id).map(drop),
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

    /// The process is gone, with everything that it held, unless it is already.
    pub(crate) fn cloud_fails(&mut self, cloud: usize, absence: Duration, fails_over: bool) -> bool {
        let it = &mut self.clouds[cloud];
        if !it.up {
            return false;
        }
        (it.up, it.timer, it.fails_over) = (false, None, fails_over);
        for id in self.network.live_to(cloud) {
            self.network.link_mut(id).cloud = Side::Closed;
            self.cut(id);
        }
        self.plan_in(absence, Event::CloudStarts { cloud });
        true
    }

    /// Copies of a CloudHub's state are made as long before each fail-over as its replica is behind.
    pub(super) fn cloud_snapshots(&mut self, scenario: &Scenario) {
        for action in
            scenario.actions.iter().filter(|action| action.verb.name == crate::faults::cloud::FAIL_OVER)
        {
            let event = Event::Snapshot { cloud: action.node };
            self.queue.plan(action.at - Duration::from_micros(action.values[1]), event);
        }
    }

    pub(super) fn snapshot(&mut self, cloud: usize) -> Outcome {
        let Cloud { hub, checks, up, replica, .. } = &mut self.clouds[cloud];
        if *up {
            *replica = Some((hub.clone(), checks.clone()));
        }
        Ok(())
    }

    pub(super) fn cloud_starts(&mut self, cloud: usize) -> Outcome {
        let it = &mut self.clouds[cloud];
        let now = it.clock.read_anew(self.salt, self.now);
        it.starts += 1;
        it.up = true;
        let seed = self.salt.draw(For::CloudSeed, [it.starts, cloud as u64, 0]);
        let replica = it.replica.take().filter(|_| it.fails_over);
        let config = &self.cloud_config;
        let fresh = || (canary::cloud(config.clone(), seed, now), CloudChecks::new(config, now));
        (it.hub, it.checks) = replica.unwrap_or_else(fresh);
        self.log.transition(self.now, &it.name, || "is there again");
        // A replica has none of the connections that its state speaks of.
        for connection in self.clouds[cloud].checks.connections() {
            self.cloud_handle(cloud, CloudInput::Closed { connection })?;
        }
        self.set_cloud_timer(cloud);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::LogKind;
    use edgehub_core::hub::LinkState;

    /// The one that a node has left is alive, and takes it for connected until it hears of the end.
    #[test]
    fn a_node_can_be_at_two_clouds_at_once() {
        let mut scenario = Scenario::quiet("both", Duration::from_secs(60));
        scenario.clouds = 2;
        scenario.edge.endpoints.weights = vec![1, 1];
        let mut world = World::new(&scenario, LogKind::Nothing);
        world.begin_edge(0).unwrap();
        world.until(Instant(5_000_000)).unwrap();
        let sessions =
            |world: &World| [0, 1].map(|cloud: usize| world.clouds[cloud].checks.connections().len());
        assert_eq!((sessions(&world), world.cloud_of(0)), ([1, 0], 0));
        let link = world.edges[0].link.unwrap();
        world.network.link_mut(link).told = Some((Duration::ZERO, Duration::from_secs(30)));
        world.edges[0].doors[0] = (Instant(60_000_000), false);
        world.cut(link);
        world.until(Instant(25_000_000)).unwrap();
        assert_eq!(world.edges[0].hub.link_state(), LinkState::Up);
        assert_eq!((sessions(&world), world.cloud_of(0)), ([1, 1], 1));
        world.until(Instant(36_000_000)).unwrap();
        assert_eq!(sessions(&world), [0, 1]);
    }
}
