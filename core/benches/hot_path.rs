//! The hot path: one frame in, one frame out. The target is less than 2 µs for an arriving message.
//!
//! Run with `cargo bench -p edgehub-core`.

use bytes::Bytes;
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use edgehub_core::{
    Config, Content, Draft, DuplicateWindow, Hub, Input, LinkEpoch, LinkEvent, Message, ModuleEvent,
    ModuleId, Now, Output, UnixMillis,
};

const MODULE: ModuleId = ModuleId(1);
const EPOCH: LinkEpoch = LinkEpoch(1);

fn main() {
    divan::main();
}

/// Ids in a row of arrivals: more than the duplicate window of [`hub`] remembers, so that each is new when its turn comes again.
const IDS: usize = 4 * WINDOW;
const WINDOW: usize = 1024;

/// A frame of so many bytes, its buffer shared as a socket's would be.
fn frame(bytes: usize, number: usize) -> Bytes {
    let id = format!("00000000-0000-4000-8000-{number:012}");
    let encode = |padding: usize| {
        let content = "x".repeat(padding);
        let draft = Draft {
            msg_id: &id,
            source: "edgecontroller",
            group: "resource",
            operation: "update",
            resource: "default/configmap/settings",
            content: Content::Text(&content),
            ..Draft::default()
        };
        draft.encode().unwrap_or_else(|why| unreachable!("{why}"))
    };
    let message = encode(bytes - encode(0).bytes());
    let frame = Bytes::copy_from_slice(message.frame().as_bytes());
    // A second handle makes the buffer a shared one now, and not at the first clone that is measured.
    drop(frame.clone());
    frame
}

fn decode(frame: &Bytes) -> Message {
    Message::decode_bytes(frame.clone()).unwrap_or_else(|why| unreachable!("{why}"))
}

fn hub() -> Hub {
    let duplicate_window = DuplicateWindow { messages: WINDOW, ..Config::default().duplicate_window };
    let mut hub = Hub::new(Config { rate: None, duplicate_window, ..Config::default() }, 1, Now::default());
    let joined =
        ModuleEvent::Joined { name: "metamanager".into(), groups: vec!["meta".into()], credit: u32::MAX };
    hub.handle(Now::default(), Input::Module { module: MODULE, event: joined });
    hub.handle(Now::default(), Input::Link { epoch: EPOCH, event: LinkEvent::Opened });
    while hub.poll_output().is_some() {}
    hub
}

/// Reading a frame: its JSON walked once, its fields found.
#[divan::bench(args = [256, 4096])]
fn decode_frame(bencher: Bencher<'_, '_>, bytes: usize) {
    let frame = frame(bytes, 0);
    bencher.counter(BytesCount::new(bytes)).bench_local(|| decode(divan::black_box(&frame)));
}

/// Writing a message: its fields and a text of this size as content.
#[divan::bench(args = [256, 4096])]
fn encode_message(bencher: Bencher<'_, '_>, bytes: usize) {
    let content = "x".repeat(bytes);
    let draft = Draft {
        msg_id: "9ba773d2-1c5c-4c9b-9a3c-6a1f6d7f0f5e",
        timestamp: UnixMillis(1_700_000_000_000),
        source: "eventbus",
        group: "resource",
        operation: "update",
        resource: "default/podstatus/web",
        content: Content::Text(&content),
        ..Draft::default()
    };
    bencher.counter(BytesCount::new(bytes)).bench_local(|| divan::black_box(&draft).encode());
}

/// Frame → message → route → delivery → taken, each under an id that the hub does not remember.
#[divan::bench(args = [256, 4096])]
fn arriving_message(bencher: Bencher<'_, '_>, bytes: usize) {
    let frames: Vec<Bytes> = (0..IDS).map(|number| frame(bytes, number)).collect();
    let (mut frames, mut hub) = (frames.iter().cycle(), hub());
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| {
        let message = frames.next().map(|frame| decode(divan::black_box(frame)));
        let message = message.unwrap_or_else(|| unreachable!("frames come around again"));
        hub.handle(Now::default(), Input::Link { epoch: EPOCH, event: LinkEvent::Received(message) });
        let mut delivered = 0;
        while let Some(output) = hub.poll_output() {
            delivered += usize::from(matches!(output, Output::Deliver { .. }));
            divan::black_box(output);
        }
        assert_eq!(delivered, 1, "what is dropped was not measured");
        hub.handle(Now::default(), Input::Module { module: MODULE, event: ModuleEvent::Ready { credit: 1 } });
    });
}

/// Module → outbox → link → flushed, and the share of a ping and its pong that confirms it.
#[divan::bench(args = [256, 4096])]
fn leaving_message(bencher: Bencher<'_, '_>, bytes: usize) {
    let (message, mut hub) = (decode(&frame(bytes, 0)), hub());
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| {
        let sent = ModuleEvent::Sent { message: message.clone(), timeout: None, receipt: None };
        hub.handle(Now::default(), Input::Module { module: MODULE, event: sent });
        let mut ping = None;
        while let Some(output) = hub.poll_output() {
            if let Output::Ping { number, .. } = &output {
                ping = Some(*number);
            }
            divan::black_box(output);
        }
        let flushed = LinkEvent::Flushed { messages: 1, bytes };
        hub.handle(Now::default(), Input::Link { epoch: EPOCH, event: flushed });
        if let Some(number) = ping {
            hub.handle(Now::default(), Input::Link { epoch: EPOCH, event: LinkEvent::Pong(number) });
            while hub.poll_output().is_some() {}
        }
    });
}
