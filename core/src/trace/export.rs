//! A trace in formats that other tools read.
//!
//! Both writers are handed lines one by one, so that a long trace needs no memory of its size.

use super::explain::{Biographer, Fate, Story};
use super::replay::{Moment, Replay, ReplayError, Replayed};
use super::{Trace, describe};
use crate::hub::{Direction, Note, Output};
use crate::time::Now;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::ops::ControlFlow;
use serde_json::{Value, json};

/// JSON, one object a line, each with a `type`:
///
/// | type | what |
/// |---|---|
/// | `header` | the head of the trace; always first |
/// | `input` | one input with its outputs, in words; left out unless `with_inputs` |
/// | `link` | a link that came up or ended: epoch, and with its end the reason |
/// | `rtt` | a round trip, in microseconds |
/// | `depth` | messages in the outbox, whenever the number has changed: queued and unconfirmed |
/// | `message` | the story of a message, when it is over: every event with its times |
/// | `damage` | a part that cannot be read; these come last |
///
/// Times are `mono_us`, microseconds of the hub's clock, and `wall_ms`, Unix milliseconds.
pub fn json_lines(
    trace: &Trace<'_>,
    with_inputs: bool,
    mut line: impl FnMut(&Value),
) -> Result<Replayed, ReplayError> {
    line(&json!({
        "type": "header",
        "header": trace.header(),
        "records": trace.records(),
        "blocks": trace.blocks().len(),
        "bytes": trace.bytes(),
    }));
    let ended = RefCell::new(VecDeque::new());
    let mut biographer = Biographer::new(|story| ended.borrow_mut().push_back(story));
    let mut depth = (0, 0);
    let replayed = Replay::new(trace).without_comparing().run(|moment| {
        biographer.watch(moment);
        if with_inputs {
            line(&input_line(moment));
        }
        notes(moment, &mut line);
        let now = (moment.hub.queued(), moment.hub.unconfirmed());
        if core::mem::replace(&mut depth, now) != now {
            line(&timed(moment.now, json!({ "type": "depth", "queued": now.0, "unconfirmed": now.1 })));
        }
        ended.borrow_mut().drain(..).for_each(|story| line(&story_line(&story)));
        ControlFlow::Continue(())
    })?;
    biographer.finish();
    ended.borrow_mut().drain(..).for_each(|story| line(&story_line(&story)));
    for damage in &replayed.damage {
        line(&json!({ "type": "damage", "offset": damage.offset(), "why": format!("{damage}") }));
    }
    Ok(replayed)
}

fn timed(now: Now, mut value: Value) -> Value {
    if let Value::Object(members) = &mut value {
        members.insert("mono_us".into(), now.mono.0.into());
        members.insert("wall_ms".into(), now.wall.0.into());
    }
    value
}

fn input_line(moment: &Moment<'_>) -> Value {
    let outputs: Vec<String> = moment.outputs.iter().map(describe::output).collect();
    let input = moment.input.map(describe::input);
    timed(moment.now, json!({ "type": "input", "record": moment.record, "input": input, "outputs": outputs }))
}

fn notes(moment: &Moment<'_>, line: &mut impl FnMut(&Value)) {
    for output in moment.outputs {
        let value = match output {
            Output::Note(Note::LinkUp { epoch, backlog }) => {
                json!({ "type": "link", "epoch": epoch, "up": true, "backlog": backlog })
            }
            Output::Note(Note::LinkDown { epoch, end, unconfirmed, .. }) => {
                json!({ "type": "link", "epoch": epoch, "up": false, "end": end, "unconfirmed": unconfirmed })
            }
            Output::Note(Note::RoundTrip { rtt }) => {
                json!({ "type": "rtt", "rtt_us": rtt.as_micros() as u64 })
            }
            _ => continue,
        };
        line(&timed(moment.now, value));
    }
}

fn story_line(story: &Story) -> Value {
    let events: Vec<Value> = story
        .events
        .iter()
        .map(|event| {
            let words = format!("{}", event.what);
            timed(event.now, json!({ "record": event.record, "what": event.what, "words": words }))
        })
        .collect();
    let [source, group, operation, resource] = &story.route;
    json!({
        "type": "message",
        "direction": story.direction,
        "msg_id": story.msg_id,
        "parent_msg_id": story.parent_msg_id,
        "source": source,
        "group": group,
        "operation": operation,
        "resource": resource,
        "bytes": story.bytes,
        "content_hash": story.content_hash.map(|hash| format!("{hash:016x}")),
        "fate": format!("{}", story.fate()),
        "took_us": story.took().map(|took| took.as_micros() as u64),
        "events": events,
    })
}

/// Lanes of the Chrome trace.
const LINK: u32 = 1;
const UP: u32 = 2;
const DOWN: u32 = 3;

/// Events of the Chrome trace format, which Perfetto reads: links as spans, messages as spans of their own from their
/// first event to their last, ends of links that it did not see opened as instants, outbox and round trips as counters. Together they are one JSON array, whose brackets and
/// commas are the caller's.
pub fn chrome_trace(trace: &Trace<'_>, mut event: impl FnMut(&Value)) -> Result<Replayed, ReplayError> {
    for (lane, name) in [(LINK, "link"), (UP, "to the cloud"), (DOWN, "from the cloud")] {
        event(&json!({ "ph": "M", "name": "thread_name", "pid": 1, "tid": lane, "args": { "name": name } }));
    }
    let (ended, mut depth, mut up) = (RefCell::new(VecDeque::new()), (0, 0), None);
    let mut biographer = Biographer::new(|story| ended.borrow_mut().push_back(story));
    let replayed = Replay::new(trace).without_comparing().run(|moment| {
        biographer.watch(moment);
        let ts = moment.now.mono.0;
        for output in moment.outputs {
            match output {
                Output::Note(Note::LinkUp { epoch, .. }) => {
                    up = Some(*epoch);
                    event(&json!({ "ph": "b", "cat": "link", "id": epoch.0, "name": format!("link {}", epoch.0), "pid": 1, "tid": LINK, "ts": ts }));
                }
                Output::Note(Note::LinkDown { epoch, end, .. }) => {
                    // A link that never opened, or that opened before the trace begins, has no span to end.
                    let phase = if up.take_if(|up| up == epoch).is_some() { "e" } else { "n" };
                    event(&json!({ "ph": phase, "cat": "link", "id": epoch.0, "name": format!("link {}", epoch.0), "pid": 1, "tid": LINK, "ts": ts, "args": { "end": end } }));
                }
                Output::Note(Note::RoundTrip { rtt }) => {
                    event(&json!({ "ph": "C", "name": "round trip", "pid": 1, "ts": ts, "args": { "ms": rtt.as_secs_f64() * 1e3 } }));
                }
                _ => {}
            }
        }
        let now = (moment.hub.queued(), moment.hub.unconfirmed());
        if core::mem::replace(&mut depth, now) != now {
            event(&json!({ "ph": "C", "name": "outbox", "pid": 1, "ts": ts, "args": { "queued": now.0, "unconfirmed": now.1 } }));
        }
        ended.borrow_mut().drain(..).for_each(|story| span(&story, &mut event));
        ControlFlow::Continue(())
    })?;
    biographer.finish();
    ended.borrow_mut().drain(..).for_each(|story| span(&story, &mut event));
    Ok(replayed)
}

fn span(story: &Story, event: &mut impl FnMut(&Value)) {
    let (Some(first), Some(last)) = (story.events.first(), story.events.last()) else { return };
    let lane = match story.direction {
        Direction::Up => UP,
        Direction::Down => DOWN,
    };
    let [_, _, operation, resource] = &story.route;
    let name = match story.fate() {
        Fate::Arrived => format!("{operation} {resource}"),
        fate => format!("{operation} {resource} ({fate})"),
    };
    let words: Vec<String> = story.events.iter().map(|event| format!("{}", event.what)).collect();
    for (phase, at, arguments) in
        [("b", first, json!({ "msg_id": story.msg_id, "events": words })), ("e", last, json!({}))]
    {
        event(&json!({
            "ph": phase,
            "cat": "message",
            "id": format!("{}-{}", story.msg_id, first.record),
            "name": name,
            "pid": 1,
            "tid": lane,
            "ts": at.now.mono.0,
            "args": arguments,
        }));
    }
}
