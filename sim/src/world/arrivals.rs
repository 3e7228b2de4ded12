//! What has reached the cloud, in which order for the first time, and whether again. It outlives every CloudHub and every hub.

use crate::checks::{Broken, Outcome};
use crate::key;
use edgehub_core::Message;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    seen: BTreeSet<(usize, u64)>,
    /// The latest number of each sender's lane, group and resource.
    latest: BTreeMap<(usize, u64), u64>,
    /// Ids that were used twice: they have no place in the order.
    unordered: BTreeSet<(usize, u64)>,
    /// What hubs have given up, in the life of their process.
    dropped: BTreeSet<(usize, u64)>,
    /// What hubs know to be here, in the life of their process.
    confirmed: BTreeSet<(usize, u64)>,
}

impl Arrivals {
    pub(crate) fn contains(&self, node: usize, key: u64) -> bool {
        self.seen.contains(&(node, key))
    }

    /// Damaged on its way: it came, as far as the hub can know.
    pub(super) fn excuse(&mut self, node: usize, msg_id: &str) {
        self.seen.insert((node, key::of(msg_id)));
    }

    /// An id is used again.
    pub(super) fn unordered(&mut self, node: usize, msg_id: &str) {
        self.unordered.insert((node, key::of(msg_id)));
    }

    /// A hub has given a message up.
    pub(super) fn dropped(&mut self, node: usize, msg_id: &str) {
        self.dropped.insert((node, key::of(msg_id)));
    }

    /// A hub was told that these are here.
    pub(super) fn confirmed(&mut self, node: usize, keys: &[u64]) {
        self.confirmed.extend(keys.iter().map(|&key| (node, key)));
    }

    /// A node's process is over. The journal may bring back what had come to its end just before: what was dropped then has no place in
    /// the order, and what was confirmed comes again.
    pub(super) fn process_over(&mut self, node: usize) {
        self.unordered.extend(self.dropped.iter().filter(|(of, _)| *of == node));
        self.dropped.retain(|(of, _)| *of != node);
        self.confirmed.retain(|(of, _)| *of != node);
    }

    /// A message came. Messages of one source, group and resource come in order, whatever happened on the way.
    pub(super) fn arrived(&mut self, node: usize, message: &Message) -> Outcome {
        let id = message.msg_id();
        let key = key::of(id);
        if self.confirmed.contains(&(node, key)) && !self.unordered.contains(&(node, key)) {
            let detail = format!("{id} of node {node} came again, and its hub knew that it was here");
            return Err(Broken::new("duplicates", "again-after-confirmation", detail));
        }
        if !self.seen.insert((node, key)) || self.unordered.contains(&(node, key)) {
            return Ok(());
        }
        let Some((lane, number)) = id.rsplit_once('/') else { return Ok(()) };
        // Whatever its class is: that is said for whoever reads the log.
        let Some((lane, _class)) = lane.rsplit_once('/') else { return Ok(()) };
        let Ok(number) = number.parse::<u64>() else { return Ok(()) };
        // An answer may pass by what is none; among themselves they keep their order.
        let answer = message.is_response();
        let about = key::of(&format!("{lane}\n{}\n{}\n{answer}", message.group(), message.resource()));
        match self.latest.insert((node, about), number) {
            Some(before) if before >= number => Err(Broken::new(
                "order",
                "overtaken",
                format!("{id} of node {node} came after number {before}"),
            )),
            _ => Ok(()),
        }
    }
}
