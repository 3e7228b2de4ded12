//! The flight recorder: what recording costs a message, and how fast a recording runs again.
//!
//! Run with `cargo bench -p edgehub-core --bench trace`. The cost of recording is the difference between the first two.

use divan::Bencher;
use divan::counter::ItemsCount;
use edgehub_core::trace::{Header, Recorder, Trace, replay};
use edgehub_core::{
    Config, Content, Draft, Hub, Input, LinkEpoch, LinkEvent, Message, ModuleEvent, ModuleId, Now, Output,
    rng::Rng,
};

const MODULE: ModuleId = ModuleId(1);
const EPOCH: LinkEpoch = LinkEpoch(1);

/// Messages that a driver hands over in one turn.
const BATCH: usize = 64;

fn main() {
    divan::main();
}

fn messages(count: usize) -> Vec<Message> {
    let mut rng = Rng::new(1);
    let text = "x".repeat(256);
    let message = |_| {
        let id = rng.uuid();
        let draft = Draft {
            msg_id: id.as_str(),
            source: "twin",
            group: "resource",
            operation: "update",
            resource: "device/pump/twin/edge_updated",
            content: Content::Text(&text),
            ..Draft::default()
        };
        draft.encode().unwrap_or_else(|why| unreachable!("{why}"))
    };
    (0..count).map(message).collect()
}

/// A hub, perhaps recorded, and the little that a driver must do for it.
struct Node {
    hub: Hub,
    recorder: Option<Recorder>,
    file: Option<Vec<u8>>,
    now: Now,
}

impl Node {
    fn new(recorded: bool, file: bool) -> Node {
        let config = Config { rate: None, ..Config::default() };
        let header = Header { config: config.clone(), ..Header::default() };
        let recorder = recorded.then(|| Recorder::new(header, 7, 8 << 20));
        let file = recorder.as_ref().filter(|_| file).map(Recorder::head);
        let mut node = Node { hub: Hub::new(config, 0, Now::default()), recorder, file, now: Now::default() };
        node.drain();
        let joined = ModuleEvent::Joined { name: "twin".into(), groups: Vec::new(), credit: 9 };
        node.handle(Input::Module { module: MODULE, event: joined });
        node.handle(Input::Link { epoch: EPOCH, event: LinkEvent::Opened });
        node.drain();
        node
    }

    fn handle(&mut self, input: Input) {
        if let Some(recorder) = &mut self.recorder {
            recorder.input(self.now, &input, &self.hub);
        }
        self.hub.handle(self.now, input);
    }

    /// Returns what was written, and the last ping.
    fn drain(&mut self) -> (usize, usize, Option<u64>) {
        let (mut messages, mut bytes, mut ping) = (0, 0, None);
        while let Some(output) = self.hub.poll_output() {
            if let Some(recorder) = &mut self.recorder {
                recorder.output(&output);
            }
            match &output {
                Output::Write { message, .. } => {
                    messages += 1;
                    bytes += message.bytes();
                }
                Output::Ping { number, .. } => ping = Some(*number),
                _ => {}
            }
            divan::black_box(output);
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.drained(&self.hub);
            while let Some(block) = recorder.next_block() {
                // Packing is another thread's work.
                match &mut self.file {
                    Some(file) => file.extend_from_slice(&block.pack()),
                    None => drop(divan::black_box(block)),
                }
            }
        }
        (messages, bytes, ping)
    }

    /// One turn of a driver: a batch of messages, written, flushed and confirmed.
    fn turn(&mut self, batch: &[Message]) {
        self.now.mono.0 += 100;
        for message in batch {
            let sent = ModuleEvent::Sent { message: message.clone(), timeout: None, receipt: None };
            self.handle(Input::Module { module: MODULE, event: sent });
        }
        let (messages, bytes, ping) = self.drain();
        self.handle(Input::Link { epoch: EPOCH, event: LinkEvent::Flushed { messages, bytes } });
        if let Some(number) = ping {
            self.handle(Input::Link { epoch: EPOCH, event: LinkEvent::Pong(number) });
        }
        self.drain();
    }
}

fn turns(bencher: Bencher<'_, '_>, recorded: bool) {
    let (messages, mut node, mut at) = (messages(64 * BATCH), Node::new(recorded, false), 0);
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        at = (at + BATCH) % messages.len();
        node.turn(&messages[at..at + BATCH]);
    });
}

#[divan::bench]
fn not_recorded(bencher: Bencher<'_, '_>) {
    turns(bencher, false);
}

#[divan::bench]
fn recorded(bencher: Bencher<'_, '_>) {
    turns(bencher, true);
}

/// Every input of a recording, digests compared.
#[divan::bench(sample_count = 10)]
fn replayed(bencher: Bencher<'_, '_>) {
    let (messages, mut node) = (messages(200_000), Node::new(true, true));
    messages.chunks_exact(BATCH).for_each(|batch| node.turn(batch));
    let mut file = node.file.take().unwrap_or_default();
    if let Some(recorder) = &mut node.recorder {
        recorder.finish_block();
        while let Some(block) = recorder.next_block() {
            file.extend_from_slice(&block.pack());
        }
    }
    let inputs =
        Trace::open(&file).ok().and_then(|trace| replay(&trace).ok()).map_or(0, |replayed| replayed.inputs);
    bencher.counter(ItemsCount::new(inputs)).bench_local(|| {
        let trace = Trace::open(divan::black_box(&file)).unwrap_or_else(|why| unreachable!("{why}"));
        divan::black_box(replay(&trace)).unwrap_or_else(|why| unreachable!("{why}"))
    });
}
