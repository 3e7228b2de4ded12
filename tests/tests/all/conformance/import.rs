//! Makes traces of recordings: this hub is fed what the original was fed, and recorded.

use super::original::{Conversation, Fed, conversation};
use edgehub_core::trace::{Contents, Header, Recorder};
use edgehub_core::{Config, Hub, Input, LinkEvent, ModuleEvent, ModuleId, Now, Output};
use std::time::Duration;

/// The heartbeat that the edge of each recording was configured with, in seconds.
const HEARTBEATS: [(&str, u64); 3] =
    [("01-session", 15), ("02-keepalive-timeout", 15), ("03-cert-rotation", 5)];

/// The groups of the modules of a KubeEdge edge node, by module.
pub(crate) const MODULES: [(&str, &str); 6] = [
    ("metamanager", "meta"),
    ("twin", "twin"),
    ("eventbus", "bus"),
    ("servicebus", "bus"),
    ("taskmanager", "taskmanager"),
    ("edged", "edged"),
];

/// The key of the hashes in a trace. Contents are kept, and the key is the same each time: so is the file.
const KEY: u64 = 1;

/// A wall clock for times of a recording.
const WALL_AT_ZERO: i64 = 1_800_000_000_000;

/// The trace of a recording, as a file.
pub(crate) fn import(name: &str) -> Vec<u8> {
    let (_, heartbeat) = HEARTBEATS.into_iter().find(|(of, _)| *of == name).unwrap();
    let Conversation { inputs, .. } = conversation(name);
    let mut node = Node::new(name, heartbeat);
    for (at, fed) in inputs {
        node.until(at);
        node.feed(fed);
    }
    node.end()
}

/// A recorded hub between a CloudHub that lives, takes what is written and answers each ping at once, and modules that take
/// what comes.
struct Node {
    hub: Hub,
    recorder: Recorder,
    file: Vec<u8>,
    now: Now,
}

impl Node {
    fn new(name: &str, heartbeat: u64) -> Node {
        let config = Config {
            heartbeat: Duration::from_secs(heartbeat),
            // The next link opens when the recording's did, however early this hub dialled.
            open_timeout: Duration::from_secs(3600),
            ..Config::default()
        };
        let begin = Now::new(0, WALL_AT_ZERO);
        let header = Header {
            node: name.into(),
            seed: 1,
            begin,
            contents: Contents::Kept,
            config: config.clone(),
            ..Header::default()
        };
        let recorder = Recorder::new(header, KEY, usize::MAX);
        let mut node = Node { hub: Hub::new(config, 1, begin), file: recorder.head(), recorder, now: begin };
        node.drain();
        for (at, (name, group)) in MODULES.into_iter().enumerate() {
            let event = ModuleEvent::Joined { name: name.into(), groups: vec![group.into()], credit: 100 };
            node.input(Input::Module { module: ModuleId(at as u32), event });
        }
        node
    }

    fn link(&mut self, event: LinkEvent) {
        let epoch = self.hub.epoch();
        self.input(Input::Link { epoch, event });
    }

    fn input(&mut self, input: Input) {
        self.recorder.input(self.now, &input, &self.hub);
        self.hub.handle(self.now, input);
        self.drain().into_iter().for_each(|reply| self.input(reply));
    }

    /// Returns what the cloud and the modules answer to what the hub wants.
    fn drain(&mut self) -> Vec<Input> {
        let epoch = self.hub.epoch();
        let mut replies = Vec::new();
        while let Some(output) = self.hub.poll_output() {
            self.recorder.output(&output);
            match output {
                Output::Ping { number, .. } => {
                    replies.push(Input::Link { epoch, event: LinkEvent::Pong(number) });
                }
                Output::Write { message, .. } => {
                    let event = LinkEvent::Flushed { messages: 1, bytes: message.bytes() };
                    replies.push(Input::Link { epoch, event });
                }
                Output::Deliver { module, answer: false, .. } => {
                    replies.push(Input::Module { module, event: ModuleEvent::Ready { credit: 1 } });
                }
                _ => {}
            }
        }
        self.recorder.drained(&self.hub);
        while let Some(block) = self.recorder.next_block() {
            self.file.extend_from_slice(&block.pack());
        }
        replies
    }

    /// Moves to a time, stopping at every deadline on the way.
    fn until(&mut self, at: u64) {
        while let Some(deadline) = self.hub.next_deadline().filter(|deadline| deadline.at.0 <= at) {
            self.now = at_time(deadline.at.0);
            self.input(Input::Tick);
        }
        self.now = at_time(at);
    }

    fn feed(&mut self, fed: Fed) {
        match fed {
            Fed::Opened => self.link(LinkEvent::Opened),
            Fed::Closed => self.link(LinkEvent::Closed),
            Fed::Down(message) => self.link(LinkEvent::Received(message)),
            Fed::Up(message) => {
                let at = MODULES.iter().position(|(name, _)| *name == message.source()).unwrap_or(0);
                let event = ModuleEvent::Sent { message, timeout: None, receipt: None };
                self.input(Input::Module { module: ModuleId(at as u32), event });
            }
            Fed::Shutdown => self.input(Input::Shutdown),
        }
    }

    fn end(mut self) -> Vec<u8> {
        self.recorder.finish_block();
        self.drain();
        self.file
    }
}

fn at_time(micros: u64) -> Now {
    Now::new(micros, WALL_AT_ZERO + (micros / 1000) as i64)
}
