//! Timelines that read as a script: at 105 receive this, expect that.

use edgehub_core::config::Lane;
use edgehub_core::{
    Config, Content, Draft, Hub, Input, LinkEvent, Message, ModuleEvent, ModuleId, Note, Now, Output,
    UnixMillis,
};
use std::fmt::Write;
use std::time::Duration;

/// A hub and a clock in milliseconds. Every step drains the hub; [`Script::expect`] says what must have come out since
/// the last one, notes aside.
pub(crate) struct Script {
    pub(crate) hub: Hub,
    now_us: u64,
    lines: Vec<String>,
    notes: Vec<Note>,
    last_ping: u64,
    last_probe: String,
}

/// A message of a module or of the cloud, by the fields that matter in a script.
pub(crate) fn message(id: &str, group: &str, operation: &str) -> Message {
    Draft { msg_id: id, group, operation, source: "test", ..Draft::default() }.encode().unwrap()
}

/// An answer of the cloud to the message of this id.
pub(crate) fn answer(id: &str, parent: &str) -> Message {
    let draft = Draft {
        msg_id: id,
        parent_msg_id: parent,
        group: "resource",
        operation: "response",
        source: "edgecontroller",
        ..Draft::default()
    };
    draft.encode().unwrap()
}

/// A sync request.
pub(crate) fn request(id: &str) -> Message {
    let draft = Draft {
        msg_id: id,
        source: "edged",
        group: "meta",
        operation: "query",
        resource: "default/pod/p",
        sync: true,
        content: Content::Null,
        timestamp: UnixMillis(1),
        ..Draft::default()
    };
    draft.encode().unwrap()
}

impl Script {
    /// A hub that starts at 0 ms.
    pub(crate) fn new(config: Config) -> Script {
        let hub = Hub::new(config, 7, Now::new(0, 0));
        let mut script = Script {
            hub,
            now_us: 0,
            lines: Vec::new(),
            notes: Vec::new(),
            last_ping: 0,
            last_probe: String::new(),
        };
        script.collect();
        script
    }

    /// A hub whose link came up at 0 ms, its first outputs already seen.
    pub(crate) fn up(config: Config) -> Script {
        let mut script = Script::new(config);
        script.link(LinkEvent::Opened);
        script.lines.clear();
        script
    }

    /// Moves the clock to `ms`, stopping at every deadline on the way as a driver would.
    pub(crate) fn at(&mut self, ms: u64) -> &mut Script {
        self.at_us(ms * 1000)
    }

    /// The same, in microseconds.
    pub(crate) fn at_us(&mut self, us: u64) -> &mut Script {
        while let Some(deadline) = self.hub.next_deadline().filter(|deadline| deadline.at.0 <= us) {
            self.now_us = self.now_us.max(deadline.at.0);
            self.input(Input::Tick);
        }
        self.now_us = us;
        self.input(Input::Tick)
    }

    pub(crate) fn input(&mut self, input: Input) -> &mut Script {
        self.hub.handle(Now::new(self.now_us, (self.now_us / 1000) as i64), input);
        self.collect();
        self
    }

    pub(crate) fn link(&mut self, event: LinkEvent) -> &mut Script {
        let epoch = self.hub.epoch();
        self.input(Input::Link { epoch, event })
    }

    pub(crate) fn receive(&mut self, message: Message) -> &mut Script {
        self.link(LinkEvent::Received(message))
    }

    /// The driver has handed everything written so far to the operating system.
    pub(crate) fn flush(&mut self) -> &mut Script {
        self.link(LinkEvent::Flushed { messages: usize::MAX, bytes: usize::MAX })
    }

    /// The cloud answers the latest ping.
    pub(crate) fn pong(&mut self) -> &mut Script {
        self.link(LinkEvent::Pong(self.last_ping))
    }

    pub(crate) fn join(&mut self, module: u32, name: &str, groups: &[&str], credit: u32) -> &mut Script {
        let groups = groups.iter().map(|&group| group.into()).collect();
        self.module(module, ModuleEvent::Joined { name: name.into(), groups, credit })
    }

    pub(crate) fn module(&mut self, module: u32, event: ModuleEvent) -> &mut Script {
        self.input(Input::Module { module: ModuleId(module), event })
    }

    pub(crate) fn send(&mut self, module: u32, message: Message) -> &mut Script {
        self.module(module, ModuleEvent::Sent { message, timeout: None, receipt: None })
    }

    /// What came out since the last look, one output a line, notes aside.
    #[track_caller]
    pub(crate) fn expect(&mut self, lines: &[&str]) -> &mut Script {
        let found = std::mem::take(&mut self.lines);
        assert_eq!(found, lines, "at {} µs", self.now_us);
        self
    }

    /// The same, read by the test.
    pub(crate) fn seen(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    pub(crate) fn notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// The id of the hub's last question for its session.
    pub(crate) fn probe(&self) -> String {
        self.last_probe.clone()
    }

    /// When the hub wants to be called next.
    pub(crate) fn deadline_us(&self) -> Option<u64> {
        self.hub.next_deadline().map(|deadline| deadline.at.0)
    }

    pub(crate) fn now(&self) -> Duration {
        Duration::from_micros(self.now_us)
    }

    fn collect(&mut self) {
        while let Some(output) = self.hub.poll_output() {
            let mut line = String::new();
            match output {
                Output::Open { epoch, endpoint, lane, within: _ } => {
                    let at = if endpoint > 0 { format!(" at {endpoint}") } else { String::new() };
                    let over = if lane == Lane::Quic { " over QUIC" } else { "" };
                    write!(line, "open {}{at}{over}", epoch.0)
                }
                Output::Reach { lane, .. } => write!(line, "reach over {lane:?}"),
                Output::Close { epoch } => write!(line, "close {}", epoch.0),
                Output::Pause { .. } => write!(line, "pause"),
                Output::Resume { .. } => write!(line, "resume"),
                Output::Intake { open } => write!(line, "intake {open}"),
                Output::Stopped => write!(line, "stopped"),
                Output::JoinRefused { module } => write!(line, "refuse {}", module.0),
                Output::Ping { number, .. } => {
                    self.last_ping = number;
                    write!(line, "ping")
                }
                Output::Store { number, message, .. } => {
                    write!(line, "store {} as {number}", message.msg_id())
                }
                Output::Forget { first, last } if first == last => write!(line, "forget {first}"),
                Output::Forget { first, last } => write!(line, "forget {first}-{last}"),
                Output::Bury { letter, reason, message, .. } => {
                    write!(line, "bury {} as {}: {reason}", message.msg_id(), letter.0)
                }
                Output::Fetch { number } => write!(line, "fetch {number}"),
                Output::Receipt { msg_id, stage, .. } => write!(line, "receipt {msg_id} {stage:?}"),
                Output::Write { message, .. } => {
                    if shown(&message) == "probe" {
                        self.last_probe = message.msg_id().into();
                    }
                    write!(line, "write {}", shown(&message))
                }
                Output::Deliver { module, message, .. } => {
                    write!(line, "deliver {} to {}", shown(&message), module.0)
                }
                Output::Note(note) => {
                    self.notes.push(note);
                    continue;
                }
            }
            .unwrap();
            self.lines.push(line);
        }
    }
}

/// A message in a script: what it is when the hub made it, its id otherwise.
fn shown(message: &Message) -> String {
    match (message.operation(), message.content()) {
        ("keepalive", _) => "keepalive".into(),
        ("query", _) if message.source() == "edgehub" => "probe".into(),
        ("response", "\"ack\"") => format!("ack of {}", message.parent_msg_id()),
        ("response", "\"OK\"") => format!("ok of {}", message.parent_msg_id()),
        ("error", _) => format!("error for {}", message.parent_msg_id()),
        ("connect", content) => content.trim_matches('"').into(),
        _ => message.msg_id().into(),
    }
}
