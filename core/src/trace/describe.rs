//! Inputs and outputs in a few words, for a listing.

use crate::config::Lane;
use crate::hub::{Input, JournalEvent, LinkEvent, ModuleEvent, Output, Stage};
use crate::message::Message;
use alloc::format;
use alloc::string::String;

/// An input. This is the one place that must learn of a new one: it does not compile without.
pub fn input(input: &Input) -> String {
    match input {
        Input::Tick => "tick".into(),
        Input::Shutdown => "shutdown".into(),
        Input::Reconfigure(_) => "new configuration".into(),
        Input::Renewed => "another certificate".into(),
        Input::Journal(event) => {
            let what = match event {
                JournalEvent::Opened { unused, .. } => format!("there, numbers from {unused} on are free"),
                JournalEvent::Restored { number, message } => {
                    format!("held as {number} from before: {}", self::message(message))
                }
                JournalEvent::Stored { up_to } => format!("stored up to {up_to}"),
                JournalEvent::Refused { number } => format!("did not take {number}"),
                JournalEvent::Fetched { number, message } => {
                    format!("read back {number}: {}", self::message(message))
                }
                JournalEvent::Lost { number } => format!("cannot read {number}"),
                JournalEvent::Health(health) => format!("{health:?}"),
                JournalEvent::LettersOpened => "dead letters can be kept".into(),
                JournalEvent::LetterStored { up_to } => format!("dead letters stored up to {}", up_to.0),
                JournalEvent::LetterLost { number } => format!("dead letter {} is lost", number.0),
                JournalEvent::LettersDiscarded { letters } => {
                    format!("{letters} dead letters that were durable are gone")
                }
            };
            format!("journal: {what}")
        }
        Input::Link { epoch, event } => {
            let what = match event {
                LinkEvent::Opened => "opened".into(),
                LinkEvent::OpenFailed => "could not be opened".into(),
                LinkEvent::Received(message) => format!("received {}", self::message(message)),
                LinkEvent::Malformed(violation) => format!("received what is no message: {violation}"),
                LinkEvent::Flushed { messages, bytes } => {
                    format!("flushed {messages} messages, {bytes} bytes")
                }
                LinkEvent::Pong(number) => format!("pong {number}"),
                LinkEvent::Progress => "the peer's machine takes what is written".into(),
                LinkEvent::Closed => "closed".into(),
                LinkEvent::Reached => "the better lane gets through".into(),
            };
            format!("link {}: {what}", epoch.0)
        }
        Input::Module { module, event } => {
            let what = match event {
                ModuleEvent::Joined { name, groups, credit } => {
                    format!("joins as {name} for {groups:?}, credit {credit}")
                }
                ModuleEvent::Left => "leaves".into(),
                ModuleEvent::Sent { message, .. } => format!("sends {}", self::message(message)),
                ModuleEvent::Ready { credit } => format!("takes {credit} more"),
            };
            format!("module {}: {what}", module.0)
        }
    }
}

/// An output. This is the one place that must learn of a new one: it does not compile without.
pub fn output(output: &Output) -> String {
    match output {
        Output::Open { epoch, endpoint, lane, within: _ } => {
            let over = if *lane == Lane::Quic { " over QUIC" } else { "" };
            let to = if *endpoint > 0 { format!(" to endpoint {endpoint}") } else { String::new() };
            format!("open link {}{to}{over}", epoch.0)
        }
        Output::Reach { epoch, endpoint, lane, within: _ } => {
            format!("see beside link {} whether {lane:?} gets through to endpoint {endpoint}", epoch.0)
        }
        Output::Write { epoch, message } => format!("write to link {}: {}", epoch.0, self::message(message)),
        Output::Ping { epoch, number } => format!("ping {number} on link {}", epoch.0),
        Output::Pause { epoch } => format!("stop reading link {}", epoch.0),
        Output::Resume { epoch } => format!("read link {} again", epoch.0),
        Output::Close { epoch } => format!("close link {}", epoch.0),
        Output::Intake { open: true } => "take messages from modules again".into(),
        Output::Intake { open: false } => "make modules wait".into(),
        Output::Deliver { module, message, answer } => {
            let how = if *answer { "answer to" } else { "deliver to" };
            format!("{how} module {}: {}", module.0, self::message(message))
        }
        Output::Receipt { module, receipt: _, msg_id, stage } => {
            format!("tell module {} of {msg_id}: {}", module.0, self::stage(*stage))
        }
        Output::Store { number, message, .. } => format!("store as {number}: {}", self::message(message)),
        Output::Forget { first, last } if first == last => format!("forget {first} in the journal"),
        Output::Forget { first, last } => format!("forget {first} to {last} in the journal"),
        Output::Fetch { number } => format!("read {number} back from the journal"),
        Output::Bury { letter, reason, message, .. } => {
            format!("dead letter {} ({reason}): {}", letter.0, self::message(message))
        }
        Output::JoinRefused { module } => format!("refuse module {}", module.0),
        Output::Stopped => "stopped".into(),
        Output::Note(note) => format!("note: {note:?}"),
    }
}

/// What a module is told of its message.
fn stage(stage: Stage) -> String {
    match stage {
        Stage::Stored => "stored".into(),
        Stage::Written => "written".into(),
        Stage::Confirmed => "confirmed".into(),
        Stage::Dropped { reason, limit: None } => format!("dropped, {reason}"),
        Stage::Dropped { reason, limit: Some(limit) } => format!("dropped, {reason} ({limit} bytes)"),
    }
}

/// A message: what it is about, and its id.
pub fn message(message: &Message) -> String {
    let answers = match message.parent_msg_id() {
        "" => String::new(),
        parent => format!(", answers {parent}"),
    };
    format!(
        "{} {} ({}/{}, {} bytes{answers}) {}",
        message.operation(),
        message.resource(),
        message.source(),
        message.group(),
        message.bytes(),
        message.msg_id()
    )
}

/// The id that an input or output is about, if it is about one.
pub fn is_about(input: Option<&Input>, outputs: &[Output], msg_id: &str) -> bool {
    let about = |message: &Message| message.msg_id() == msg_id || message.parent_msg_id() == msg_id;
    let by_input = match input {
        Some(
            Input::Link { event: LinkEvent::Received(message), .. }
            | Input::Module { event: ModuleEvent::Sent { message, .. }, .. }
            | Input::Journal(JournalEvent::Restored { message, .. } | JournalEvent::Fetched { message, .. }),
        ) => about(message),
        _ => false,
    };
    by_input
        || outputs.iter().any(|output| match output {
            Output::Write { message, .. }
            | Output::Deliver { message, .. }
            | Output::Bury { message, .. }
            | Output::Store { message, .. } => about(message),
            Output::Note(
                crate::hub::Note::Dropped { msg_id: id, .. } | crate::hub::Note::SyncEnded { msg_id: id, .. },
            ) => &**id == msg_id,
            _ => false,
        })
}
