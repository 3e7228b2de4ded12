//! Any bytes as a frame.

use edgehub_core::{Message, Violation};

/// Decodes the bytes; what is accepted must be consistent, and what is refused must not be a message for Go either.
pub fn frame(data: &[u8]) {
    match Message::decode_bytes(data.to_vec().into()) {
        Ok(message) => accepted(data, &message),
        Err(violation) => refused(data, violation),
    }
}

fn accepted(data: &[u8], message: &Message) {
    let text = &**message.frame();
    assert!(
        std::str::from_utf8(data).is_ok_and(|data| data.contains(text)),
        "the frame is a part of the data"
    );
    assert!(is_json(text), "accepted, but serde_json does not read it: {text}");
    let again = Message::decode(message.frame().clone());
    assert!(again.is_ok(), "decoding twice fails: {again:?}");
    if let Ok(again) = again {
        same_fields(message, &again);
        assert_eq!(message.is_sync(), again.is_sync());
        assert_eq!(message.frame(), again.frame(), "decoding twice cuts twice");
    }
    assert!(is_json(message.content()), "the content is no document: {}", message.content());
    link_form(message);
}

/// What travels has lost what is local, and nothing else; and it travels unchanged from then on.
fn link_form(message: &Message) {
    let sent = message.clone().into_link_form();
    assert!(!sent.is_sync() && sent.message_type().is_empty() && sent.destination().is_empty());
    same_route(message, &sent);
    assert_eq!(message.content(), sent.content());
    assert_eq!(sent.clone().into_link_form().frame(), sent.frame(), "sent twice is not the same");
    assert!(is_json(sent.frame()));
    let read = Message::decode(sent.frame().clone());
    assert!(read.is_ok(), "the receiver refuses it: {read:?}");
    if let Ok(read) = read {
        same_route(message, &read);
        assert_eq!(message.content(), read.content());
    }
}

fn same_fields(one: &Message, other: &Message) {
    same_route(one, other);
    assert_eq!(one.message_type(), other.message_type());
    assert_eq!(one.destination(), other.destination());
    assert_eq!(one.content(), other.content());
    assert_eq!(one.is_response(), other.is_response());
}

fn same_route(one: &Message, other: &Message) {
    assert_eq!(one.msg_id(), other.msg_id());
    assert_eq!(one.parent_msg_id(), other.parent_msg_id());
    assert_eq!(one.resource_version(), other.resource_version());
    assert_eq!(one.timestamp(), other.timestamp());
    assert_eq!(one.source(), other.source());
    assert_eq!(one.group(), other.group());
    assert_eq!(one.operation(), other.operation());
    assert_eq!(one.resource(), other.resource());
}

/// Whether `serde_json` takes the text for one document. It only reads raw, so lone surrogates and huge numbers are
/// as good for it as they are for Go; the depth limit of ours lies at its own.
fn is_json(text: &str) -> bool {
    serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok()
}

/// A frame may be refused for its fields or its depth. Refused as JSON it must not begin with a document.
fn refused(data: &[u8], violation: Violation) {
    let Ok(text) = std::str::from_utf8(data) else { return assert_eq!(violation, Violation::NotUtf8) };
    let mut documents = serde_json::Deserializer::from_str(text).into_iter::<&serde_json::value::RawValue>();
    let first = documents.next().and_then(Result::ok);
    match violation {
        Violation::Truncated | Violation::NotJson { .. } | Violation::Empty => {
            assert!(first.is_none(), "refused ({violation}), but serde_json reads {first:?}");
        }
        Violation::NotAnObject => assert!(!text.trim_start().starts_with('{')),
        _ => {}
    }
}
