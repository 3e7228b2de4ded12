//! What must be true once the faults have stopped, and after the shutdown.

use super::{Event, World};
use crate::checks::Outcome;
use edgehub_core::Input;
use edgehub_core::cloud::CloudInput;
use edgehub_core::hub::LinkState;
use std::time::Duration;

/// How long a world without faults may take to be in order. A silent link is found out after 20 s, a hung dial after
/// 30 s, the longest backoff is 30 s, a sync request ends after 30 s; then what has gathered on both sides is sent,
/// one acknowledged message after another.
const HEALED_WITHIN: Duration = Duration::from_secs(15 * 60);

const STEP: Duration = Duration::from_secs(1);

impl World {
    /// Stops the faults and the talk, and waits until everything is in order.
    pub(super) fn heal(&mut self) -> Outcome {
        self.log.transition(self.now, "heal", || "no more faults");
        self.plan.heal();
        self.busy = false;
        self.wake_modules();
        let end = self.now + HEALED_WITHIN;
        while let Some(why) = self.out_of_order() {
            if self.now >= end {
                return Err(format!("liveness: {HEALED_WITHIN:?} after the last fault {why}"));
            }
            self.until(self.now + STEP)?;
        }
        self.log.transition(self.now, "heal", || "all in order");
        Ok(())
    }

    fn out_of_order(&self) -> Option<String> {
        let account = self.cloud.hub.account();
        if !self.cloud.up {
            return Some(String::from("CloudHub is down"));
        }
        for edge in &self.edges {
            let (name, account, deadline) = (&edge.name, edge.hub.account(), edge.hub.next_deadline());
            if edge.hub.link_state() != LinkState::Up {
                return Some(format!("{name} is {:?}, waiting for {deadline:?}", edge.hub.link_state()));
            }
            if account.up.pending > 0 || account.down.pending > 0 {
                let (up, down) = (account.up.pending, account.down.pending);
                return Some(format!(
                    "{name} holds {up} messages up and {down} down, waiting for {deadline:?}"
                ));
            }
            if edge.hub.pending_requests() > 0 {
                return Some(format!("{name} has {} open requests", edge.hub.pending_requests()));
            }
            if !edge.intake {
                return Some(format!("{name} takes nothing from its modules"));
            }
        }
        (account.down.pending > 0).then(|| format!("CloudHub holds {} messages", account.down.pending))
    }

    /// Every hub stops, within its grace and with closed books; then CloudHub.
    pub(super) fn shut_down(&mut self) -> Outcome {
        self.busy = false;
        for node in 0..self.edges.len() {
            self.edge_handle(node, Input::Shutdown)?;
        }
        // No machine falls asleep from now on. One that sleeps wakes up first; a tick may be two seconds late.
        self.plan.faults.clear();
        let longest_sleep = self.edges.iter().map(|edge| edge.asleep_until).max().unwrap_or(self.now);
        self.until(longest_sleep.max(self.now) + self.plan.edge.shutdown_grace + Duration::from_secs(3))?;
        for edge in &self.edges {
            if !edge.stopped || edge.hub.next_deadline().is_some() {
                let (state, deadline) = (edge.hub.link_state(), edge.hub.next_deadline());
                return Err(format!("shutdown: {} is {state:?}, waiting for {deadline:?}", edge.name));
            }
        }
        if self.cloud.up {
            self.cloud_handle(CloudInput::Shutdown)?;
        }
        if let Some(deadline) = self.cloud.hub.next_deadline().filter(|_| self.cloud.up) {
            return Err(format!("shutdown: CloudHub still waits for {deadline:?}"));
        }
        Ok(())
    }

    /// A machine sleeps: nothing happens there until it wakes.
    pub(crate) fn put_to_sleep(&mut self, node: usize, length: Duration) {
        let until = self.now + length;
        let edge = &mut self.edges[node];
        edge.asleep_until = edge.asleep_until.max(until);
        self.queue.plan(until, Event::Spurious { node });
    }
}
