//! What is behind CloudHub: modules that send commands and answer requests, well or badly.

use super::{Event, World};
use crate::chance::For;
use crate::effects::Effect;
use crate::key;
use edgehub_core::cloud::{CloudInput, Delivery, NodeName};
use edgehub_core::message::operation;
use edgehub_core::{Content, Draft, Instant, Message};
use std::time::Duration;

/// How a request is answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AskPlan {
    /// One of [`AskPlan::ANSWERS`].
    pub(crate) answer: u64,
    /// After so long.
    pub(crate) after: Duration,
    /// The end of the wait, by the hub's clock.
    pub(crate) deadline: Instant,
}

impl AskPlan {
    /// The answers, as an action names them.
    pub(crate) const ANSWERS: [&str; 10] = [
        "prompt",
        "error",
        "never",
        "twice",
        "wrong-parent",
        "other-source",
        "before-deadline",
        "at-deadline",
        "after-deadline",
        Self::AT_ONCE,
    ];

    /// It is there in the moment in which the request is written, before that is known to be flushed.
    pub(crate) const AT_ONCE: &str = "at-once";

    fn word(&self) -> &'static str {
        Self::ANSWERS.get(self.answer as usize).copied().unwrap_or_default()
    }
}

/// Where commands go: an action's word, group, source, and whether somebody takes them.
const COMMANDS: [(&str, &str, &str, bool); 8] = [
    ("meta", "resource", "edgecontroller", true),
    ("twin", "twin", "devicecontroller", true),
    ("eventbus", "user", "router_eventbus", true),
    ("servicebus", "user", "router_servicebus", true),
    ("taskmanager", "taskmanager", "taskmanager", true),
    ("func", "func", "functionmanager", true),
    ("unknown-source", "user", "nobody", false),
    ("unknown-group", "unheard-of", "edgecontroller", false),
];

/// The words of [`COMMANDS`].
pub(crate) const COMMAND_WORDS: [&str; 8] =
    ["meta", "twin", "eventbus", "servicebus", "taskmanager", "func", "unknown-source", "unknown-group"];

fn answer_id(key: u64) -> String {
    format!("answer/{key:x}")
}
/// An older version is older by so much.
const VERSIONS_BEHIND: u64 = 30_000;

impl World {
    /// A cloud module gets a node's message; it answers questions, as the action that asked them says.
    pub(super) fn dispatch(&mut self, cloud: usize, name: &NodeName, message: &Message) {
        let Some(node) = self.edges.iter().position(|edge| edge.name == *name) else { return };
        if message.operation() != operation::QUERY {
            return;
        }
        let key = key::of(message.msg_id());
        let Some(plan) = self.asks.get(&(node, key)).copied() else { return };
        let word = plan.word();
        if ["never", AskPlan::AT_ONCE].contains(&word) {
            return;
        }
        let jitter = self.salt.up_to_ms(100, For::Answer, [node as u64, key, 0]);
        let id = answer_id(key);
        let wrong = format!("{}x", message.msg_id());
        let draft = Draft::response_to(message, &id, self.cloud_now(cloud).wall);
        let draft = match word {
            "error" => Draft { operation: operation::ERROR, ..draft },
            "wrong-parent" => Draft { parent_msg_id: &wrong, ..draft },
            "other-source" => Draft { source: "somebody", group: "unheard-of", ..draft },
            _ => draft,
        };
        let Ok(answer) = draft.encode() else { return };
        let edge = &mut self.edges[node];
        let deadline = edge.clock.shows(plan.deadline);
        let exact = match word {
            "before-deadline" => Some(deadline - Duration::from_micros(1)),
            "at-deadline" => Some(deadline),
            "after-deadline" => Some(deadline + Duration::from_micros(1)),
            _ => None,
        };
        let mut at = self.now + plan.after + jitter;
        if let Some(exact) = exact
            && let Some(link) = edge.link
        {
            at = (exact - Duration::from_millis(700)).max(self.now);
            self.network.link_mut(link).down.exact.push((key::of(&id), exact));
        }
        for again in 0..if word == "twice" { 2 } else { 1 } {
            let message = Box::new(answer.clone());
            let at = at + Duration::from_millis(again);
            self.queue.plan(at, Event::CloudAnswers { cloud, node, message });
        }
    }

    /// The answer to a request that is answered as soon as it is written.
    pub(super) fn answer_at_once(&mut self, node: usize, message: &Message) -> Option<Message> {
        let key = key::of(message.msg_id());
        let plan = self.asks.get(&(node, key))?;
        if plan.word() != AskPlan::AT_ONCE {
            return None;
        }
        let wall = self.cloud_now(self.cloud_of(node)).wall;
        Draft::response_to(message, &answer_id(key), wall).encode().ok()
    }

    pub(super) fn cloud_sends(
        &mut self,
        cloud: usize,
        node: usize,
        message: Message,
        acknowledged: bool,
    ) -> Effect {
        if !self.clouds[cloud].up {
            return Ok(false);
        }
        let node = self.edges[node].name.clone();
        let delivery = if acknowledged { Delivery::Acknowledged } else { Delivery::Unacknowledged };
        self.cloud_handle(cloud, CloudInput::Send { node, message, delivery })?;
        Ok(true)
    }

    /// A cloud module sends a command, by way of the CloudHub at which the node was last. Acknowledged delivery is for modules that answer: what nobody takes would be
    /// sent for ever.
    pub(crate) fn command(
        &mut self,
        node: usize,
        to: u64,
        acknowledged: bool,
        bytes: u64,
        entity: u64,
    ) -> Effect {
        let (word, group, source, taken) = COMMANDS[to as usize % COMMANDS.len()];
        let cloud = self.cloud_of(node);
        let id = format!("cloud/{word}/{entity}");
        let resource = format!("default/pod/p{}", entity % 3);
        // Now and then a module is behind.
        let behind = self.salt.is(50, For::Version, [node as u64, entity, 0]);
        let version = entity.saturating_sub(if behind { VERSIONS_BEHIND } else { 0 }).to_string();
        let message = Draft {
            msg_id: &id,
            timestamp: self.cloud_now(cloud).wall,
            source,
            group,
            operation: "update",
            resource: &resource,
            resource_version: &version,
            content: Content::Text(self.content(bytes)),
            ..Draft::default()
        };
        let message = message.encode().map_err(|violation| violation.to_string())?;
        self.cloud_sends(cloud, node, message, acknowledged && taken)
    }
}
