//! Law 13: no decision looks into a content.

use super::{STEPS, run};
use crate::property::check;
use crate::world::{plan, replay};
use edgehub_core::hub::JournalEvent;
use edgehub_core::{Content, Draft, Input, LinkEvent, Message, ModuleEvent, Output};
use proptest::prelude::*;

#[test]
fn law_13_redaction() {
    check("laws::redaction::law_13_redaction", 150, plan(STEPS), |plan| {
        let first = run(&plan);
        let redacted = first.inputs().map(|(now, input)| (now, redacted_input(input)));
        let second = replay(&first.config, first.seed, redacted);
        for (a, b) in first.moments.iter().zip(&second.moments) {
            let a: Vec<Output> = a.outputs.iter().cloned().map(redacted_output).collect();
            let b: Vec<Output> = b.outputs.iter().cloned().map(redacted_output).collect();
            prop_assert_eq!(a, b);
        }
        Ok(())
    });
}

/// The message with its content replaced by a text of the same length that holds a hash of it. The hub's own contents
/// (`ping`, `ack`, connect info, reasons) say nothing about others and hash like the rest.
fn redact(message: &Message) -> Message {
    let content = message.content();
    let hash = content
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let mut text = format!("{hash:016x}");
    let Some(length) = content.len().checked_sub(2) else { return message.clone() };
    text.extend(std::iter::repeat_n('-', length));
    text.truncate(length);
    let draft = Draft { content: Content::Text(&text), ..Draft::from(message) };
    let redacted = draft.encode().unwrap();
    assert_eq!(redacted.bytes(), message.bytes(), "the same length: {message:?}");
    redacted
}

fn redacted_input(input: Input) -> Input {
    match input {
        Input::Link { epoch, event: LinkEvent::Received(message) } => {
            Input::Link { epoch, event: LinkEvent::Received(redact(&message)) }
        }
        Input::Module { module, event: ModuleEvent::Sent { message, timeout, receipt } } => {
            Input::Module { module, event: ModuleEvent::Sent { message: redact(&message), timeout, receipt } }
        }
        Input::Journal(JournalEvent::Fetched { number, message }) => {
            Input::Journal(JournalEvent::Fetched { number, message: redact(&message) })
        }
        Input::Journal(JournalEvent::Restored { number, message }) => {
            Input::Journal(JournalEvent::Restored { number, message: redact(&message) })
        }
        other => other,
    }
}

/// Contents that come from a module or the cloud were redacted on the way in of one run and are redacted here in the
/// other; redacting twice would hash the hash, so what is compared is everything but the content.
fn redacted_output(mut output: Output) -> Output {
    if let Output::Write { message, .. }
    | Output::Deliver { message, .. }
    | Output::Store { message, .. }
    | Output::Bury { message, .. } = &mut output
    {
        let blank = "-".repeat(message.content().len().saturating_sub(2));
        let draft = Draft {
            msg_id: message.msg_id(),
            parent_msg_id: message.parent_msg_id(),
            timestamp: message.timestamp(),
            source: message.source(),
            group: message.group(),
            operation: message.operation(),
            resource: message.resource(),
            content: Content::Text(&blank),
            ..Draft::default()
        };
        *message = draft.encode().unwrap();
    }
    output
}
