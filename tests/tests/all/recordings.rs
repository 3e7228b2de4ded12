//! Reads the recorded conversations in `tests/data/recordings`.

use serde_json::Value;
use std::path::Path;

/// The three of them.
pub(crate) const NAMES: [&str; 3] = ["01-session", "02-keepalive-timeout", "03-cert-rotation"];

/// Which way a frame went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Up,
    Down,
}

/// One thing that was seen on the link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// The upgrade was accepted.
    Opened,
    /// A whole message, fragments put together.
    Message(Way, String),
    /// One side closed.
    Eof(Way),
    /// What the operator did next.
    Mark(String),
}

/// An event with its place in the recording.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Microseconds since the recorder started.
    pub(crate) at: u64,
    /// The TCP connection; 0 for marks.
    pub(crate) connection: u64,
    pub(crate) event: Event,
}

/// Everything seen on the link in one recording, in order.
pub(crate) fn read(name: &str) -> Vec<Seen> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("data/recordings").join(name).with_extension("jsonl");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let mut seen = Vec::new();
    let mut parts = [String::new(), String::new()];
    for line in text.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        if let Some(event) = event(&record, &mut parts) {
            let at = record["t_ns"].as_u64().unwrap() / 1000;
            seen.push(Seen { at, connection: record["conn"].as_u64().unwrap(), event });
        }
    }
    assert_eq!(parts, ["", ""], "{name} ends inside a message");
    seen
}

fn event(record: &Value, parts: &mut [String; 2]) -> Option<Event> {
    let way = if record["dir"] == "cloud->edge" { Way::Down } else { Way::Up };
    match (record["leg"].as_str()?, record["type"].as_str()?) {
        (_, "mark") => Some(Event::Mark(record["text"].as_str()?.into())),
        ("ws", "http_response") => Some(Event::Opened),
        ("ws", "eof") => Some(Event::Eof(way)),
        ("ws", "ws_frame") => {
            let part = &mut parts[usize::from(way == Way::Down)];
            assert!(record["opcode"] == 1 || (record["opcode"] == 0 && !part.is_empty()), "{record}");
            part.push_str(record["text"].as_str()?);
            let whole = record["fin"] == true;
            whole.then(|| Event::Message(way, std::mem::take(part)))
        }
        _ => None,
    }
}
