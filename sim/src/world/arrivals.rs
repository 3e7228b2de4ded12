//! What has reached the cloud, and in which order for the first time. It outlives every CloudHub and every hub.

use crate::checks::{Broken, Outcome};
use crate::key;
use edgehub_core::Message;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    seen: BTreeSet<(usize, u64)>,
    /// The latest number of each sender's lane, class and resource.
    latest: BTreeMap<(usize, u64), u64>,
    /// Ids that were used twice: they have no place in the order.
    unordered: BTreeSet<(usize, u64)>,
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

    /// A message came. Messages of one source, group and resource come in order, whatever happened on the way.
    pub(super) fn arrived(&mut self, node: usize, message: &Message) -> Outcome {
        let id = message.msg_id();
        let key = key::of(id);
        if !self.seen.insert((node, key)) || self.unordered.contains(&(node, key)) {
            return Ok(());
        }
        let Some((lane, number)) = id.rsplit_once('/') else { return Ok(()) };
        let Ok(number) = number.parse::<u64>() else { return Ok(()) };
        match self.latest.insert((node, key::of(&format!("{lane}\n{}", message.resource()))), number) {
            Some(before) if before >= number => Err(Broken::new(
                "order",
                "overtaken",
                format!("{id} of node {node} came after number {before}"),
            )),
            _ => Ok(()),
        }
    }
}
