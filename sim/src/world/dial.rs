//! How a link begins: refused, never answered, too late, or open after a round trip.

use super::edge::Edge;
use super::lane::Lane;
use super::network::{LinkId, Side};
use super::{Event, World};
use crate::chance::For;
use crate::checks::Outcome;
use crate::faults::opening;
use edgehub_core::cloud::CloudInput;
use edgehub_core::config::Lane as Carrier;
use edgehub_core::{Input, LinkEpoch, LinkEvent};
use std::time::Duration;

/// How a dial ends when it does not just succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DialPlan {
    pub(crate) outcome: u64,
    pub(crate) after: Duration,
}

impl DialPlan {
    /// The outcomes, as an action names them.
    pub(crate) const OUTCOMES: [&str; 8] =
        ["refused", "not-found", "tls", "hang", "late", "reset", "drops", "zombie"];
}

impl World {
    pub(super) fn dial(&mut self, node: usize, epoch: LinkEpoch, endpoint: usize, lane: Carrier) {
        let leads_to = endpoint % self.clouds.len();
        let edge = &mut self.edges[node];
        let incarnation = edge.incarnation;
        let ids = |part| [node as u64, incarnation << 32 | epoch.0, part];
        let (low, high) = (self.latency / 4, self.latency);
        let there = self.salt.between(low, high, For::Dial, ids(0));
        let back = self.salt.between(low, high, For::Dial, ids(1));
        let plan = edge.dials.pop_front();
        if plan.is_some() {
            self.took_effect(&opening::DIAL);
        }
        let after = plan.map_or(Duration::ZERO, |plan| plan.after);
        let outcome = plan.and_then(|plan| DialPlan::OUTCOMES.get(plan.outcome as usize)).copied();
        let udp = self.edges[node].blocked(lane, self.now);
        let Edge { unreachable_until, doors, door, lane: last_lane, .. } = &mut self.edges[node];
        *door = endpoint;
        *last_lane = lane;
        let shut = doors.get(endpoint).copied().filter(|(until, _)| *until > self.now);
        let swallowed = udp.is_some_and(|udp| !udp.refused && !udp.fades);
        let unreachable = *unreachable_until > self.now || shut.is_some_and(|(_, hangs)| hangs) || swallowed;
        let round_trip = there + back;
        let fails_after = match outcome {
            // Whoever knows the names is near, and says so even when the cloud is out of reach.
            Some("not-found") => Some(after),
            _ if unreachable => None,
            _ if shut.is_some() || udp.is_some_and(|udp| udp.refused) => Some(round_trip),
            Some("refused" | "reset") => Some(round_trip + after),
            // Nobody who is down answers a handshake; whoever does needs another round trip to be refused.
            Some("tls") => Some(if self.clouds[leads_to].up { round_trip * 2 } else { round_trip } + after),
            _ => None,
        };
        if let Some(after) = fails_after {
            let failed = Event::DialFailed { node, incarnation, epoch, closed: outcome == Some("reset") };
            return self.plan_in(after, failed);
        }
        let link = self.network.begin(node, incarnation, epoch, leads_to);
        if !self.streams_apart.is_zero() {
            self.network.link_mut(link).up.lane = Some(Lane::default());
        }
        self.edges[node].link = Some(link);
        if outcome == Some("hang") || unreachable {
            return;
        }
        let mut accepted = self.now + there;
        if outcome == Some("late") {
            accepted = accepted + self.edges[node].config.open_timeout + after;
        }
        let told = accepted + back;
        let begun = self.network.link_mut(link);
        begun.up.not_before = accepted;
        begun.down.not_before = told;
        begun.crossed = told;
        begun.zombie = outcome == Some("zombie");
        if udp.is_some_and(|udp| udp.fades) {
            begun.fall_silent();
        }
        self.queue.plan(accepted, Event::Accepted { link });
        self.queue.plan(told, Event::Dialled { link });
        if outcome == Some("drops") {
            self.plan_severed(link, super::End::Edge, told + after);
            self.plan_severed(link, super::End::Cloud, told + after);
        }
    }

    pub(super) fn accepted(&mut self, id: LinkId) -> Outcome {
        let link = self.network.link_mut(id);
        let cloud = link.leads_to;
        let up = self.clouds[cloud].up;
        if !up || link.edge == Side::Closed && link.cut {
            link.cloud = Side::Closed;
            return Ok(());
        }
        link.cloud = Side::Open;
        if link.zombie {
            return Ok(());
        }
        let node = link.node;
        let connection = self.next_connection();
        self.network.connect(id, connection);
        let node = self.edges[node].name.clone();
        self.cloud_handle(cloud, CloudInput::Connected { connection, node, project: "project".into() })
    }

    pub(super) fn dialled(&mut self, id: LinkId) -> Outcome {
        let link = self.network.link_mut(id);
        let (node, epoch) = (link.node, link.epoch);
        if link.edge == Side::Closed {
            return self.late(id, LinkEvent::Opened);
        }
        let accepted = link.cloud == Side::Open || link.connection.is_some();
        link.edge = if accepted { Side::Open } else { Side::Closed };
        let event = if accepted { LinkEvent::Opened } else { LinkEvent::OpenFailed };
        if self.network.link(id).incarnation != self.edges[node].incarnation {
            return Ok(());
        }
        self.edge_handle(node, Input::Link { epoch, event })
    }

    pub(super) fn dial_failed(
        &mut self,
        node: usize,
        incarnation: u64,
        epoch: LinkEpoch,
        closed: bool,
    ) -> Outcome {
        if incarnation != self.edges[node].incarnation {
            return Ok(());
        }
        let event = if closed { LinkEvent::Closed } else { LinkEvent::OpenFailed };
        self.edge_handle(node, Input::Link { epoch, event })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::LogKind;
    use crate::scenario::Scenario;
    use edgehub_core::Instant;
    use edgehub_core::hub::LinkState;

    /// When the hub learns that its first dial failed, in milliseconds, if it does within three seconds.
    fn fails_at(outcome: &str, unreachable: bool, cloud_up: bool) -> Option<u64> {
        let mut scenario = Scenario::quiet("dial", Duration::from_secs(60));
        scenario.latency = Duration::from_millis(400);
        let mut world = World::new(&scenario, LogKind::Nothing);
        let outcome = DialPlan::OUTCOMES.iter().position(|word| *word == outcome).unwrap() as u64;
        world.edges[0].dials.push_back(DialPlan { outcome, after: Duration::from_millis(5) });
        world.edges[0].unreachable_until = Instant(if unreachable { 3_000_000 } else { 0 });
        world.clouds[0].up = cloud_up;
        world.begin_edge(0).unwrap();
        (0..3_000).find(|at| {
            world.until(Instant(at * 1_000)).unwrap();
            world.edges[0].hub.link_state() == LinkState::Waiting
        })
    }

    /// The hub is told the same by all of them: what differs is when, and whether it is told at all.
    #[test]
    fn every_failure_has_its_own_time() {
        assert_eq!(fails_at("not-found", false, true), Some(5));
        let (refused, tls) =
            (fails_at("refused", false, true).unwrap(), fails_at("tls", false, true).unwrap());
        assert!((205..=805).contains(&refused), "one round trip: {refused}");
        // Times are looked at in whole milliseconds.
        assert!((tls - 5).abs_diff((refused - 5) * 2) <= 1, "two round trips: {tls}, {refused}");
        assert_eq!(fails_at("tls", false, false), Some(refused), "nobody is there to shake hands with");
        assert_eq!(fails_at("not-found", true, true), Some(5));
        assert_eq!(fails_at("refused", true, true), None, "nobody is heard from who cannot be reached");
        assert_eq!(fails_at("tls", true, true), None);
    }
}
