//! The flight recorder beside real sockets: captures replay equal, and dumps are written when they are wanted.

use super::LANE;
use super::bench_of::{Edge, NODE, any_port, config, from_cloud, serve, server_options};
use edgehub::edge::{AskedBy, Capture, Memory, RecorderOptions};
use edgehub::loopback::Loopback;
use edgehub::server::CloudServer;
use edgehub::{EdgeHub, Options};
use edgehub_core::cloud::Delivery;
use edgehub_core::hub::LinkEnd;
use edgehub_core::trace::explain::{Fate, What, explain};
use edgehub_core::trace::{Contents, Replayed, Trace, replay};
use edgehub_core::{Input, LinkEvent, ModuleEvent, Note};
use std::path::{Path, PathBuf};

/// A CloudHub, and options for a hub that goes there.
async fn recorded(contents: Contents) -> (Loopback, CloudServer, Options) {
    let loopback = Loopback::new().unwrap();
    let server = serve(&loopback, any_port(), server_options(&loopback)).await;
    let mut options = LANE.options(loopback.ticket(server.address(), NODE).unwrap(), config());
    options.recorder = Some(RecorderOptions { contents, ..RecorderOptions::new(NODE) });
    (loopback, server, options)
}

/// Keeps the newest part in memory, and writes it to this folder.
fn in_memory(options: &mut Options, folder: &Path) {
    options.recorder.as_mut().unwrap().memory = Some(Memory { bytes: 1 << 20, folder: folder.into() });
}

/// The one trace in a folder whose name begins like this, replayed. Its head says why it was written.
fn dumped(folder: &Path, reason: &str, why: &str) -> (PathBuf, Replayed) {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_it = |file: &PathBuf| file.file_name().unwrap().to_str().unwrap().starts_with(reason);
    let files: Vec<PathBuf> = files.filter(is_it).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let bytes = std::fs::read(&files[0]).unwrap();
    let trace = Trace::open(&bytes).unwrap();
    let header = trace.header();
    assert_eq!((&*header.node, &*header.why, trace.damage()), (NODE, why, &[][..]));
    let replayed = replay(&trace).unwrap();
    assert_eq!(replayed.skipped, 0);
    (files[0].clone(), replayed)
}

/// Messages both ways, requests, and a link that is cut in their middle.
fn a_capture_replays(contents: Contents) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("whole.trace");
    let id = smol::block_on(async {
        let (_loopback, server, mut options) = recorded(contents).await;
        options.recorder = options.recorder.map(|recorder| recorder.into_file(&file));
        let edge = Edge::with(options);
        let module = edge.hub.join("edged", &["meta"]).await.unwrap();
        edge.link_up().await;
        let first = module.compose("resource", "update", "x", &0).unwrap();
        let id = first.msg_id().to_owned();
        module.send(first).await.unwrap();
        for number in 1..200 {
            module.send(module.compose("resource", "update", "x", &number).unwrap()).await.unwrap();
        }
        for number in 0..200 {
            server.receive().await.unwrap();
            if number == 100 {
                server.cut_all().await.unwrap();
            }
        }
        edge.link_up().await;
        server
            .send(NODE, from_cloud(1, "edgecontroller", "resource", "a/b/c"), Delivery::Unacknowledged)
            .await
            .unwrap();
        while module.receive().await.unwrap().resource() != "a/b/c" {}
        edge.hub.settled().await.unwrap();
        edge.stop().await;
        id
    });
    let bytes = std::fs::read(&file).unwrap();
    let trace = Trace::open(&bytes).unwrap();
    let replayed = replay(&trace).unwrap();
    assert!(replayed.inputs > 200 && replayed.compared > 5, "{replayed:?}");
    assert_eq!((replayed.skipped, replayed.damage.len()), (0, 0));
    let stories = explain(&trace, &id).unwrap();
    let story = stories.iter().find(|story| *story.msg_id == *id).unwrap();
    assert_eq!(story.fate(), Fate::Arrived, "{story}");
    assert!(story.events.iter().any(|event| matches!(event.what, What::Confirmed { .. })), "{story}");
}

#[test]
fn a_capture_from_real_sockets_replays() {
    a_capture_replays(Contents::Redacted);
}

#[test]
fn a_capture_with_contents_replays() {
    a_capture_replays(Contents::Kept);
}

#[test]
fn a_lost_link_leaves_a_trace_of_itself() {
    let folder = tempfile::tempdir().unwrap();
    smol::block_on(async {
        let (_loopback, server, mut options) = recorded(Contents::Redacted).await;
        in_memory(&mut options, folder.path());
        let edge = Edge::with(options);
        let module = edge.hub.join("edged", &[]).await.unwrap();
        edge.link_up().await;
        module.send(module.compose("resource", "update", "x", &0).unwrap()).await.unwrap();
        server.receive().await.unwrap();
        server.cut_all().await.unwrap();
        assert_eq!(edge.link_down().await, LinkEnd::Closed);
        edge.stop().await;
    });
    let (file, _) =
        dumped(folder.path(), "link-lost", "the link was lost: the peer or the network closed it");
    let bytes = std::fs::read(file).unwrap();
    let trace = Trace::open(&bytes).unwrap();
    // The loss itself is in it, and all that it led to.
    let mut ends = Vec::new();
    edgehub_core::trace::Replay::new(&trace)
        .run(|moment| {
            ends.extend(moment.outputs.iter().filter_map(|output| match output {
                edgehub_core::Output::Note(Note::LinkDown { end, .. }) => Some(*end),
                _ => None,
            }));
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(ends, [LinkEnd::Closed]);
}

#[test]
fn a_panic_leaves_a_trace_with_its_last_input() {
    let folder = tempfile::tempdir().unwrap();
    let ended = smol::block_on(async {
        let (_loopback, server, mut options) = recorded(Contents::Redacted).await;
        in_memory(&mut options, folder.path());
        options.observer = Some(Box::new(|_, note| {
            assert!(!matches!(note, Note::LinkDown { .. }), "this panic is the test");
        }));
        let (hub, driver) = EdgeHub::new(options);
        // On a thread of its own: the executor's would take the panic for its own end.
        let driver = std::thread::spawn(move || smol::block_on(driver.run()));
        let module = hub.join("edged", &[]).await.unwrap();
        module.send(module.compose("resource", "update", "x", &0).unwrap()).await.unwrap();
        server.receive().await.unwrap();
        server.cut_all().await.unwrap();
        smol::unblock(move || driver.join()).await
    });
    assert!(ended.is_err(), "the driver panicked");
    let (file, replayed) = dumped(folder.path(), "panic", "the hub's driver panicked");
    assert!(replayed.inputs >= 3);
    let bytes = std::fs::read(file).unwrap();
    let trace = Trace::open(&bytes).unwrap();
    let last_block = trace.blocks().last().unwrap();
    let mut last = None;
    trace
        .each_record(last_block, |_, record| {
            if let edgehub_core::trace::Record::Input { input, .. } = record {
                last = Some(input);
            }
            true
        })
        .unwrap();
    let closed = matches!(last, Some(Input::Link { event: LinkEvent::Closed, .. }));
    assert!(closed, "{last:?}");
}

#[test]
fn a_request_for_a_dump_is_served() {
    let folder = tempfile::tempdir().unwrap();
    smol::block_on(async {
        let (_loopback, _server, mut options) = recorded(Contents::Redacted).await;
        in_memory(&mut options, folder.path());
        let edge = Edge::with(options);
        edge.link_up().await;
        for asked_by in [AskedBy::Program, AskedBy::Signal] {
            edge.hub.dump_recording(asked_by).await.unwrap();
        }
        edge.stop().await;
    });
    for (reason, why) in [("requested", "the program asked for it"), ("signal", "a signal asked for it")] {
        let (_, replayed) = dumped(folder.path(), reason, why);
        assert!(replayed.inputs > 0);
    }
}

/// All of it in files of a bounded number, each of which can be read alone; what an earlier run left is put aside.
#[test]
fn a_recording_that_rotates_keeps_the_newest_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("recordings/recording.trace");
    let run = |messages: u32, rotate_at: Option<u64>| {
        smol::block_on(async {
            let (_loopback, server, mut options) = recorded(Contents::Kept).await;
            // A checkpoint follows each full block.
            options.recorder.as_mut().unwrap().memory =
                Some(Memory { bytes: 4096, folder: folder.path().into() });
            options.recorder.as_mut().unwrap().file =
                Some(Capture { path: file.clone(), keep: 2, rotate_at });
            let edge = Edge::with(options);
            let module = edge.hub.join("edged", &[]).await.unwrap();
            for _ in 0..messages {
                let long = module.compose_text("resource", "update", "x", &"x".repeat(2000));
                module.send(long.unwrap()).await.unwrap();
                server.receive().await.unwrap();
            }
            edge.stop().await;
        });
    };
    let read = |name: &str| std::fs::read(folder.path().join("recordings").join(name)).unwrap();
    let names = || {
        let files = std::fs::read_dir(folder.path().join("recordings")).unwrap();
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    run(300, Some(1));
    assert_eq!(names(), ["recording.trace", "recording.trace.1", "recording.trace.2"]);
    let mut sent = 0;
    for name in names() {
        let bytes = read(&name);
        let trace = Trace::open(&bytes).unwrap();
        let count = |moment: &edgehub_core::trace::Moment<'_>| {
            let is_sent = matches!(moment.input, Some(Input::Module { event: ModuleEvent::Sent { .. }, .. }));
            sent += usize::from(is_sent);
            std::ops::ControlFlow::Continue(())
        };
        let replayed = edgehub_core::trace::Replay::new(&trace).run(count).unwrap();
        assert_eq!((trace.damage().len(), replayed.skipped), (0, 0), "{name}");
    }
    assert!((1..300).contains(&sent), "the oldest are gone: {sent}");
    let last = read("recording.trace");
    run(0, None);
    assert_eq!(names().len(), 3);
    assert_eq!(read("recording.trace.1"), last);
}
