//! The newest resource versions that were accepted for a node.
//!
//! KubeEdge compares with its message store and with the ObjectSync objects of the cluster (`cloudhub/dispatcher`,
//! `enqueueAckMessage`); this machine has no cluster and remembers what it accepted itself.

use super::config::NODE_RESOURCES_MAX;
use crate::message::{Message, operation};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;

/// Removes an object; always sent, whatever its version.
const DELETE: &str = "delete";

/// Resource → version, for one node.
#[derive(Debug, Clone, Default)]
pub(super) struct Versions {
    newest: BTreeMap<Box<str>, u64>,
}

impl Versions {
    /// Whether a newer version of the same resource was accepted. Versions that are not numbers are never older, and
    /// neither are deletions and answers to the node's own requests.
    pub(super) fn makes_old(&self, message: &Message) -> bool {
        if matches!(message.operation(), DELETE | operation::RESPONSE) {
            return false;
        }
        match (self.newest.get(message.resource()), version(message)) {
            (Some(newest), Some(version)) => version < *newest,
            _ => false,
        }
    }

    pub(super) fn accept(&mut self, message: &Message) {
        let Some(version) = version(message) else { return };
        if let Some(newest) = self.newest.get_mut(message.resource()) {
            *newest = version.max(*newest);
            return;
        }
        if self.newest.len() >= NODE_RESOURCES_MAX {
            self.forget_oldest();
        }
        self.newest.insert(message.resource().into(), version);
    }

    /// The lowest version belongs to the object that has been unchanged for longest: Kubernetes counts versions for
    /// the whole cluster.
    fn forget_oldest(&mut self) {
        let oldest =
            self.newest.iter().min_by_key(|(_, version)| **version).map(|(resource, _)| resource.clone());
        if let Some(resource) = oldest {
            self.newest.remove(&resource);
        }
    }
}

fn version(message: &Message) -> Option<u64> {
    message.resource_version().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Draft;
    use alloc::format;

    fn message(operation: &str, resource: &str, resource_version: &str) -> Message {
        Draft { operation, resource, resource_version, ..Draft::default() }.encode().unwrap()
    }

    #[test]
    fn versions_compare_as_numbers() {
        let mut versions = Versions::default();
        versions.accept(&message("update", "a", "10"));
        for (operation, resource, version, old) in [
            ("update", "a", "9", true),
            ("update", "a", "10", false),
            ("update", "a", "11", false),
            ("update", "a", "", false),
            ("update", "a", "x", false),
            ("update", "b", "9", false),
            ("delete", "a", "9", false),
            ("response", "a", "9", false),
        ] {
            assert_eq!(
                versions.makes_old(&message(operation, resource, version)),
                old,
                "{operation} {resource} {version}"
            );
        }
        versions.accept(&message("delete", "a", "9"));
        assert!(versions.makes_old(&message("update", "a", "9")), "an old deletion does not turn time back");
    }

    #[test]
    fn the_table_is_bounded() {
        let mut versions = Versions::default();
        for version in 0..=NODE_RESOURCES_MAX {
            versions.accept(&message("update", &format!("r{version}"), &format!("{}", version + 1)));
        }
        assert_eq!(versions.newest.len(), NODE_RESOURCES_MAX);
        assert!(!versions.newest.contains_key("r0"));
    }
}
