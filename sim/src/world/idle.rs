//! A world in order, with nothing to do, does little and stays in order: no wheel spins (livelock), every node keeps
//! the link by which it is served, and something comes through it both ways.

use super::{LinkId, World};
use crate::checks::{Broken, Outcome};
use edgehub_core::Instant;
use edgehub_core::config::LaneChoice;
use std::time::Duration;

/// What an idle hour does, a part of it does too.
const IDLE: Duration = Duration::from_secs(120);

impl World {
    /// Lets an idle time pass, and counts.
    pub(super) fn idle(&mut self) -> Outcome {
        self.nothing_is_left_under_way()?;
        let links = self.links_in_use();
        let before = self.report.events;
        // A node may be on its way back to its preferred endpoint, or to the better lane.
        let moves = self.edges.iter().any(|edge| {
            edge.config.endpoints.weights.len() > 1 || edge.config.lanes.choice == LaneChoice::Auto
        });
        // It is told there what waits for it.
        let owed = self.clouds.iter().map(|cloud| cloud.hub.account().down.pending).sum();
        let owed: u64 = if moves { owed } else { 0 };
        self.healed_at = self.now;
        self.until(self.now + IDLE)?;
        let events = self.report.events - before;
        let all_served = self.edges.len() <= self.cloud_config.node_limit;
        let allowed = self.edges.iter().map(|edge| {
            let times = |each: Duration| (IDLE.as_micros() / each.as_micros().max(1)) as u64 + 2;
            // A ping goes out, comes and is answered, and timers move on; a keepalive also asks for a ping.
            let kept = 12 * times(edge.config.ping_interval) + 40 * times(edge.config.heartbeat);
            // A question for the session does as much as a keepalive.
            let asked = edge.config.probe.as_ref().map_or(0, |probe| 40 * times(probe.after));
            let kept = kept + asked;
            // A node that CloudHub does not let in dials for ever, with waits that are half the longest on average, and sends each time
            // what it has.
            let again = 80 + 2 * edge.hub.account().up.pending;
            // Where it prefers to be it is not let in either: it goes there and back, each time later.
            let returns = if moves { 4 * again } else { 0 };
            if all_served { kept } else { kept + again * times(edge.config.backoff_max) + returns }
        });
        // What a slow module had taken before, it answers now.
        let allowed: u64 = allowed.sum::<u64>() + 150 + 12 * owed;
        if events > allowed {
            return Err(Broken::new(
                "livelock",
                "idle",
                format!("{events} events in {IDLE:?} with nothing to do; {allowed} would be many"),
            ));
        }
        let until = self.now + if moves { self.healed_within() } else { Duration::ZERO };
        while moves && self.in_order().is_err() && self.now < until {
            self.until(self.now + Duration::from_secs(1))?;
        }
        if let Err(missing) = self.in_order() {
            let what = format!("after {IDLE:?} with nothing to do {}", missing.what);
            return Err(Broken::new("unrest", missing.rule, what));
        }
        let after = self.links_in_use();
        if links != after && !moves {
            return Err(Broken::new(
                "unrest",
                "another-link",
                format!("with nothing to do the links in use went from {links:?} to {after:?}"),
            ));
        }
        Ok(())
    }

    /// What is under way on links that are over comes to nobody, and to its end: when the last of it is to arrive, or what was held
    /// back behind it.
    fn nothing_is_left_under_way(&mut self) -> Outcome {
        let over = |world: &World| {
            let over = world.network.links.iter().filter(|link| !link.lives());
            let ways = over.flat_map(|link| [&link.up, &link.down]);
            ways.fold((0, Instant(0)), |(left, last), way| {
                (left + way.frames_to_come(), last.max(way.empty_at()))
            })
        };
        let until = self.now.max(over(self).1) + self.healed_within();
        while over(self).0 > 0 {
            if self.now >= until {
                let what = format!("{} frames of links that are over are still under way", over(self).0);
                return Err(Broken::new("unrest", "leftovers", what));
            }
            self.until(self.now + Duration::from_secs(1))?;
        }
        Ok(())
    }

    /// The link of each node that is served.
    fn links_in_use(&self) -> Vec<(usize, LinkId)> {
        let nodes = self.edges.iter().enumerate().filter(|(_, edge)| !edge.stopped);
        nodes.filter_map(|(node, edge)| Some((node, self.served(node, edge).ok()?))).collect()
    }
}
