//! What must be true once the faults have stopped, and after the shutdown.

use super::network::{Side, Way};
use super::{Event, World};
use crate::checks::Outcome;
use crate::scenario::Scenario;
use edgehub_core::cloud::CloudInput;
use edgehub_core::hub::LinkState;
use edgehub_core::{Config, Input, Instant};
use std::time::Duration;

const STEP: Duration = Duration::from_secs(1);

/// What nothing else accounts for: commands that a cloud module still wants to send, round trips, shutdowns.
const SPARE: Duration = Duration::from_secs(180);

/// A machine may get round to its shutdown late.
const STOPPED_WITHIN: Duration = Duration::from_secs(10);

impl World {
    /// Stops the faults and waits until everything is in order.
    pub(super) fn heal(&mut self, scenario: &Scenario) -> Outcome {
        self.log.transition(self.now, "heal", || "no more faults");
        self.mend();
        for id in self.network.live() {
            if self.network.link(id).zombie {
                self.evict(id)?;
            }
            self.send(id, Way::Up);
            self.send(id, Way::Down);
        }
        let within = self.healed_within(scenario);
        let end = self.now + within;
        while let Some(why) = self.out_of_order() {
            if self.now >= end {
                return Err(format!("liveness: {within:?} after the last fault {why}"));
            }
            self.until(self.now + STEP)?;
        }
        self.log.transition(self.now, "heal", || "all in order");
        Ok(())
    }

    /// No fault from now on. What was broken stays so until somebody finds out.
    fn mend(&mut self) {
        let now = self.now;
        for node in 0..self.edges.len() {
            let edge = &mut self.edges[node];
            edge.dials.clear();
            edge.unreachable_until = now;
            edge.conduct_until = now;
            edge.crash = None;
            edge.driver = super::edge::DriverFaults::default();
            edge.clock.heal(now);
            edge.store.mend(now);
            edge.timer = None;
            self.set_timer(node);
        }
        self.wake_modules();
        self.flapping = false;
        self.cloud.slow_until = now;
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

    /// How long a world without faults may take to be in order: a silent link is found out, a hung dial given up, the
    /// longest backoff waited for; requests end, stalled modules are found out; then what has gathered on both sides is
    /// sent, one acknowledged message after another.
    fn healed_within(&self, scenario: &Scenario) -> Duration {
        let mut longest = Duration::ZERO;
        for edge in &self.edges {
            let Config { ping_interval, ping_misses, open_timeout, backoff_max, stall_limit, rate, .. } =
                &edge.config;
            let queued = edge.hub.account().up.pending.saturating_add(1_000);
            let drained = rate.map_or(Duration::ZERO, |rate| {
                Duration::from_micros(queued * 1_000_000 / u64::from(rate.per_second.max(1)))
            });
            let found_out = *ping_interval * (ping_misses + 2);
            longest = longest.max((found_out + *open_timeout + *backoff_max) * 3 + *stall_limit + drained);
        }
        let commands = self.cloud.hub.account().down.pending as u32;
        // Where an acknowledgement finds no room, the next one is asked for by a resend.
        let tight = |config: &Config| config.outbox_messages < 256 || config.outbox_bytes < 256 * 1024;
        let again = u32::from(self.edges.iter().any(|edge| tight(&edge.config)));
        let each =
            self.latency * 2 + Duration::from_millis(1_100) + self.cloud_config.resend_interval * again;
        let delivered = each * commands;
        let resent = self.cloud_config.resend_interval * self.cloud_config.sends_max;
        longest + self.longest_wait + delivered + resent + scenario.longest_absence() + SPARE
    }

    /// What is still missing, with the reason that it waits for. What can never be is not asked for: a node that was
    /// told to stop, and nodes beyond CloudHub's limit.
    fn out_of_order(&self) -> Option<String> {
        if !self.cloud.up {
            return Some(String::from("CloudHub is down"));
        }
        let running = self.edges.iter().filter(|edge| !edge.stopped).count();
        let mut excused = running.saturating_sub(self.cloud_config.node_limit);
        let all_served = excused == 0 && running == self.edges.len();
        for edge in self.edges.iter().filter(|edge| !edge.stopped) {
            let (name, account, deadline) = (&edge.name, edge.hub.account(), edge.hub.next_deadline());
            if edge.down {
                return Some(format!("{name} does not run"));
            }
            if edge.hub.pending_requests() > 0 {
                let requests = edge.hub.pending_requests();
                return Some(format!("{name} has {requests} open requests, waiting for {deadline:?}"));
            }
            let state = edge.hub.link_state();
            let served = edge.link.is_some_and(|link| self.network.link(link).cloud == Side::Open);
            if (state != LinkState::Up || !served) && excused > 0 {
                excused -= 1;
                continue;
            }
            if state != LinkState::Up {
                return Some(format!("{name} is {state:?}, waiting for {deadline:?}"));
            }
            if account.up.pending > 0 || account.down.pending > 0 {
                let (up, down) = (account.up.pending, account.down.pending);
                return Some(format!(
                    "{name} holds {up} messages up and {down} down, waiting for {deadline:?}"
                ));
            }
            let waiting = self.cloud.checks.waiting(&edge.name);
            if waiting > 0 {
                let deadline = self.cloud.hub.next_deadline();
                return Some(format!("CloudHub has {waiting} messages for {name}, waiting for {deadline:?}"));
            }
            if !edge.intake {
                return Some(format!("{name} takes nothing from its modules, waiting for {deadline:?}"));
            }
        }
        let pending = self.cloud.hub.account().down.pending;
        let deadline = self.cloud.hub.next_deadline();
        (pending > 0 && all_served)
            .then(|| format!("CloudHub holds {pending} messages, waiting for {deadline:?}"))
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
                return Err(format!("shutdown: {} is {state:?}, waiting for {deadline:?}", edge.name));
            }
        }
        self.close_stores()?;
        if self.cloud.up {
            self.cloud_handle(CloudInput::Shutdown)?;
            if let Some(deadline) = self.cloud.hub.next_deadline() {
                return Err(format!("shutdown: CloudHub still waits for {deadline:?}"));
            }
        }
        Ok(())
    }

    /// A clock was changed: what was planned by it is planned again.
    pub(crate) fn clock_changed(&mut self, node: usize) -> Outcome {
        self.edges[node].timer = None;
        self.queue.plan(self.now, Event::Tick { node, sure: true });
        Ok(())
    }
}
