//! What a scene can do to a hub, and what is seen of it from outside.

use edgehub_core::message::operation;
use edgehub_core::{Draft, Instant, Message, UnixMillis};
use std::time::Duration;

/// The module in group `meta`, which the cloud's `resource` messages are for.
pub(super) const META: usize = 0;
/// The module in group `twin`.
pub(super) const TWIN: usize = 1;
/// Both: name and group.
pub(super) const MODULES: [(&str, &str); 2] = [("metaManager", "meta"), ("twin", "twin")];

/// A hub on the stage, with both modules joined, which take nothing until they say so. It dials when it likes; what
/// the network answers is the scene's business.
pub(super) trait Subject {
    /// Time passes; dials in between are accepted or refused, as the scene has said.
    fn pass(&mut self, length: Duration);
    /// From now on dials are accepted, or refused.
    fn cloud_accepts(&mut self, accepts: bool);
    /// From now on the cloud answers a query at the very instant at which it is written.
    fn cloud_is_quick(&mut self);
    /// A message of the cloud reaches the node's socket.
    fn arrives(&mut self, message: Message);
    /// The peer closes the link.
    fn link_closes(&mut self);
    /// The link goes silent: what is written vanishes, nothing arrives, nobody is told.
    fn link_goes_silent(&mut self);
    /// The link that was closed reports a second failure, late.
    fn old_link_fails_again(&mut self);
    /// A module sends.
    fn sends(&mut self, module: usize, message: Message);
    /// A module can take so many more messages.
    fn takes(&mut self, module: usize, messages: u32);
    /// What was seen.
    fn into_seen(self) -> Seen
    where
        Self: Sized;
}

/// What can be seen of a hub from outside.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// When it dialled.
    pub(super) dials: Vec<Instant>,
    /// What reached the cloud: when, and the message's id.
    pub(super) at_cloud: Vec<(Instant, String)>,
    /// What a module received: when, which module, and the message's id.
    pub(super) delivered: Vec<(Instant, usize, String)>,
    /// Ids of the messages that the hub said it dropped.
    pub(super) told: Vec<String>,
    /// A rule that did not hold on the way.
    pub(super) violation: Option<String>,
}

impl Seen {
    /// How many messages with an id of this kind a module received.
    pub(super) fn count_delivered(&self, module: usize, kind: &str) -> usize {
        self.delivered.iter().filter(|(_, to, id)| *to == module && id.starts_with(kind)).count()
    }

    /// How many messages with an id of this kind the hub said it dropped.
    pub(super) fn count_told(&self, kind: &str) -> usize {
        self.told.iter().filter(|id| id.starts_with(kind)).count()
    }

    /// When a message reached the cloud for the first time.
    pub(super) fn reached_cloud(&self, id: &str) -> Option<Instant> {
        self.at_cloud.iter().find(|(_, arrived)| arrived == id).map(|(at, _)| *at)
    }
}

/// What a scene's judge says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the hub behaved as it should.
    pub holds: bool,
    /// What was seen, in figures.
    pub observed: String,
}

/// A message with an id and little else.
fn message(draft: Draft<'_>) -> Message {
    let draft = Draft { timestamp: UnixMillis(1), resource: "default/pod/p", ..draft };
    // Short fields are within every limit.
    draft.encode().unwrap_or_else(|violation| unreachable!("{violation}"))
}

/// Data of a module for the cloud.
pub(super) fn data(id: &str) -> Message {
    message(Draft { msg_id: id, source: "twin", group: "twin", operation: "update", ..Draft::default() })
}

/// A module's question to the cloud.
pub(super) fn query(id: &str) -> Message {
    message(Draft {
        msg_id: id,
        source: "metaManager",
        group: "resource",
        operation: operation::QUERY,
        sync: true,
        ..Draft::default()
    })
}

/// The answer to a message, by its id: of the cloud to a query, or of a module to a command.
pub(super) fn answer(id: &str, parent: &str) -> Message {
    message(Draft {
        msg_id: id,
        parent_msg_id: parent,
        source: "edgecontroller",
        group: "resource",
        operation: operation::RESPONSE,
        ..Draft::default()
    })
}

/// A command of the cloud for a module.
pub(super) fn command(id: &str, module: usize) -> Message {
    let group = if module == META { "resource" } else { "twin" };
    message(Draft { msg_id: id, source: "edgecontroller", group, operation: "update", ..Draft::default() })
}
