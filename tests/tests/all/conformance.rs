//! Conversations of the original, as traces of this hub.
//!
//! [`import`] feeds this hub the cloud's frames and the modules' messages of a recording at their recorded times, and
//! records it; the traces are in `tests/data/traces`. What a trace's replay does is compared with what the original did:
//! what it sent, to whom it delivered, when it told its modules about the link, when it dialled. Where they are meant to
//! differ, [`INTENDED`] says so.

#[path = "conformance/import.rs"]
pub(crate) mod import;
#[path = "conformance/original.rs"]
mod original;

use crate::recordings::{self, Event, NAMES};
use crate::traces;
use edgehub_core::hub::DropReason;
use edgehub_core::trace::{Replay, Trace};
use edgehub_core::{Message, ModuleId, Note, Output};
use import::MODULES;
use original::{Fed, LINK_CONTROL, conversation, draft};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Who differs from whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Only {
    /// The original sent it, this hub does not.
    Original,
    /// This hub sends it, the original lost it.
    Ours,
}

/// What is meant not to be as one might expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// Messages with this `route.resource` are sent by one side only, so often.
    Sent { only: Only, resource: &'static str, times: usize },
    /// A message from the cloud with this `route.resource` and a content that begins so is for no module.
    Undelivered { resource: &'static str, content: &'static str, reason: DropReason },
}

/// One thing that is meant to be as it is, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Intended {
    recording: &'static str,
    what: What,
    /// Which of the original's known defects it avoids; `None` where that list has none for it.
    defect: Option<&'static str>,
    why: &'static str,
}

const fn undelivered(
    resource: &'static str,
    content: &'static str,
    reason: DropReason,
    why: &'static str,
) -> Intended {
    Intended {
        recording: "01-session",
        what: What::Undelivered { resource, content, reason },
        defect: None,
        why,
    }
}

const INTENDED: [Intended; 7] = [
    Intended {
        recording: "01-session",
        what: What::Sent { only: Only::Original, resource: "", times: 1 },
        defect: None,
        why: "On SIGTERM the original's queues are closed under its senders, and an empty message goes out.",
    },
    Intended {
        recording: "02-keepalive-timeout",
        what: What::Sent { only: Only::Ours, resource: "default/podstatus/p8", times: 1 },
        defect: Some("D2"),
        why: "Sent by its module just after the cloud had closed, and lost by the original in the failed write.",
    },
    Intended {
        recording: "03-cert-rotation",
        what: What::Sent { only: Only::Original, resource: "", times: 2 },
        defect: None,
        why: "As in the first recording, once for each of two senders.",
    },
    undelivered(
        "default/podpatch/web",
        "{",
        DropReason::NoWaiter,
        "It answers a request that nobody made: the routing table gives it to its waiter alone.",
    ),
    undelivered(
        "x/y/z",
        "\"s\"",
        DropReason::UnknownSource,
        "In group user the source decides, and this one is none of the routing table's.",
    ),
    undelivered(
        "default/podlist/x",
        "null",
        DropReason::UnknownGroup,
        "Its group is none of the routing table's, and it answers nobody.",
    ),
    undelivered("default/podlist/x", "null", DropReason::UnknownGroup, "The same without any group."),
];

/// Keepalives are compared by their times: the original's timer drifts by a few milliseconds a period.
const KEEPALIVE_TOLERANCE_US: u64 = 100_000;

#[test]
fn every_recorded_message_reads_and_writes_back() {
    let mut count = 0;
    for name in NAMES {
        for seen in recordings::read(name) {
            let Event::Message(_, text) = seen.event else { continue };
            let message = Message::decode(text.as_str()).unwrap_or_else(|why| panic!("{why}: {text}"));
            // Nothing is lost on the way in: the frame is the text, less the newline after the document.
            assert_eq!(&**message.frame(), text.trim_end());
            let written = with_content(&message, message.content());
            let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
            assert_eq!(value(written.frame()), value(&text));
            assert_eq!(written.content(), recorded_content(&text).get(), "the content byte for byte");
            count += 1;
        }
    }
    assert_eq!(count, 90, "every message of every recording");
}

/// The content as another decoder sees it.
fn recorded_content(text: &str) -> Box<RawValue> {
    let mut members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text).unwrap();
    members.remove("content").unwrap()
}

fn with_content(message: &Message, content: &str) -> Message {
    draft(message, serde_json::from_str(content).unwrap()).encode().unwrap()
}

/// What our hub did with a conversation, by the trace of it.
#[derive(Default)]
struct Ours {
    keepalives: Vec<u64>,
    sent: Vec<Message>,
    delivered: Vec<(u64, ModuleId, Message)>,
    dialled: Vec<u64>,
    dropped: Vec<(String, DropReason)>,
    stopped: bool,
}

impl Ours {
    fn of(name: &str) -> Ours {
        let file = traces::read(name);
        let mut ours = Ours::default();
        Replay::new(&Trace::open(&file).unwrap())
            .run(|moment| {
                moment.outputs.iter().for_each(|output| ours.take(moment.now.mono.0, output));
                ControlFlow::Continue(())
            })
            .unwrap();
        ours
    }

    fn take(&mut self, now: u64, output: &Output) {
        match output {
            Output::Open { .. } => self.dialled.push(now),
            Output::Write { message, .. } if message.operation() == "keepalive" => self.keepalives.push(now),
            Output::Write { message, .. } => self.sent.push(message.clone()),
            Output::Deliver { module, message, .. } => self.delivered.push((now, *module, message.clone())),
            Output::Stopped => self.stopped = true,
            Output::Note(Note::Dropped { msg_id, reason, .. }) => {
                self.dropped.push(((**msg_id).into(), *reason));
            }
            _ => {}
        }
    }
}

/// A message without what is new in every run: the hub's own ids and stamps. Modules' messages keep theirs.
fn comparable(message: &Message) -> Value {
    let mut value: Value = serde_json::from_str(message.frame()).unwrap();
    if message.content() == "\"ack\"" || message.msg_id() == "lost" {
        value["header"]["msg_id"] = "new".into();
        value["header"]["timestamp"] = 0.into();
    }
    value
}

/// Takes out what is meant to be on this side only.
fn without_intended(name: &str, who: Only, messages: &[Message]) -> Vec<Value> {
    let mut left = messages.to_vec();
    for intended in INTENDED.iter().filter(|intended| intended.recording == name) {
        let What::Sent { only, resource, times } = intended.what else { continue };
        if only == who {
            let before = left.len();
            left.retain(|message| message.resource() != resource);
            assert_eq!(before - left.len(), times, "{intended:?}");
        }
    }
    left.iter().map(comparable).collect()
}

#[test]
fn this_hub_sends_what_the_original_sent() {
    for name in NAMES {
        let conversation = conversation(name);
        let ours = Ours::of(name);
        let original = without_intended(name, Only::Original, &conversation.sent);
        let found = without_intended(name, Only::Ours, &ours.sent);
        for (at, (original, found)) in original.iter().zip(&found).enumerate() {
            assert_eq!(original, found, "{name}, message {at} of modules and link control");
        }
        assert_eq!(original.len(), found.len(), "{name}");
        assert_eq!(conversation.keepalives.len(), ours.keepalives.len(), "{name}: {:?}", ours.keepalives);
        for (original, found) in conversation.keepalives.iter().zip(&ours.keepalives) {
            assert!(original.abs_diff(*found) < KEEPALIVE_TOLERANCE_US, "{name}: keepalive at {found} µs");
        }
    }
}

#[test]
fn this_hub_delivers_what_the_cloud_sent() {
    let name = "01-session";
    let conversation = conversation(name);
    let ours = Ours::of(name);
    let is_undelivered = |intended: &&Intended| matches!(intended.what, What::Undelivered { .. });
    let mut undelivered: Vec<&Intended> = INTENDED.iter().filter(is_undelivered).collect();
    for (_, fed) in &conversation.inputs {
        let Fed::Down(message) = fed else { continue };
        if LINK_CONTROL.contains(&message.operation()) {
            continue;
        }
        let receivers: Vec<&str> = ours
            .delivered
            .iter()
            .filter(|(.., delivered)| delivered == message)
            .map(|(_, module, _)| MODULES[module.0 as usize].0)
            .collect();
        let reason = ours.dropped.iter().find(|(id, _)| id == message.msg_id()).map(|&(_, reason)| reason);
        let wanted = undelivered.iter().enumerate().find_map(|(at, intended)| match intended.what {
            What::Undelivered { resource, content, reason } => {
                let fits = resource == message.resource() && message.content().starts_with(content);
                fits.then_some((at, reason))
            }
            What::Sent { .. } => None,
        });
        match wanted {
            Some((at, wanted)) => {
                let intended = undelivered.remove(at);
                assert_eq!((&receivers[..], reason), (&[][..], Some(wanted)), "{message:?}: {intended:?}");
            }
            None => assert_eq!((receivers.len(), reason), (1, None), "{message:?} to {receivers:?}"),
        }
        // An answer goes to its requester: modules wrote their names into the requests.
        let is_answered = |sent: &&Message| message.is_response() && sent.msg_id() == message.parent_msg_id();
        let request = conversation.sent.iter().find(is_answered);
        if let Some(request) = request {
            assert_eq!(receivers, [request.source()], "{message:?}");
        }
    }
    assert!(undelivered.is_empty(), "these never came: {undelivered:?}");
    assert!(ours.stopped, "SIGTERM ends it");
}

/// On SIGTERM this hub tells its modules at once; the original's process took 0.19 s more until its link was closed.
const CONNECT_TOLERANCE_US: u64 = 200_000;

/// The groups that hear about the link.
const TOLD: [&str; 4] = ["bus", "meta", "taskmanager", "twin"];

/// The original tells each group once when its link comes up and once when it is gone (semantics, connection lifecycle
/// 3); where its links began and ended is in the recording.
#[test]
fn connect_info_follows_the_originals_links() {
    for name in NAMES {
        let ours = Ours::of(name);
        let mut expected = Vec::new();
        for (at, up) in conversation(name).links {
            let told = if up { r#""cloud_connected""# } else { r#""cloud_disconnected""# };
            expected.extend(TOLD.map(|group| (at, group, told)));
        }
        let is_connect = |message: &Message| message.operation() == "connect";
        let mut found: Vec<(u64, &str, &str)> = Vec::new();
        for (at, module, message) in ours.delivered.iter().filter(|(.., message)| is_connect(message)) {
            assert_eq!((message.source(), message.resource()), ("edgehub", "node/connection"));
            assert_eq!(message.group(), MODULES[module.0 as usize].1, "{message:?}");
            // The two modules of group bus hear the same message.
            let told = (*at, message.group(), message.content());
            if message.group() != "bus" || found.last() != Some(&told) {
                found.push(told);
            }
        }
        // Within one moment the order of the groups is nobody's business.
        found.sort_by_key(|&(at, group, _)| (at, group));
        let without_times = |told: &[(u64, &str, &str)]| -> Vec<String> {
            told.iter().map(|(_, group, content)| format!("{group} {content}")).collect()
        };
        assert_eq!(without_times(&found), without_times(&expected), "{name}");
        for ((found, group, told), (expected, ..)) in found.iter().zip(&expected) {
            let apart = found.abs_diff(*expected);
            assert!(apart < CONNECT_TOLERANCE_US, "{name}: {group} {told} at {found} µs, not {expected} µs");
        }
    }
}

/// The original waits the same time after every loss (D5); this hub waits a shorter random time at first, so it has dialled
/// before the original came back.
#[test]
fn this_hub_dials_no_later_than_the_original_came_back() {
    for name in NAMES {
        let (ours, conversation) = (Ours::of(name), conversation(name));
        let opened: Vec<u64> = conversation.links.iter().filter(|(_, up)| *up).map(|&(at, _)| at).collect();
        assert!(ours.dialled.len() >= opened.len(), "{name}: {:?}", ours.dialled);
        for (at, (dialled, opened)) in ours.dialled.iter().zip(&opened).enumerate() {
            assert!(dialled <= opened, "{name}: dial {at} at {dialled} µs, the original's at {opened} µs");
        }
    }
}
