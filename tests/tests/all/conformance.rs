//! Conversations of the original, replayed against this hub.
//!
//! The cloud's frames and the modules' messages of a recording are fed at their recorded times; what this hub sends is
//! compared with what the original sent. Where they are meant to differ, [`INTENDED`] says so.

use crate::recordings::{self, Event, NAMES, Seen, Way};
use edgehub_core::hub::DropReason;
use edgehub_core::{
    Config, Content, Draft, Hub, Input, LinkEvent, Message, ModuleEvent, ModuleId, Note, Now, Output,
};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Who differs from whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Only {
    /// The original sent it, this hub does not.
    Original,
    /// This hub sends it, the original lost it.
    Ours,
}

/// One difference that is meant to be.
struct Intended {
    recording: &'static str,
    who: Only,
    /// `route.resource` of the message.
    resource: &'static str,
    /// How often.
    times: usize,
    /// The defect of the original, where it is one, and the reason.
    why: &'static str,
}

const INTENDED: [Intended; 3] = [
    Intended {
        recording: "01-session",
        who: Only::Original,
        resource: "",
        times: 1,
        why: "On SIGTERM the original's queues are closed under its senders, and an empty message goes out.",
    },
    Intended {
        recording: "02-keepalive-timeout",
        who: Only::Ours,
        resource: "default/podstatus/p8",
        times: 1,
        why: "D2: sent by its module just after the cloud had closed, and lost by the original in the failed write.",
    },
    Intended {
        recording: "03-cert-rotation",
        who: Only::Original,
        resource: "",
        times: 2,
        why: "As in the first recording, once for each of two senders.",
    },
];

/// Keepalives are compared by their times: the original's timer drifts by a few milliseconds a period.
const KEEPALIVE_TOLERANCE_US: u64 = 100_000;

/// What is in no recording because the original lost it: recording, time, resource, content.
const LOST_BY_THE_ORIGINAL: [(&str, u64, &str, &str); 1] =
    [("02-keepalive-timeout", 4_455_000, "default/podstatus/p8", "8")];

/// The heartbeat that the edge of each recording was configured with, in seconds.
const HEARTBEATS: [(&str, u64); 3] =
    [("01-session", 15), ("02-keepalive-timeout", 15), ("03-cert-rotation", 5)];

/// Cloud messages that no module gets, by resource and content, with the reason.
const UNDELIVERED: [(&str, &str, DropReason); 4] = [
    ("default/podpatch/web", "{", DropReason::NoWaiter),
    ("x/y/z", "\"s\"", DropReason::UnknownSource),
    ("default/podlist/x", "null", DropReason::UnknownGroup),
    ("default/podlist/x", "null", DropReason::UnknownGroup),
];

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

fn draft<'a>(message: &'a Message, content: &'a RawValue) -> Draft<'a> {
    Draft { content: Content::Json(content), ..Draft::from(message) }
}

/// What one recording says, sorted into what is fed and what is compared.
struct Conversation {
    inputs: Vec<(u64, Fed)>,
    keepalives: Vec<u64>,
    /// Messages of modules and link control answers, as the original sent them.
    sent: Vec<Message>,
}

#[derive(Debug, Clone)]
enum Fed {
    Opened,
    Down(Message),
    Up(Message),
    Closed,
    Shutdown,
}

const LINK_CONTROL: [&str; 3] = ["ping", "pong", "config"];

fn conversation(name: &str) -> Conversation {
    let seen = recordings::read(name);
    let decoded = |event: &Event, wanted: Way| match event {
        Event::Message(way, text) if *way == wanted => Some(Message::decode(text.as_str()).unwrap()),
        _ => None,
    };
    let down: Vec<Message> = seen.iter().filter_map(|seen| decoded(&seen.event, Way::Down)).collect();
    let answered: BTreeSet<&str> = down.iter().map(Message::parent_msg_id).collect();
    let control: BTreeSet<&str> = down
        .iter()
        .filter(|message| LINK_CONTROL.contains(&message.operation()))
        .map(Message::msg_id)
        .collect();
    let mut conversation = Conversation { inputs: vec![], keepalives: vec![], sent: vec![] };
    let mut wall_at_zero = None;
    let mut ended: BTreeSet<u64> = BTreeSet::new();
    for Seen { at, connection, event } in &seen {
        match event {
            Event::Opened => conversation.inputs.push((*at, Fed::Opened)),
            Event::Eof(_) if ended.insert(*connection) => conversation.inputs.push((*at, Fed::Closed)),
            Event::Mark(text) if text.starts_with("SIGTERM") => {
                conversation.inputs.push((*at, Fed::Shutdown));
            }
            _ => {}
        }
        if let Some(message) = decoded(event, Way::Down) {
            conversation.inputs.push((*at, Fed::Down(message)));
        }
        let Some(message) = decoded(event, Way::Up) else { continue };
        if message.operation() == "keepalive" {
            let zero = message.timestamp().0 * 1000 - *at as i64;
            wall_at_zero.get_or_insert(zero);
            conversation.keepalives.push(*at);
            continue;
        }
        if !control.contains(message.parent_msg_id()) && !message.msg_id().is_empty() {
            // A message that waited for a link was made when its stamp says, not when it left.
            let made = (message.timestamp().0 * 1000 - wall_at_zero.unwrap_or_default()) as u64;
            let at = if at.abs_diff(made) > 1_000_000 { made } else { *at };
            let is_request = answered.contains(message.msg_id());
            conversation.inputs.push((at, Fed::Up(as_its_module_sent_it(&message, is_request))));
        }
        conversation.sent.push(message);
    }
    for (_, at, resource, content) in LOST_BY_THE_ORIGINAL.into_iter().filter(|lost| lost.0 == name) {
        let content = serde_json::from_str(content).unwrap();
        let draft = Draft {
            msg_id: "lost",
            source: "edged",
            group: "resource",
            operation: "update",
            resource,
            ..Draft::default()
        };
        let message = Draft { content: Content::Json(content), ..draft }.encode().unwrap();
        conversation.inputs.push((at, Fed::Up(message)));
    }
    conversation.inputs.sort_by_key(|(at, _)| *at);
    conversation
}

/// A module's message with the local fields that the original had removed before it wrote it.
fn as_its_module_sent_it(message: &Message, is_request: bool) -> Message {
    let content = serde_json::from_str(message.content()).unwrap();
    let local = Draft {
        sync: is_request,
        message_type: "channel",
        destination: "websocket",
        ..draft(message, content)
    };
    local.encode().unwrap()
}

/// The groups of the modules of a KubeEdge edge node, by module.
const MODULES: [(&str, &str); 6] = [
    ("metamanager", "meta"),
    ("twin", "twin"),
    ("eventbus", "bus"),
    ("servicebus", "bus"),
    ("taskmanager", "taskmanager"),
    ("edged", "edged"),
];

/// What our hub did with a conversation.
#[derive(Default)]
struct Ours {
    keepalives: Vec<u64>,
    sent: Vec<Message>,
    delivered: Vec<(ModuleId, Message)>,
    dropped: Vec<(String, DropReason)>,
    stopped: bool,
}

struct Replay {
    hub: Hub,
    now: u64,
    ours: Ours,
}

impl Replay {
    fn new(heartbeat: u64) -> Replay {
        let config = Config {
            heartbeat: Duration::from_secs(heartbeat),
            // The next link opens when the recording's did, however early this hub dialled.
            open_timeout: Duration::from_secs(3600),
            ..Config::default()
        };
        let mut replay = Replay { hub: Hub::new(config, 1, Now::default()), now: 0, ours: Ours::default() };
        for (at, (name, group)) in MODULES.into_iter().enumerate() {
            let event =
                ModuleEvent::Joined { name: name.into(), groups: vec![group.into()], credit: 1_000_000 };
            replay.input(Input::Module { module: ModuleId(at as u32), event });
        }
        replay
    }

    fn link(&mut self, event: LinkEvent) {
        let epoch = self.hub.epoch();
        self.input(Input::Link { epoch, event });
    }

    fn input(&mut self, input: Input) {
        self.hub.handle(Now::new(self.now, 1_800_000_000_000 + (self.now / 1000) as i64), input);
        while let Some(output) = self.hub.poll_output() {
            self.carry_out(output);
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            // A CloudHub that lives takes what is written, and answers at once.
            Output::Ping { number, .. } => self.link(LinkEvent::Pong(number)),
            Output::Write { message, .. } => {
                let flushed = LinkEvent::Flushed { messages: 1, bytes: message.bytes() };
                if message.operation() == "keepalive" {
                    self.ours.keepalives.push(self.now);
                } else {
                    self.ours.sent.push(message);
                }
                self.link(flushed);
            }
            Output::Deliver { module, message, .. } => self.ours.delivered.push((module, message)),
            Output::Stopped => self.ours.stopped = true,
            Output::Note(Note::Dropped { msg_id, reason, .. }) => {
                self.ours.dropped.push((msg_id.into(), reason));
            }
            _ => {}
        }
    }

    /// Moves to a time, stopping at every deadline on the way.
    fn until(&mut self, at: u64) {
        while let Some(deadline) = self.hub.next_deadline().filter(|deadline| deadline.at.0 <= at) {
            self.now = deadline.at.0;
            self.input(Input::Tick);
        }
        self.now = at;
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
}

fn replayed(name: &str, conversation: &Conversation) -> Ours {
    let (_, heartbeat) = HEARTBEATS.into_iter().find(|(of, _)| *of == name).unwrap();
    let mut replay = Replay::new(heartbeat);
    for (at, fed) in conversation.inputs.clone() {
        replay.until(at);
        replay.feed(fed);
    }
    replay.ours
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
    for intended in INTENDED.iter().filter(|intended| intended.recording == name && intended.who == who) {
        let before = left.len();
        left.retain(|message| message.resource() != intended.resource);
        assert_eq!(before - left.len(), intended.times, "{name}: {}", intended.why);
    }
    left.iter().map(comparable).collect()
}

#[test]
fn this_hub_sends_what_the_original_sent() {
    for name in NAMES {
        let conversation = conversation(name);
        let ours = replayed(name, &conversation);
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
    let ours = replayed(name, &conversation);
    let mut undelivered = UNDELIVERED.to_vec();
    for (_, fed) in &conversation.inputs {
        let Fed::Down(message) = fed else { continue };
        if LINK_CONTROL.contains(&message.operation()) {
            continue;
        }
        let receivers: Vec<&str> = ours
            .delivered
            .iter()
            .filter(|(_, delivered)| delivered == message)
            .map(|(module, _)| MODULES[module.0 as usize].0)
            .collect();
        let reason = ours.dropped.iter().find(|(id, _)| id == message.msg_id()).map(|&(_, reason)| reason);
        let expected = undelivered.iter().position(|(resource, content, _)| {
            *resource == message.resource() && message.content().starts_with(content)
        });
        match expected.map(|at| undelivered.remove(at)) {
            Some((.., wanted)) => {
                assert_eq!((&receivers[..], reason), (&[][..], Some(wanted)), "{message:?}")
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
    assert_eq!(undelivered, [], "all of the undeliverable messages came");
    assert!(ours.stopped, "SIGTERM ends it");
}
