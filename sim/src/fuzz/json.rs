//! Any bytes as a message to be written, and read again.

use arbitrary::{Arbitrary, Unstructured};
use edgehub_core::limits::{FIELD_BYTES_MAX, NESTING_DEPTH_MAX};
use edgehub_core::{Content, Draft, Message, UnixMillis};
use serde_json::Value;
use serde_json::value::RawValue;
use std::fmt::Write;

/// Reads the bytes as the fields of a message, writes it, and reads it again, with our decoder and with `serde_json`:
/// every field must be the same, and a JSON content the same byte for byte. Then once more with the members in another
/// order and with members that nobody knows.
pub fn json(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    // Reading stops where the bytes do.
    let _ = round_trip(&mut bytes);
}

fn round_trip(bytes: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let mut document = String::new();
    write_document(bytes, &mut document, 0)?;
    let raw = serde_json::from_str::<&RawValue>(&document);
    assert!(raw.is_ok() || depth(&document) >= NESTING_DEPTH_MAX, "a generated document is none: {document}");
    let text = <&str>::arbitrary(bytes)?;
    let content = match (u8::arbitrary(bytes)? % 3, raw) {
        (0, _) => Content::Null,
        (1, Ok(raw)) => Content::Json(raw),
        _ => Content::Text(text),
    };
    let draft = Draft {
        msg_id: <&str>::arbitrary(bytes)?,
        parent_msg_id: <&str>::arbitrary(bytes)?,
        timestamp: UnixMillis(i64::arbitrary(bytes)?),
        resource_version: <&str>::arbitrary(bytes)?,
        sync: bool::arbitrary(bytes)?,
        message_type: <&str>::arbitrary(bytes)?,
        source: <&str>::arbitrary(bytes)?,
        destination: <&str>::arbitrary(bytes)?,
        group: <&str>::arbitrary(bytes)?,
        operation: <&str>::arbitrary(bytes)?,
        resource: <&str>::arbitrary(bytes)?,
        content,
    };
    let Ok(message) = draft.encode() else {
        let too_long = texts(&draft).iter().any(|text| text.len() > FIELD_BYTES_MAX);
        assert!(too_long || depth(&document) >= NESTING_DEPTH_MAX, "refused: {draft:?}");
        return Ok(());
    };
    same(&draft, &message);
    decodes_to(&draft, message.frame());
    as_serde_json_reads_it(&draft, message.frame());
    decodes_to(&draft, &turned_around(&draft, &message));
    unknown_members_survive(&draft, &message, &document);
    Ok(())
}

fn texts<'a>(draft: &Draft<'a>) -> [&'a str; 9] {
    [
        draft.msg_id,
        draft.parent_msg_id,
        draft.resource_version,
        draft.message_type,
        draft.source,
        draft.destination,
        draft.group,
        draft.operation,
        draft.resource,
    ]
}

fn same(draft: &Draft<'_>, message: &Message) {
    let read = [
        message.msg_id(),
        message.parent_msg_id(),
        message.resource_version(),
        message.message_type(),
        message.source(),
        message.destination(),
        message.group(),
        message.operation(),
        message.resource(),
    ];
    assert_eq!(read, texts(draft));
    assert_eq!((message.timestamp(), message.is_sync()), (draft.timestamp, draft.sync));
    match draft.content {
        Content::Null => assert_eq!(message.content(), "null"),
        Content::Json(raw) => assert_eq!(message.content(), raw.get(), "not byte for byte"),
        Content::Text(text) => {
            let read = serde_json::from_str::<String>(message.content());
            assert_eq!(read.ok().as_deref(), Some(text));
        }
    }
}

fn decodes_to(draft: &Draft<'_>, frame: &str) {
    match Message::decode(frame) {
        Ok(message) => same(draft, &message),
        Err(violation) => {
            let deep = depth(frame) > NESTING_DEPTH_MAX;
            assert!(deep, "we do not read what we wrote ({violation}): {frame}");
        }
    }
}

/// Header and route as the crate of the field reads them.
fn as_serde_json_reads_it(draft: &Draft<'_>, frame: &str) {
    let Ok(value) = serde_json::from_str::<Value>(frame) else {
        // A lone surrogate in a content, or a number beyond all numbers: a document, and not a value.
        return assert!(
            serde_json::from_str::<&RawValue>(frame).is_ok() || depth(frame) >= NESTING_DEPTH_MAX
        );
    };
    let names = [
        ("header", "msg_id"),
        ("header", "parent_msg_id"),
        ("header", "resourceversion"),
        ("header", "type"),
        ("route", "source"),
        ("route", "destination"),
        ("route", "group"),
        ("route", "operation"),
        ("route", "resource"),
    ];
    assert_eq!(names.map(|(part, name)| value[part][name].as_str().unwrap_or_default()), texts(draft));
    assert_eq!(value["header"]["timestamp"].as_i64(), Some(draft.timestamp.0));
    assert_eq!(value["header"]["sync"].as_bool().unwrap_or_default(), draft.sync);
}

/// The same message as another writer would put it: other order, other escapes, blanks.
fn turned_around(draft: &Draft<'_>, message: &Message) -> String {
    let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
    let escaped = |text: &str| {
        let units = text.encode_utf16().fold(String::new(), |mut units, unit| {
            // Writing to a String cannot fail.
            let _ = write!(units, "\\u{unit:04x}");
            units
        });
        format!("\"{units}\"")
    };
    let [id, parent, version, kind, source, destination, group, operation, resource] = texts(draft);
    format!(
        " {{ \"content\" : {} ,\n\"route\":{{\"resource\":{},\"operation\":{},\"group\":{},\"destination\":{},\"source\":{}}},\
         \"header\":{{\"sync\":{},\"type\":{},\"resourceversion\":{},\"timestamp\":{},\"parent_msg_id\":{},\"msg_id\":{}}} }}\n",
        message.content(),
        escaped(resource),
        quoted(operation),
        escaped(group),
        quoted(destination),
        escaped(source),
        draft.sync,
        quoted(kind),
        escaped(version),
        draft.timestamp.0,
        quoted(parent),
        escaped(id),
    )
}

/// What this version does not know travels on, byte for byte, also when something else in the frame changes.
fn unknown_members_survive(draft: &Draft<'_>, message: &Message, document: &str) {
    if depth(document) + 2 > NESTING_DEPTH_MAX {
        return;
    }
    let frame = message.frame();
    let unknown = format!("\"unknown\":{document}");
    let with = frame.replacen("{\"header\":{", &format!("{{\"header\":{{{unknown},"), 1);
    let with = format!("{},{unknown}}}", with.strip_suffix('}').unwrap_or_default());
    let read = Message::decode(with.as_str());
    assert!(read.is_ok(), "{read:?}: {with}");
    let Ok(read) = read else { return };
    same(draft, &read);
    let sent = read.into_link_form();
    assert_eq!(sent.frame().matches(&unknown).count(), with.matches(&unknown).count(), "{with}");
    let local = Draft { sync: false, message_type: "", destination: "", ..*draft };
    same(&local, &sent);
}

/// How deep brackets nest, as a scanner counts them that knows strings.
fn depth(document: &str) -> u32 {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0u32, 0, false, false);
    for byte in document.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => depth += 1,
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// A document as strange as JSON allows.
fn write_document(bytes: &mut Unstructured<'_>, out: &mut String, level: u32) -> arbitrary::Result<()> {
    const SCALARS: [&str; 16] = [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-0.0e-0",
        "1E+400",
        "123456789012345678901234567890",
        "0.1000",
        "\"\"",
        r#""\u0000\/\b\f\n\r\t\"\\""#,
        r#""\ud83d\ude00""#,
        r#""\uD800""#,
        "\"\u{2028}\u{7f}é\"",
        "\"}]{[,:\"",
        "9007199254740993",
    ];
    const BLANKS: [&str; 4] = ["", " ", "\n\t", "\r\n  "];
    let blank = *bytes.choose(&BLANKS)?;
    match u8::arbitrary(bytes)? % 8 {
        0 if level < NESTING_DEPTH_MAX => {
            out.push('[');
            for at in 0..bytes.int_in_range(0..=3)? {
                out.push_str(if at > 0 { "," } else { blank });
                write_document(bytes, out, level + 1)?;
            }
            out.push_str(blank);
            out.push(']');
        }
        1 if level < NESTING_DEPTH_MAX => {
            out.push('{');
            out.push_str(blank);
            for at in 0..bytes.int_in_range(0..=3)? {
                out.push_str(if at > 0 { "," } else { "" });
                let name = *bytes.choose(&["a", "a", "msg_id", "content", "", "\\u0061"])?;
                let _ = write!(out, "\"{name}\"{blank}:{blank}");
                write_document(bytes, out, level + 1)?;
            }
            out.push('}');
        }
        2 => {
            // Straight down.
            let levels = bytes.int_in_range(0..=NESTING_DEPTH_MAX.saturating_sub(level))? as usize;
            let _ = write!(out, "{}{}", "[".repeat(levels), "]".repeat(levels));
            if levels == 0 {
                out.push('0');
            }
        }
        3 => {
            let text = <&str>::arbitrary(bytes)?;
            out.push_str(&serde_json::to_string(text).unwrap_or_default());
        }
        4 => {
            let _ = write!(out, "{}", i64::arbitrary(bytes)?);
        }
        _ => out.push_str(bytes.choose(&SCALARS)?),
    }
    Ok(())
}
