//! A message to a node is given up for a reason, and the reason is a claim.

use super::super::amount::Amount;
use super::{CloudChecks, Outcome, broken};
use crate::key;
use edgehub_core::cloud::{CloudDropReason, CloudInput, Delivery, NodeName};

impl CloudChecks {
    /// A message is given up: for a reason that is true.
    pub(super) fn dropped(
        &mut self,
        name: &NodeName,
        msg_id: &str,
        reason: CloudDropReason,
        input: &CloudInput,
    ) -> Outcome {
        let id = key::of(msg_id);
        let room =
            Amount { messages: self.config.node_queue_messages_max, bytes: self.config.node_queue_bytes_max };
        let stopping = self.stopping;
        let others = self.nodes.iter().filter(|(other, node)| {
            let is_busy = || self.sessions.values().any(|session| session.node == **other);
            **other != *name && (node.queue.len() > 0 || is_busy())
        });
        let table_full = others.count() >= self.config.known_nodes_max;
        let is_new = matches!(input, CloudInput::Send { message, .. } if message.msg_id() == msg_id);
        let acknowledged = matches!(input, CloudInput::Send { delivery: Delivery::Acknowledged, .. });
        let is_true = match reason {
            CloudDropReason::Shutdown => stopping && is_new,
            CloudDropReason::WithoutId => msg_id.is_empty() && acknowledged,
            CloudDropReason::NotConnected => is_new && !acknowledged && self.session_of(name).is_none(),
            // The session is over, and what it had went with it.
            CloudDropReason::Disconnected => {
                let place = self.lost.iter().position(|lost| *lost == id);
                place.map(|place| self.lost.remove(place)).is_some()
            }
            CloudDropReason::QueueFull if acknowledged => {
                is_new && (table_full || !self.node(name).queue.had_room(room))
            }
            CloudDropReason::QueueFull => {
                is_new
                    && self.session_of(name).is_some_and(|session| {
                        let sent = session.once.pop_back().map_or(0, |(_, bytes)| bytes);
                        !session.once.iter().map(|(_, bytes)| *bytes).collect::<Amount>().has_room(sent, room)
                    })
            }
            CloudDropReason::OlderVersion => self.node(name).queue.makes_old(id),
        };
        if !is_true {
            return broken("false-drop", format!("{msg_id} is dropped ({reason:?}), and that is not so"));
        }
        if is_new && acknowledged {
            self.node(name).queue.refuse();
        } else if !is_new && reason == CloudDropReason::OlderVersion {
            self.node(name).queue.take(id);
            self.landed(name, id);
        }
        Ok(())
    }
}
