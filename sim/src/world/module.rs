//! What modules do: send, ask, acknowledge, and take their time.

use super::{Event, World};
use crate::checks::Outcome;
use edgehub_core::message::operation;
use edgehub_core::{Content, Draft, Input, Instant, Message, ModuleEvent, ModuleId};
use std::time::Duration;

/// Messages that a module takes before it has to say that it can take more.
const CREDIT: u32 = 8;

/// A module's place in its node; whoever holds it may leave and come back under another number.
#[derive(Debug)]
pub(crate) struct Module {
    name: &'static str,
    group: &'static str,
    pub(crate) id: Option<ModuleId>,
    sent: u64,
    /// Takes nothing until then.
    pub(crate) slow_until: Instant,
}

impl Module {
    pub(super) fn all() -> Vec<Module> {
        [
            ("metaManager", "meta"),
            ("twin", "twin"),
            ("eventbus", "bus"),
            ("servicebus", "bus"),
            ("taskmanager", "taskmanager"),
        ]
        .into_iter()
        .map(|(name, group)| Module { name, group, id: None, sent: 0, slow_until: Instant(0) })
        .collect()
    }

    /// Ids name their sender and count up: the cloud can tell whether the order was kept.
    fn next_id(&mut self, lane: &str) -> String {
        self.sent += 1;
        format!("{}/{lane}/{}", self.name, self.sent)
    }
}

impl World {
    fn module_event(&mut self, node: usize, module: ModuleId, event: ModuleEvent) -> Outcome {
        self.edge_handle(node, Input::Module { module, event })
    }

    pub(super) fn join(&mut self, node: usize, module: usize) -> Outcome {
        let edge = &mut self.edges[node];
        if edge.stopped || edge.modules[module].id.is_some() {
            return Ok(());
        }
        let id = ModuleId(edge.next_module);
        edge.next_module += 1;
        let Module { name, group, .. } = edge.modules[module];
        edge.modules[module].id = Some(id);
        let event = ModuleEvent::Joined { name: name.into(), groups: vec![group.into()], credit: CREDIT };
        self.module_event(node, id, event)
    }

    pub(crate) fn leave(&mut self, node: usize, module: usize) -> Outcome {
        let Some(id) = self.edges[node].modules[module].id.take() else { return Ok(()) };
        let absence = self.dice.millis(0, 5_000);
        self.plan_in(absence, Event::ModuleRejoins { node, module });
        self.module_event(node, id, ModuleEvent::Left)
    }

    pub(super) fn module_acts(&mut self, node: usize, module: usize) -> Outcome {
        if !self.busy {
            return Ok(());
        }
        let pause = self.dice.between(self.plan.module_pause);
        self.plan_in(pause, Event::ModuleActs { node, module });
        let (burst, asks) = (self.dice.chance(50), self.dice.chance(300));
        let now = self.clock(self.edges[node].wall_skew_ms);
        for _ in 0..if burst { 20 } else { 1 } {
            let text = "x".repeat(self.dice.number(0, 2_000) as usize);
            let timeout = (asks && self.dice.chance(300)).then(|| self.dice.millis(10, 20_000));
            let edge = &mut self.edges[node];
            let Some(id) = edge.modules[module].id.filter(|_| edge.intake && !edge.stopped) else {
                return Ok(());
            };
            let place = &mut edge.modules[module];
            let message = Draft {
                msg_id: &place.next_id("data"),
                timestamp: now.wall,
                sync: asks,
                source: place.name,
                destination: "websocket",
                group: if place.group == "meta" { "resource" } else { place.group },
                operation: if asks { operation::QUERY } else { "update" },
                resource: "default/pod/p",
                content: Content::Text(&text),
                ..Draft::default()
            };
            let message = message.encode().map_err(|violation| violation.to_string())?;
            self.module_event(node, id, ModuleEvent::Sent { message, timeout })?;
        }
        Ok(())
    }

    /// A message for a module: it takes a while, acknowledges what is not an answer, and can take another one.
    pub(super) fn deliver(&mut self, node: usize, module: ModuleId, message: Message, answer: bool) {
        let Some(place) = self.edges[node].place(module) else { return };
        let delay = if self.dice.chance(50) { self.dice.millis(0, 1_000) } else { self.dice.millis(0, 20) };
        let ready = (self.now + delay).max(self.edges[node].modules[place].slow_until + delay);
        let asks = !message.is_response() && message.operation() != operation::CONNECT;
        let message = asks.then_some(message);
        let event = Event::ModuleTook { node, module, credit: u32::from(!answer), message };
        self.queue.plan(ready, event);
    }

    pub(super) fn module_took(
        &mut self,
        node: usize,
        module: ModuleId,
        credit: u32,
        message: Option<Message>,
    ) -> Outcome {
        let now = self.clock(self.edges[node].wall_skew_ms);
        let Some(place) = self.edges[node].place(module) else { return Ok(()) };
        if let Some(message) = message {
            let id = self.edges[node].modules[place].next_id("control");
            let answer = Draft::response_to(&message, &id, now.wall).encode();
            let message = answer.map_err(|violation| violation.to_string())?;
            self.module_event(node, module, ModuleEvent::Sent { message, timeout: None })?;
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
        }
    }

    /// A module takes nothing for a while.
    pub(crate) fn slow_down(&mut self, node: usize, module: usize, length: Duration) {
        self.edges[node].modules[module].slow_until = self.now + length;
    }
}
