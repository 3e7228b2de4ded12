//! What must be true once the faults have stopped, and after the shutdown.

use super::edge::Udp;
use super::network::{Side, Way};
use super::{Event, World};
use crate::checks::{Broken, Outcome};
use crate::scenario::Scenario;
use edgehub_core::cloud::CloudInput;
use edgehub_core::config::LaneChoice;
use edgehub_core::{Input, Instant};
use std::time::Duration;

const STEP: Duration = Duration::from_secs(1);

/// A machine may get round to its shutdown late.
const STOPPED_WITHIN: Duration = Duration::from_secs(10);

impl World {
    /// Stops the faults and waits until everything is in order.
    pub(super) fn heal(&mut self) -> Outcome {
        self.log.transition(self.now, "heal", || "no more faults");
        self.mend();
        for id in self.network.live() {
            // A hub that does not ask would keep it for ever.
            let link = self.network.link(id);
            let edge = &self.edges[link.node];
            let asks = edge.config.probe.is_some() && edge.link == Some(id) && link.edge == Side::Open;
            if link.zombie && !asks {
                self.evict(id)?;
            }
            self.send(id, Way::Up);
            self.send(id, Way::Down);
        }
        // What a fault has begun may still upset what looks like order: with a clock that stood still, a heartbeat that comes
        // too late for CloudHub.
        let heartbeat = self.edges.iter().map(|edge| edge.config.heartbeat).max().unwrap_or_default();
        self.until(self.back_at().max(self.now + heartbeat))?;
        self.healed_at = self.now;
        let within = self.healed_within();
        while let Err(missing) = self.in_order().and_then(|()| self.answered()) {
            if self.now >= self.healed_at + within {
                let what = format!("{within:?} after the last fault {}", missing.what);
                return Err(Broken { what, ..missing });
            }
            self.until(self.now + STEP)?;
        }
        self.log.transition(self.now, "heal", || "all in order");
        Ok(())
    }

    /// Whether nobody waits for an answer that a fault may have taken: one that does not come ends a link later.
    fn answered(&self) -> Outcome {
        for (node, edge) in self.edges.iter().enumerate().filter(|(_, edge)| !edge.stopped) {
            if edge.hub.awaits_session() && self.served(node, edge).is_ok() {
                let what = format!("{} has asked for its session and has no answer", edge.name);
                return Err(Broken::new("liveness", "probe", what));
            }
        }
        Ok(())
    }

    /// No fault from now on. What was broken stays so until somebody finds out.
    pub(super) fn mend(&mut self) {
        let now = self.now;
        for node in 0..self.edges.len() {
            let edge = &mut self.edges[node];
            edge.dials.clear();
            edge.unreachable_until = now;
            edge.doors.iter_mut().for_each(|(until, _)| *until = now);
            // What is down starts with its first configuration.
            let config = if edge.down { &self.edge_config } else { &edge.config };
            if !edge.udp.stays || config.lanes.choice == LaneChoice::Quic {
                edge.udp = Udp::default();
            }
            edge.conduct_until = now;
            edge.crash = None;
            edge.driver = super::edge::DriverFaults::default();
            edge.clock.heal(now);
            edge.store.mend(now);
            edge.letters.mend(now);
            edge.timer = None;
            self.set_timer(node);
        }
        for number in 0..self.clouds.len() {
            let cloud = &mut self.clouds[number];
            cloud.clock.heal(now);
            (cloud.slow_until, cloud.too_old_until) = (now, now);
            self.cloud_clock_changed(number);
        }
        self.wake_modules();
        self.flapping = false;
        for link in &mut self.network.links {
            // A session that has yet to begin will be a real one.
            link.zombie &= link.cloud != Side::Opening;
            link.nat_idle = None;
            link.pongs_left_out = 0;
            for stream in [&mut link.up, &mut link.down] {
                stream.dies_after = None;
                stream.damage.clear();
                stream.exact.clear();
                stream.stuck_until = stream.stuck_until.min(now);
            }
        }
    }

    /// Every hub stops, within its grace and with closed books; then CloudHub.
    pub(super) fn shut_down(&mut self, scenario: &Scenario) -> Outcome {
        self.mend();
        for node in 0..self.edges.len() {
            if self.edges[node].down {
                // There is nobody to be told, and nobody starts it again.
                self.edges[node].stopped = true;
            }
            self.edge_handle(node, Input::Shutdown)?;
        }
        let longest_sleep = self.edges.iter().map(|edge| edge.asleep_until).max().unwrap_or(self.now);
        let grace = self.edges.iter().map(|edge| edge.config.shutdown_grace).max().unwrap_or_default();
        let end: Instant = longest_sleep.max(self.now) + grace.max(scenario.edge.shutdown_grace);
        self.until(end + STOPPED_WITHIN)?;
        for edge in self.edges.iter().filter(|edge| !edge.down) {
            if !edge.stopped || edge.hub.next_deadline().is_some() {
                let (state, deadline) = (edge.hub.link_state(), edge.hub.next_deadline());
                return Err(Broken::new(
                    "shutdown",
                    "edge",
                    format!("{} is {state:?}, waiting for {deadline:?}", edge.name),
                ));
            }
        }
        self.close_stores()?;
        for cloud in (0..self.clouds.len()).filter(|cloud| self.clouds[*cloud].up).collect::<Vec<_>>() {
            self.cloud_handle(cloud, CloudInput::Shutdown)?;
            if let Some(deadline) = self.clouds[cloud].hub.next_deadline() {
                return Err(Broken::new(
                    "shutdown",
                    "cloud",
                    format!("CloudHub still waits for {deadline:?}"),
                ));
            }
        }
        Ok(())
    }

    /// A clock was changed: what was planned by it is planned again.
    pub(crate) fn clock_changed(&mut self, node: usize) {
        self.edges[node].timer = None;
        self.queue.plan(self.now, Event::Tick { node, sure: true });
    }
}
