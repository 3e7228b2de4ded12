//! From a step to the inputs that a driver would make of it.

use super::config::config;
use super::plan::{Act, Downstream, Upstream};
use super::words::{DESTINATIONS, DOWN_OPERATIONS, GROUPS, MODULE_GROUPS, NAMES, SOURCES, UP_OPERATIONS};
use super::{World, disk};
use edgehub_core::violation::Violation;
use edgehub_core::{Content, Draft, Input, LinkEpoch, LinkEvent, Message, ModuleEvent, ModuleId, UnixMillis};
use std::time::Duration;

impl World {
    fn link(&self, event: LinkEvent) -> Vec<Input> {
        vec![Input::Link { epoch: self.epoch, event }]
    }

    fn flush(&mut self, messages: usize) -> LinkEvent {
        let messages = messages.min(self.unflushed.len());
        LinkEvent::Flushed { messages, bytes: self.unflushed.drain(..messages).sum() }
    }

    pub(super) fn inputs_of(&mut self, act: &Act) -> Vec<Input> {
        match act {
            Act::Tick => vec![Input::Tick],
            Act::Serve => self.serve(),
            Act::Opened => self.link(LinkEvent::Opened),
            Act::OpenFailed => self.link(LinkEvent::OpenFailed),
            Act::Closed => self.link(LinkEvent::Closed),
            Act::Flush(messages) => {
                let event = self.flush(*messages);
                self.link(event)
            }
            Act::FlushTooMuch => self.link(LinkEvent::Flushed { messages: usize::MAX, bytes: usize::MAX }),
            Act::Pong(at) => match self.pings.get(*at).copied() {
                Some(number) => {
                    self.pings.drain(..=at);
                    self.link(LinkEvent::Pong(number))
                }
                None => vec![Input::Tick],
            },
            Act::PongOfNothing(number) => self.link(LinkEvent::Pong(*number)),
            Act::Receive(message) => {
                let message = self.downstream(message);
                self.link(LinkEvent::Received(message))
            }
            Act::Answer { request, group, error } => self.answer(*request, GROUPS[*group], *error),
            Act::Malformed(which) => self.link(LinkEvent::Malformed(
                [
                    Violation::Empty,
                    Violation::NotUtf8,
                    Violation::Framing,
                    Violation::FrameTooLarge { bytes: 1 << 30 },
                ][*which],
            )),
            Act::Stale { back, event } => self.stale(*back, *event),
            Act::Join { name, groups, credit } => vec![self.join(*name, *groups, *credit)],
            Act::Leave(module) => self.module(*module, ModuleEvent::Left),
            Act::Send(message) => self.send(message),
            Act::Flood { module, messages, size } => (0..*messages)
                .flat_map(|_| {
                    let message = self.message("update", "twin", "", *size, "websocket", false);
                    self.module(*module, ModuleEvent::Sent { message, timeout: None, receipt: None })
                })
                .collect(),
            Act::Torrent { messages, size } => (0..*messages)
                .flat_map(|_| {
                    let message = self.message("update", "twin", "", *size, "", false);
                    self.link(LinkEvent::Received(message))
                })
                .collect(),
            Act::Ready { module, credit } => self.module(*module, ModuleEvent::Ready { credit: *credit }),
            Act::Shutdown => vec![Input::Shutdown],
            Act::Renewed => vec![Input::Renewed],
            Act::Disk(events) => (0..*events).map_while(|_| self.disk.answer()).collect(),
            Act::DiskSays(event, number) => vec![Input::Journal(disk::nonsense(*event, *number))],
            Act::Reconfigure(which) => vec![Input::Reconfigure(Box::new(config(*which)))],
        }
    }

    fn serve(&mut self) -> Vec<Input> {
        if self.opening {
            return self.link(LinkEvent::Opened);
        }
        let flushed = self.flush(usize::MAX);
        let mut inputs = self.link(flushed);
        if let Some(number) = self.pings.pop() {
            self.pings.clear();
            inputs.extend(self.link(LinkEvent::Pong(number)));
        }
        inputs.extend(std::iter::from_fn(|| self.disk.answer()));
        inputs
    }

    fn stale(&mut self, back: u64, event: usize) -> Vec<Input> {
        let epoch = match back {
            0 => LinkEpoch(self.epoch.0 + 1),
            back => LinkEpoch(self.epoch.0.saturating_sub(back)),
        };
        let event = match event {
            0 => LinkEvent::Opened,
            1 => LinkEvent::OpenFailed,
            2 => LinkEvent::Closed,
            3 => LinkEvent::Pong(self.pings.first().copied().unwrap_or(1)),
            4 => LinkEvent::Flushed { messages: 1, bytes: 100 },
            5 => LinkEvent::Malformed(Violation::Framing),
            _ => LinkEvent::Received(self.message("insert", "resource", "", 10, "", false)),
        };
        vec![Input::Link { epoch, event }]
    }

    /// Module numbers are never used twice, names are.
    fn join(&mut self, name: usize, groups: u8, credit: u32) -> Input {
        let module = ModuleId(self.modules.len() as u32);
        self.modules.push(module);
        self.joined.push(module);
        let groups =
            MODULE_GROUPS.iter().enumerate().filter(|(at, _)| groups >> at & 1 == 1).map(|(_, &g)| g.into());
        let event = ModuleEvent::Joined { name: NAMES[name].into(), groups: groups.collect(), credit };
        Input::Module { module, event }
    }

    /// An event of a module: mostly of one that has joined, else of one that left or never came.
    fn module(&mut self, which: usize, event: ModuleEvent) -> Vec<Input> {
        let module = match (self.joined.len(), which) {
            (joined @ 1.., 0..=6) => self.joined[which % joined],
            _ => self.modules.get(which).copied().unwrap_or(ModuleId(9999)),
        };
        if event == ModuleEvent::Left {
            self.joined.retain(|&joined| joined != module);
        }
        vec![Input::Module { module, event }]
    }

    fn send(&mut self, upstream: &Upstream) -> Vec<Input> {
        if upstream.same_id {
            self.made = self.made.saturating_sub(1);
        }
        let operation = UP_OPERATIONS[upstream.operation];
        let destination = DESTINATIONS[upstream.destination];
        let message = self.message(operation, "meta", "", upstream.size, destination, upstream.sync);
        if upstream.sync {
            self.requests.push(message.clone());
        }
        let timeout = upstream.timeout_ms.map(Duration::from_millis);
        self.module(upstream.module, ModuleEvent::Sent { message, timeout, receipt: None })
    }

    fn answer(&mut self, request: usize, group: &str, error: bool) -> Vec<Input> {
        // The latest first: those still wait.
        let Some(at) = self.requests.len().checked_sub(request + 1) else { return vec![Input::Tick] };
        let request = self.requests[at].clone();
        let operation = if error { "error" } else { "response" };
        let message = self.message(operation, group, request.msg_id(), 20, "", false);
        self.link(LinkEvent::Received(message))
    }

    fn downstream(&mut self, message: &Downstream) -> Message {
        self.made += 1;
        let id = format!("m-{}", self.made);
        let content = text(message.size, self.made);
        let draft = Draft {
            msg_id: &id,
            parent_msg_id: if message.parent { "nobody-asked" } else { "" },
            timestamp: UnixMillis(5),
            source: SOURCES[message.source],
            group: GROUPS[message.group],
            operation: DOWN_OPERATIONS[message.operation],
            resource: "default/configmap/c",
            content: Content::Text(&content),
            ..Draft::default()
        };
        draft.encode().unwrap()
    }

    fn message(
        &mut self,
        operation: &str,
        group: &str,
        parent: &str,
        size: usize,
        destination: &str,
        sync: bool,
    ) -> Message {
        self.made += 1;
        let id = format!("m-{}", self.made);
        let content = text(size, self.made);
        let draft = Draft {
            msg_id: &id,
            parent_msg_id: parent,
            timestamp: UnixMillis(5),
            source: "edged",
            destination,
            group,
            operation,
            resource: "default/pod/p",
            sync,
            content: Content::Text(&content),
            ..Draft::default()
        };
        draft.encode().unwrap()
    }
}

/// A text of a length of its own, unlike the others.
fn text(size: usize, number: u64) -> String {
    let mut text = format!("{number}-");
    text.extend(std::iter::repeat_n('x', size));
    text
}
