//! The hot path allocates nothing: one frame in, one frame out, and only the frame's own buffer. What is left to the journal takes
//! little.
//!
//! A binary of its own, without the test harness: the allocator counts, and nothing else may run beside it.
#![allow(clippy::unwrap_used)] // a test without the test harness

use bytes::Bytes;
use edgehub_core::class::Classes;
use edgehub_core::hub::JournalEvent;
use edgehub_core::journal::EntryNumber;
use edgehub_core::{
    Config, Content, Draft, Hub, Input, LinkEpoch, LinkEvent, Message, ModuleEvent, ModuleId, Now, Output,
};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static LIVE_BYTES: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call is handed on to the system's allocator unchanged; counting touches no memory of the caller's.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        LIVE_BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps `alloc`'s contract, which is the system's too.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE_BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: `pointer` came from `alloc` above, which is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        LIVE_BYTES.fetch_add(size, Ordering::Relaxed);
        LIVE_BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations while `work` runs.
fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    work();
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

const MODULE: ModuleId = ModuleId(1);
const EPOCH: LinkEpoch = LinkEpoch(1);
const MESSAGES: u64 = 2000;

/// A frame of 256 bytes, its buffer shared as a socket's would be.
fn frame(number: u64) -> Bytes {
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
        draft.encode().unwrap()
    };
    let message = encode(256 - encode(0).bytes());
    assert_eq!(message.bytes(), 256);
    let bytes = Bytes::copy_from_slice(message.frame().as_bytes());
    // A second handle makes the buffer a shared one now, and not at the first clone that is measured.
    drop(bytes.clone());
    bytes
}

fn hub() -> Hub {
    let config = Config { rate: None, drain: None, ..Config::default() };
    let mut hub = Hub::new(config, 1, Now::default());
    let joined =
        ModuleEvent::Joined { name: "metamanager".into(), groups: vec!["meta".into()], credit: u32::MAX };
    hub.handle(Now::default(), Input::Module { module: MODULE, event: joined });
    hub.handle(Now::default(), Input::Link { epoch: EPOCH, event: LinkEvent::Opened });
    while hub.poll_output().is_some() {}
    hub
}

/// From a frame to its receiver, who takes it.
fn arriving(hub: &mut Hub, now: Now, frame: Bytes) {
    let message = Message::decode_bytes(frame).unwrap();
    hub.handle(now, Input::Link { epoch: EPOCH, event: LinkEvent::Received(message) });
    let mut delivered = 0;
    while let Some(output) = hub.poll_output() {
        delivered += usize::from(matches!(output, Output::Deliver { .. }));
    }
    assert_eq!(delivered, 1);
    hub.handle(now, Input::Module { module: MODULE, event: ModuleEvent::Ready { credit: 1 } });
}

/// From a module to the link, flushed, and confirmed by the pong when a ping is due.
fn leaving(hub: &mut Hub, now: Now, message: Message) {
    let bytes = message.bytes();
    hub.handle(
        now,
        Input::Module { module: MODULE, event: ModuleEvent::Sent { message, timeout: None, receipt: None } },
    );
    let mut ping = None;
    let mut written = 0;
    while let Some(output) = hub.poll_output() {
        match output {
            Output::Write { .. } => written += 1,
            Output::Ping { number, .. } => ping = Some(number),
            _ => {}
        }
    }
    assert_eq!(written, 1);
    hub.handle(now, Input::Link { epoch: EPOCH, event: LinkEvent::Flushed { messages: 1, bytes } });
    if let Some(number) = ping {
        hub.handle(now, Input::Link { epoch: EPOCH, event: LinkEvent::Pong(number) });
        while hub.poll_output().is_some() {}
    }
}

fn check(name: &str, mut each: impl FnMut(u64)) {
    (0..MESSAGES).for_each(&mut each);
    let counted = allocations(|| (MESSAGES..2 * MESSAGES).for_each(&mut each));
    assert_eq!(counted, 0, "{name}: {counted} allocations for {MESSAGES} messages");
}

/// Messages that wait and are left to the journal, each of 1 KiB: in memory stays what the hub must know of them.
fn spooling() {
    const SPOOLED: u64 = 10_000;
    const BYTES_EACH: usize = 72;
    let mut classes = Classes::default();
    classes.classes.iter_mut().for_each(|class| class.persistent = true);
    let config = Config { classes, spool_above: 0, outbox_messages: SPOOLED as usize, ..Config::default() };
    let mut hub = Hub::new(config, 1, Now::default());
    let handle = |hub: &mut Hub, input: Input| {
        hub.handle(Now::default(), input);
        while let Some(output) = hub.poll_output() {
            if let Output::Store { number, .. } = output {
                hub.handle(Now::default(), Input::Journal(JournalEvent::Stored { up_to: number }));
            }
        }
    };
    let joined = ModuleEvent::Joined { name: "eventbus".into(), groups: Vec::new(), credit: 1 };
    handle(&mut hub, Input::Module { module: MODULE, event: joined });
    let opened = JournalEvent::Opened { unused: EntryNumber(1), frame_bytes_max: 1 << 20 };
    handle(&mut hub, Input::Journal(opened));
    let before = LIVE_BYTES.load(Ordering::Relaxed);
    let content = "x".repeat(1024);
    for number in 0..SPOOLED {
        let id = format!("00000000-0000-4000-8000-{number:012}");
        let content = Content::Text(&content);
        let draft = Draft {
            msg_id: &id,
            source: "eventbus",
            group: "user",
            operation: "upload",
            content,
            ..Draft::default()
        };
        let event = ModuleEvent::Sent { message: draft.encode().unwrap(), timeout: None, receipt: None };
        handle(&mut hub, Input::Module { module: MODULE, event });
    }
    drop(content);
    let took = LIVE_BYTES.load(Ordering::Relaxed) - before;
    assert_eq!(hub.account().up.pending, SPOOLED);
    assert!(took < SPOOLED as usize * BYTES_EACH, "{SPOOLED} spooled messages take {took} bytes");
}

fn main() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1, "the allocator counts");
    let frames: Vec<Bytes> = (0..2 * MESSAGES).map(frame).collect();
    let messages: Vec<Message> =
        frames.iter().map(|frame| Message::decode_bytes(frame.clone()).unwrap()).collect();
    // All within one heartbeat: a keepalive is a new message, and its frame is its own.
    let at = |number: u64| Now::new(number * 1_000, 0);

    let mut downstream = hub();
    check("arriving", |number| arriving(&mut downstream, at(number), frames[number as usize].clone()));

    let mut upstream = hub();
    check("leaving", |number| leaving(&mut upstream, at(number), messages[number as usize].clone()));
    assert!(upstream.account().up.settled() > MESSAGES && upstream.account().balanced());

    spooling();
}
