//! The table of nodes: who is connected, and what waits for whom.

use super::delivery::AcknowledgedDelivery;
use super::input::{ConnectionId, NodeName};
use alloc::collections::{BTreeMap, BTreeSet};

/// One node, connected or not.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) connection: Option<ConnectionId>,
    pub(super) delivery: AcknowledgedDelivery,
}

impl Node {
    fn is_idle(&self) -> bool {
        self.connection.is_none() && self.delivery.is_empty()
    }
}

/// A node's place in the table, or none left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TableFull;

/// Every node that is remembered. One that is idle (not connected, nothing queued) is kept for its resource versions,
/// until its place is needed.
#[derive(Debug, Clone, Default)]
pub(super) struct Nodes {
    nodes: BTreeMap<NodeName, Node>,
    idle: BTreeSet<NodeName>,
}

impl Nodes {
    pub(super) fn find(&self, name: &NodeName) -> Option<&Node> {
        self.nodes.get(name)
    }

    /// For changes that leave an idle node idle and any other busy.
    pub(super) fn find_mut(&mut self, name: &NodeName) -> Option<&mut Node> {
        self.nodes.get_mut(name)
    }

    /// The acknowledged messages of all nodes.
    pub(super) fn queued(&self) -> usize {
        self.nodes.values().map(|node| node.delivery.len()).sum()
    }

    /// Makes sure that the node has a place. Returns the idle node that had to make room, if one had to.
    pub(super) fn remember(
        &mut self,
        name: &NodeName,
        nodes_max: usize,
    ) -> Result<Option<NodeName>, TableFull> {
        if self.nodes.contains_key(name) {
            return Ok(None);
        }
        let mut forgotten = None;
        if self.nodes.len() >= nodes_max {
            let victim = self.idle.pop_first().ok_or(TableFull)?;
            self.nodes.remove(&victim);
            forgotten = Some(victim);
        }
        let node = Node { connection: None, delivery: AcknowledgedDelivery::new() };
        self.nodes.insert(name.clone(), node);
        self.idle.insert(name.clone());
        Ok(forgotten)
    }

    /// Applies a change that may make the node idle, or busy.
    pub(super) fn update<T>(&mut self, name: &NodeName, change: impl FnOnce(&mut Node) -> T) -> Option<T> {
        let node = self.nodes.get_mut(name)?;
        let outcome = change(node);
        if node.is_idle() {
            self.idle.insert(name.clone());
        } else {
            self.idle.remove(name);
        }
        Some(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_idle_nodes_make_room() {
        let (a, b, c) = (NodeName::from("a"), NodeName::from("b"), NodeName::from("c"));
        let mut nodes = Nodes::default();
        assert_eq!(nodes.remember(&a, 2), Ok(None));
        assert_eq!(nodes.remember(&b, 2), Ok(None));
        assert_eq!(nodes.remember(&b, 2), Ok(None));
        nodes.update(&a, |node| node.connection = Some(ConnectionId(1)));
        assert_eq!(nodes.remember(&c, 2), Ok(Some(b.clone())));
        nodes.update(&c, |node| node.connection = Some(ConnectionId(2)));
        assert_eq!(nodes.remember(&b, 2), Err(TableFull));
        nodes.update(&a, |node| node.connection = None);
        assert_eq!(nodes.remember(&b, 2), Ok(Some(a)));
    }
}
