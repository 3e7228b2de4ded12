//! What a message costs on disk.

use crate::config::Config;
use crate::hub::{Hub, Input, LinkEpoch, LinkEvent, ModuleEvent, ModuleId, Output};
use crate::message::{Content, Draft};
use crate::rng::Rng;
use crate::time::Now;
use crate::trace::{Header, Recorder, Trace, replay};
use std::vec::Vec;

/// A node that sends a 256-byte message every 10 ms: each message flushed alone, each ping answered after 2 ms.
struct Node {
    hub: Hub,
    recorder: Recorder,
    file: Vec<u8>,
    now: Now,
    unflushed: Vec<usize>,
    ping: Option<u64>,
}

impl Node {
    fn new() -> Node {
        let header = Header { config: Config { rate: None, ..Config::default() }, ..Header::default() };
        let recorder = Recorder::new(header.clone(), 7, 8 << 20);
        let mut node = Node {
            hub: Hub::new(header.config, 0, Now::default()),
            file: recorder.head(),
            recorder,
            now: Now::default(),
            unflushed: Vec::new(),
            ping: None,
        };
        node.drain();
        node
    }

    fn handle(&mut self, input: Input) {
        self.recorder.input(self.now, &input, &self.hub);
        self.hub.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.hub.poll_output() {
            self.recorder.output(&output);
            match output {
                Output::Write { message, .. } => self.unflushed.push(message.bytes()),
                Output::Ping { number, .. } => self.ping = Some(number),
                _ => {}
            }
        }
        self.recorder.drained(&self.hub);
        while let Some(block) = self.recorder.next_block() {
            self.file.extend_from_slice(&block.pack());
        }
    }

    /// Lets time pass, with the ticks, flushes and pongs that come in it.
    fn pass(&mut self, micros: u64) {
        let until = self.now.mono.0 + micros;
        let link = |event| Input::Link { epoch: LinkEpoch(1), event };
        if !self.unflushed.is_empty() {
            self.now.mono.0 += 150;
            let unflushed = core::mem::take(&mut self.unflushed);
            self.handle(link(LinkEvent::Flushed {
                messages: unflushed.len(),
                bytes: unflushed.iter().sum(),
            }));
        }
        if let Some(number) = self.ping.take() {
            self.now.mono.0 += 2000;
            self.handle(link(LinkEvent::Pong(number)));
        }
        while let Some(deadline) = self.hub.next_deadline().filter(|deadline| deadline.at.0 <= until) {
            self.now.mono = deadline.at.max(self.now.mono);
            self.handle(Input::Tick);
        }
        self.now.mono.0 = until;
        self.now.wall.0 = (until / 1000) as i64;
    }
}

#[test]
fn a_redacted_message_takes_64_bytes_with_all_that_belongs_to_it() {
    const MESSAGES: u64 = 5000;
    let (mut node, mut rng) = (Node::new(), Rng::new(9));
    let module = |event| Input::Module { module: ModuleId(1), event };
    node.handle(module(ModuleEvent::Joined { name: "twin".into(), groups: Vec::new(), credit: 9 }));
    node.handle(Input::Link { epoch: LinkEpoch(1), event: LinkEvent::Opened });
    for _ in 0..MESSAGES {
        let (id, text) = (rng.uuid(), "x".repeat(40));
        let draft = Draft {
            msg_id: id.as_str(),
            timestamp: node.now.wall,
            source: "twin",
            group: "resource",
            operation: "update",
            resource: "device/pump/twin/edge_updated",
            content: Content::Text(&text),
            ..Draft::default()
        };
        let message = draft.encode().unwrap();
        node.handle(module(ModuleEvent::Sent { message, timeout: None, receipt: None }));
        node.pass(9_000 + rng.below(2_000));
    }
    node.recorder.finish_block();
    node.drain();
    let trace = Trace::open(&node.file).unwrap();
    assert!(replay(&trace).unwrap().compared > MESSAGES);
    let each = node.file.len() as u64 / MESSAGES;
    std::println!("{each} bytes for each message");
    assert!(each <= 64, "{each} bytes for each message");
}
