//! What order is: every node is served by one link that carries both ways, and nothing waits.

use super::World;
use super::edge::Edge;
use super::network::{Link, LinkId, Side};
use crate::checks::{Broken, Outcome};
use edgehub_core::hub::LinkState;

impl World {
    /// What is still missing, with the reason that it waits for. What can never be is not asked for: a node that was
    /// told to stop, and nodes beyond CloudHub's limit.
    pub(super) fn in_order(&self) -> Outcome {
        if !self.clouds.iter().all(|cloud| cloud.up) {
            return missing("cloud", "a CloudHub is down".to_string());
        }
        let running = self.edges.iter().filter(|edge| !edge.stopped).count();
        let mut excused = running.saturating_sub(self.cloud_config.node_limit);
        let all_served = excused == 0 && running == self.edges.len();
        for (node, edge) in self.edges.iter().enumerate().filter(|(_, edge)| !edge.stopped) {
            if edge.down {
                return missing("edge", format!("{} does not run", edge.name));
            }
            let deadline = edge.hub.next_deadline();
            if edge.hub.pending_requests() > 0 {
                let requests = edge.hub.pending_requests();
                return missing(
                    "requests",
                    format!("{} has {requests} open requests, waiting for {deadline:?}", edge.name),
                );
            }
            let Err(Broken { rule, what, .. }) = self.served(node, edge) else { continue };
            let has_session = edge.link.is_some_and(|link| self.network.link(link).cloud == Side::Open);
            if (edge.hub.link_state() != LinkState::Up || !has_session) && excused > 0 {
                excused -= 1;
                continue;
            }
            return missing(rule, format!("{} {what}, waiting for {deadline:?}", edge.name));
        }
        // One of several keeps what it has for a node that is at another one.
        let [cloud] = self.clouds.as_slice() else { return Ok(()) };
        let pending = cloud.hub.account().down.pending;
        let deadline = cloud.hub.next_deadline();
        match pending > 0 && all_served {
            true => {
                missing("cloud-books", format!("CloudHub holds {pending} messages, waiting for {deadline:?}"))
            }
            false => Ok(()),
        }
    }

    /// The link by which a node is served, with nothing left to do on it; or why it is not.
    pub(super) fn served(&self, node: usize, edge: &Edge) -> Result<LinkId, Broken> {
        if edge.hub.link_state() != LinkState::Up {
            return missing("link-state", format!("is {:?}", edge.hub.link_state()));
        }
        let Some(id) = edge.link else { return missing("links", "is up without a link".to_string()) };
        // Of a link without a session nobody has to tell the cloud that it is over.
        let lives = |link: &&Link| link.lives() && !(link.zombie && link.edge == Side::Closed);
        let mut links = self.network.links.iter().filter(|link| link.node == node).filter(lives);
        match (links.next(), links.next()) {
            (Some(_), None) => {}
            (one, _) => {
                return missing(
                    "links",
                    format!("has {} link", if one.is_some() { "more than one" } else { "no" }),
                );
            }
        }
        let link = self.network.link(id);
        self.carries(link, edge)?;
        let account = edge.hub.account();
        let (up, down) = (account.up.pending, account.down.pending);
        if up > 0 || down > 0 {
            return missing("books", format!("holds {up} messages up and {down} down"));
        }
        let cloud = &self.clouds[link.leads_to];
        let waiting = cloud.checks.waiting(&edge.name);
        if waiting > 0 {
            let deadline = cloud.hub.next_deadline();
            return missing(
                "owed",
                format!("is owed {waiting} messages by CloudHub, which waits for {deadline:?}"),
            );
        }
        if !edge.intake {
            return missing("intake", "takes nothing from its modules".to_string());
        }
        Ok(id)
    }

    /// Both ends take this very link for open, CloudHub has a session on it, and something has come through each way
    /// since the faults stopped.
    fn carries(&self, link: &Link, edge: &Edge) -> Outcome {
        if link.edge != Side::Open || link.cloud != Side::Open || link.epoch != edge.hub.epoch() {
            return missing(
                "sides",
                format!("is up on {:?}, {:?} to it and {:?} to CloudHub", link.epoch, link.edge, link.cloud),
            );
        }
        match link.connection {
            Some(connection) if self.clouds[link.leads_to].checks.serves(connection, &edge.name) => {}
            connection => return missing("session", format!("is up, and {connection:?} has no session")),
        }
        for (way, stream) in [("up", &link.up), ("down", &link.down)] {
            if stream.heard < self.healed_at {
                return missing("one-way", format!("is up, and nothing comes {way}"));
            }
        }
        Ok(())
    }
}

/// What order lacks.
fn missing<T>(rule: &'static str, what: String) -> Result<T, Broken> {
    Err(Broken::new("liveness", rule, what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::LogKind;
    use crate::scenario::Scenario;
    use std::time::Duration;

    /// Does something to the link of a node that is up and has nothing to do, heals, and tells whether the node is
    /// served by that link afterwards.
    fn keeps_its_link(harm: impl Fn(&mut Link)) -> bool {
        let mut scenario = Scenario::quiet("order", Duration::from_secs(60));
        scenario.edge.backoff_max = Duration::from_secs(2);
        let mut world = World::new(&scenario, LogKind::Nothing);
        world.begin_edge(0).unwrap();
        world.until(edgehub_core::Instant(60_000_000)).unwrap();
        let before = world.edges[0].link.unwrap();
        harm(world.network.link_mut(before));
        world.heal().unwrap();
        let after = world.edges[0].link.unwrap();
        let link = world.network.link(after);
        assert!(!link.up.silent && !link.down.silent && link.edge == Side::Open && link.cloud == Side::Open);
        world.idle().unwrap();
        before == after
    }

    #[test]
    fn a_link_that_nothing_comes_through_is_no_order() {
        assert!(keeps_its_link(|_| {}));
        assert!(!keeps_its_link(|link| (link.up.silent, link.down.silent) = (true, true)));
        assert!(!keeps_its_link(|link| link.up.silent = true));
        assert!(!keeps_its_link(|link| link.down.silent = true));
        assert!(!keeps_its_link(|link| link.zombie = true));
    }
}
