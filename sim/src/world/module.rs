//! Modules: they join, send, ask, take what is delivered, and take their time.

use super::cloud_modules::AskPlan;
use super::{Event, World};
use crate::chance::For;
use crate::checks::{Outcome, class_of};
use crate::effects::Effect;
use crate::key;
use edgehub_core::hub::ReceiptId;
use edgehub_core::message::operation;
use edgehub_core::{Content, Draft, Input, Instant, Message, ModuleEvent, ModuleId, UnixMillis};
use std::time::Duration;

/// Messages that a module takes before it has to say that it can take more.
const CREDIT: u32 = 8;

/// The place of one that takes more of them than it may be handed, where they are large.
pub(crate) const GENEROUS: u64 = 1;

const CREDIT_OF_GENEROUS: u32 = 256;

/// Every module's name, as an action gives it.
pub(crate) const MODULES: [&str; 5] = ["metaManager", "twin", "eventbus", "servicebus", "taskmanager"];

const GROUPS: [&str; 5] = ["meta", "twin", "bus", "bus", "taskmanager"];

/// A module's place in its node; whoever holds it may leave and come back under another number.
#[derive(Debug)]
pub(crate) struct Module {
    name: &'static str,
    group: &'static str,
    pub(crate) id: Option<ModuleId>,
    /// The number of the latest message of each lane: bulk, control.
    latest: [u64; 2],
    /// Takes nothing until then.
    pub(crate) slow_until: Instant,
    /// Takes what comes and says nothing to it until then.
    pub(crate) silent_until: Instant,
    /// The id of the latest request.
    asked: String,
}

impl Module {
    pub(super) fn all() -> Vec<Module> {
        MODULES
            .into_iter()
            .zip(GROUPS)
            .map(|(name, group)| Module {
                name,
                group,
                id: None,
                latest: [0; 2],
                slow_until: Instant(0),
                silent_until: Instant(0),
                asked: String::new(),
            })
            .collect()
    }

    /// An id that names its sender and rises: the cloud can tell whether the order was kept. It follows from the
    /// action that it belongs to, not from what was sent before.
    fn next_id(&mut self, lane: usize, class: &str, entity: u64) -> String {
        let number = (entity * 1000).max(self.latest[lane] + 1);
        self.latest[lane] = number;
        format!("{}/{}/{class}/{number}", self.name, ["bulk", "control"][lane])
    }
}

/// What a module sends, from an action.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Speech {
    pub(crate) bytes: u64,
    pub(crate) elsewhere: bool,
    pub(crate) entity: u64,
    /// How the request is answered, how long it waits, and whether its id is a used one.
    pub(crate) ask: Option<(AskPlan, Option<Duration>, bool)>,
}

impl World {
    pub(crate) fn module_event(&mut self, node: usize, module: ModuleId, event: ModuleEvent) -> Outcome {
        self.edge_handle(node, Input::Module { module, event })
    }

    pub(super) fn join(&mut self, node: usize, module: usize) -> Outcome {
        let edge = &mut self.edges[node];
        if edge.stopped || edge.down || edge.modules[module].id.is_some() {
            return Ok(());
        }
        let id = ModuleId(edge.next_module);
        edge.next_module += 1;
        let Module { name, group, .. } = edge.modules[module];
        edge.modules[module].id = Some(id);
        let groups = vec![group.into()];
        let credit = if module as u64 == GENEROUS { CREDIT_OF_GENEROUS } else { CREDIT };
        let event = ModuleEvent::Joined { name: name.into(), groups, credit };
        self.module_event(node, id, event)
    }

    /// Whether a module has joined.
    pub(crate) fn is_there(&self, node: usize, module: usize) -> bool {
        self.edges[node].modules[module].id.is_some()
    }

    pub(crate) fn leave(&mut self, node: usize, module: usize, absence: Duration) -> Effect {
        let Some(id) = self.edges[node].modules[module].id.take() else { return Ok(false) };
        self.plan_in(absence, Event::ModuleRejoins { node, module });
        self.module_event(node, id, ModuleEvent::Left)?;
        Ok(true)
    }

    /// A module sends so many messages; whether it did send any.
    pub(crate) fn speaks(&mut self, node: usize, module: usize, speech: Speech, times: u64) -> Effect {
        (0..times).try_fold(false, |any, _| Ok(self.speak(node, module, speech)? || any))
    }

    /// A module sends a message, unless it may not or is not there.
    pub(crate) fn speak(&mut self, node: usize, module: usize, speech: Speech) -> Effect {
        let edge = &mut self.edges[node];
        let absent = edge.down || edge.stopped || edge.asleep_until > self.now;
        let Some(id) = edge.modules[module].id.filter(|_| edge.intake && !absent) else { return Ok(false) };
        let wall = edge.clock.read(self.salt, self.now).wall;
        let place = &mut edge.modules[module];
        let (name, group) = (place.name, place.group);
        let resource = format!("default/pod/p{}", speech.entity % 3);
        // What users send about one thing is of two classes.
        let group = match (name, group) {
            ("eventbus", _) if speech.ask.is_none() => "user",
            (_, "meta") => "resource",
            (_, group) => group,
        };
        let operation = match speech.ask {
            Some(_) => operation::QUERY,
            None if group == "user" && speech.entity % 5 < 2 => "upload",
            None => "update",
        };
        let draft = Draft {
            timestamp: wall,
            sync: speech.ask.is_some(),
            source: name,
            destination: if speech.elsewhere { "twin" } else { "websocket" },
            group,
            operation,
            resource: &resource,
            ..Draft::default()
        };
        let as_seen = draft.encode().map_err(|violation| violation.to_string())?;
        let classes = &edge.config.classes;
        let class = &*classes.classes[class_of(classes, &as_seen)].name;
        let msg_id = match speech.ask {
            Some((.., true)) if !place.asked.is_empty() => {
                self.arrivals.unordered(node, &place.asked);
                place.asked.clone()
            }
            _ => place.next_id(0, class, speech.entity),
        };
        if speech.ask.is_some() {
            place.asked.clone_from(&msg_id);
        }
        let content = Content::Text(self.content(speech.bytes));
        let message = Draft { msg_id: &msg_id, content, ..draft };
        let message = message.encode().map_err(|violation| violation.to_string())?;
        let timeout = speech.ask.and_then(|(_, timeout, _)| timeout);
        if let Some((plan, ..)) = speech.ask {
            let edge = &self.edges[node];
            let wait = timeout.unwrap_or(edge.config.sync_timeout).max(Duration::from_micros(1));
            let deadline = edge.clock.held() + wait;
            self.longest_wait = self.longest_wait.max(wait);
            self.asks.insert((node, key::of(&msg_id)), AskPlan { deadline, ..plan });
        }
        let receipt = speech.entity.is_multiple_of(2).then(|| {
            let edge = &mut self.edges[node];
            edge.next_receipt += 1;
            ReceiptId(edge.next_receipt)
        });
        self.module_event(node, id, ModuleEvent::Sent { message, timeout, receipt })?;
        Ok(true)
    }

    /// A message for a module: it takes a while, acknowledges what is not an answer, and can take another one.
    pub(super) fn deliver(&mut self, node: usize, module: ModuleId, message: Message, answer: bool) {
        let (salt, now) = (self.salt, self.now);
        let Some(place) = self.edges[node].place(module) else { return };
        let module_place = &self.edges[node].modules[place];
        let ids = [node as u64 * 8 + place as u64, key::of(message.msg_id()), now.0];
        if now < module_place.silent_until {
            // It is heard of again when its silence ends.
            let credit = u32::from(!answer);
            let event = Event::ModuleTook { node, module, credit, message: None };
            return self.queue.plan(module_place.silent_until, event);
        }
        let delay = salt.up_to_ms(if salt.is(50, For::Taking, ids) { 1_000 } else { 20 }, For::Taking, ids);
        let ready = (now + delay).max(module_place.slow_until + delay);
        let asks = !message.is_response() && message.operation() != operation::CONNECT;
        let message = asks.then(|| Box::new(message));
        self.queue.plan(ready, Event::ModuleTook { node, module, credit: u32::from(!answer), message });
    }

    pub(super) fn module_took(
        &mut self,
        node: usize,
        module: ModuleId,
        credit: u32,
        message: Option<Box<Message>>,
    ) -> Outcome {
        let now = self.now;
        let Some(place) = self.edges[node].place(module) else { return Ok(()) };
        if let Some(message) = message {
            let wall = self.edges[node].clock.read(self.salt, now).wall;
            let id = self.edges[node].modules[place].next_id(1, "control", now.0);
            let answer = Draft::response_to(&message, &id, UnixMillis(wall.0)).encode();
            let message = answer.map_err(|violation| violation.to_string())?;
            self.module_event(node, module, ModuleEvent::Sent { message, timeout: None, receipt: None })?;
        }
        match credit {
            0 => Ok(()),
            credit => self.module_event(node, module, ModuleEvent::Ready { credit }),
        }
    }

    /// Every module takes messages from now on.
    pub(super) fn wake_modules(&mut self) {
        for module in self.edges.iter_mut().flat_map(|edge| &mut edge.modules) {
            module.slow_until = Instant(0);
            module.silent_until = Instant(0);
        }
    }
}
