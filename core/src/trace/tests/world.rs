//! A small world around a recorded hub: modules that send, a cloud that answers, links that end.

use crate::config::Config;
use crate::hub::{Hub, Input, LinkEpoch, LinkEvent, ModuleEvent, ModuleId, Output};
use crate::message::{Content, Draft, Message};
use crate::rng::Rng;
use crate::time::Now;
use crate::trace::{Contents, Header, Recorder};
use std::borrow::ToOwned;
use std::collections::VecDeque;
use std::time::Duration;
use std::vec::Vec;

pub(in crate::trace) struct World {
    pub(in crate::trace) hub: Hub,
    pub(in crate::trace) recorder: Recorder,
    pub(in crate::trace) file: Vec<u8>,
    /// Every input with all it led to.
    pub(in crate::trace) told: Vec<(Now, Input, Vec<Output>)>,
    /// Inputs between two drains.
    batch: usize,
    undrained: usize,
    rng: Rng,
    now: Now,
    epoch: LinkEpoch,
    opened: bool,
    unflushed: Vec<usize>,
    pings: VecDeque<u64>,
    ids: Vec<Message>,
}

pub(in crate::trace) const SECRET: &str = "hunter2";

impl World {
    pub(in crate::trace) fn new(seed: u64, contents: Contents, checkpoint_every: usize) -> World {
        // Not the hub's own numbers: its ids must be its own.
        let mut rng = Rng::new(seed ^ 0x5eed);
        let small = rng.below(2) == 0;
        let begin = Now::new(rng.below(1 << 40), 1_700_000_000_000);
        let config = Config {
            rate: None,
            outbox_messages: if small { 20 } else { 8192 },
            barrier_messages: 1 + rng.below(9) as u32,
            ..Config::default()
        };
        let header = Header { node: "edge-1".into(), seed, begin, contents, config, ..Header::default() };
        let recorder = Recorder::new(header.clone(), rng.next_u64(), checkpoint_every);
        let mut world = World {
            hub: Hub::new(header.config, seed, begin),
            file: recorder.head(),
            recorder,
            told: Vec::new(),
            batch: 1 + rng.below(3) as usize * 4,
            undrained: 0,
            rng,
            now: begin,
            epoch: LinkEpoch(0),
            opened: false,
            unflushed: Vec::new(),
            pings: VecDeque::new(),
            ids: Vec::new(),
        };
        world.drain(Input::Tick);
        world.join(0, "metamanager", "meta");
        world.join(1, "twin", "twin");
        world.join(2, "eventbus", "bus");
        world
    }

    /// Drains after each input, so that each output has its own.
    pub(in crate::trace) fn drains_each(mut self) -> World {
        self.batch = 1;
        self
    }

    fn join(&mut self, module: u32, name: &str, group: &str) {
        let joined = ModuleEvent::Joined { name: name.into(), groups: std::vec![group.into()], credit: 5 };
        self.handle(Input::Module { module: ModuleId(module), event: joined });
    }

    pub(in crate::trace) fn live(&mut self, steps: usize) {
        for _ in 0..steps {
            let input = self.something();
            if self.rng.below(4) > 0 {
                self.now.mono.0 += self.rng.below(40_000);
                self.now.wall.0 += self.rng.below(40) as i64;
            }
            self.handle(input);
        }
    }

    /// Ends the recording; returns the file.
    pub(in crate::trace) fn end(mut self) -> Vec<u8> {
        self.drain_now();
        self.recorder.finish_block();
        self.keep_blocks();
        self.file
    }

    pub(in crate::trace) fn handle(&mut self, input: Input) {
        self.recorder.input(self.now, &input, &self.hub);
        self.hub.handle(self.now, input.clone());
        self.undrained += 1;
        self.told.push((self.now, input, Vec::new()));
        if self.undrained >= self.batch {
            self.drain_now();
        }
    }

    fn drain(&mut self, input: Input) {
        self.told.push((self.now, input, Vec::new()));
        self.drain_now();
    }

    fn drain_now(&mut self) {
        self.undrained = 0;
        while let Some(output) = self.hub.poll_output() {
            self.recorder.output(&output);
            match &output {
                Output::Open { epoch, .. } => {
                    (self.epoch, self.opened) = (*epoch, false);
                    self.unflushed.clear();
                    self.pings.clear();
                }
                Output::Write { message, .. } => self.unflushed.push(message.bytes()),
                Output::Ping { number, .. } => self.pings.push_back(*number),
                _ => {}
            }
            if let Some((.., outputs)) = self.told.last_mut() {
                outputs.push(output);
            }
        }
        self.recorder.drained(&self.hub);
        self.keep_blocks();
    }

    fn keep_blocks(&mut self) {
        while let Some(block) = self.recorder.next_block() {
            self.file.extend_from_slice(&block.pack());
        }
    }

    fn something(&mut self) -> Input {
        let link = |world: &World, event| Input::Link { epoch: world.epoch, event };
        let module = ModuleId(self.rng.below(3) as u32);
        match self.rng.below(100) {
            0 => link(self, LinkEvent::Closed),
            1..4 => Input::Tick,
            4..14 if !self.opened => {
                self.opened = true;
                link(self, LinkEvent::Opened)
            }
            4..20 => {
                if self.rng.below(2) == 0 {
                    // Cumulative: earlier pongs were left out.
                    self.pings.drain(..self.pings.len().saturating_sub(1));
                }
                let event = match self.pings.pop_front() {
                    Some(number) => LinkEvent::Pong(number),
                    None => LinkEvent::Pong(self.rng.below(50)),
                };
                link(self, event)
            }
            20..40 => {
                let bytes = self.unflushed.iter().sum();
                let messages = core::mem::take(&mut self.unflushed).len();
                link(self, LinkEvent::Flushed { messages, bytes })
            }
            40..65 => {
                let message = self.message(false);
                link(self, LinkEvent::Received(message))
            }
            65..75 => {
                Input::Module { module, event: ModuleEvent::Ready { credit: self.rng.below(9) as u32 } }
            }
            75 => {
                // Time for deadlines to come.
                self.now.mono.0 += 1_000_000 * self.rng.below(70);
                Input::Tick
            }
            _ => {
                let message = self.message(true);
                let timeout = (self.rng.below(2) == 0).then(|| Duration::from_millis(self.rng.below(3000)));
                Input::Module { module, event: ModuleEvent::Sent { message, timeout, receipt: None } }
            }
        }
    }

    fn message(&mut self, up: bool) -> Message {
        let (id, groups) = (self.rng.uuid(), ["resource", "twin", "user", "nobody's"]);
        let parent = match self.rng.below(3) {
            0 if !self.ids.is_empty() => {
                let at = self.rng.below(self.ids.len() as u64) as usize;
                self.ids[at].msg_id().to_owned()
            }
            _ => std::string::String::new(),
        };
        let text = std::format!("{SECRET}{}", "x".repeat(self.rng.below(200) as usize));
        let draft = Draft {
            msg_id: id.as_str(),
            parent_msg_id: &parent,
            timestamp: self.now.wall,
            sync: up && parent.is_empty() && self.rng.below(3) == 0,
            source: if up { "twin" } else { "router_eventbus" },
            group: groups[self.rng.below(4) as usize],
            operation: if parent.is_empty() { "update" } else { "response" },
            resource: if self.rng.below(2) == 0 { "default/pod/a" } else { "default/pod/b" },
            content: Content::Text(&text),
            ..Draft::default()
        };
        let message = draft.encode().unwrap();
        self.ids.push(message.clone());
        message
    }
}

/// A recording of a random life.
pub(in crate::trace) fn recording(seed: u64, steps: usize, contents: Contents) -> Vec<u8> {
    let mut world = World::new(seed, contents, 100_000);
    world.live(steps);
    world.end()
}
