//! Writes many messages of one route: what is the same in all of them is written once.
//!
//! A module sends most of its messages about the same thing. Between the id and the time in front and the content behind,
//! their frames are equal.

use super::encode::write_content;
use super::sheet::Sheet;
use super::{Content, Field, INDEXED, Index, Message, Span, text};
use crate::limits::{FIELD_BYTES_MAX, FRAME_BYTES_MAX};
use crate::time::UnixMillis;
use alloc::string::String;

const BEFORE_ID: &str = "{\"header\":{\"msg_id\":\"";
const BEFORE_TIME: &str = "\",\"timestamp\":";
const BEFORE_ROUTE: &str = "},\"route\":{";
const BEFORE_CONTENT: &str = "},\"content\":";

/// The members of a route, in the order in which a [`Draft`](super::Draft) writes them.
const MEMBERS: [(Field, &str); 4] = [
    (Field::Source, "\"source\":\""),
    (Field::Group, "\"group\":\""),
    (Field::Operation, "\"operation\":\""),
    (Field::Resource, "\"resource\":\""),
];

/// A route: source, group, operation and resource.
pub type Route<'a> = [&'a str; MEMBERS.len()];

/// The part of a frame from behind the time to the content, for one route.
#[derive(Debug, Default)]
pub struct Stencil {
    text: String,
    /// Where the fields are in it.
    spans: [Span; INDEXED],
    /// Whether it can be used: no field of the route needs an escape, none is too long.
    fits: bool,
    /// Where the next frame is written.
    draft: String,
    sheet: Sheet,
}

impl Stencil {
    /// Writes a message with nothing but an id, a time, a route and a content: the same that a [`Draft`](super::Draft) with
    /// these fields writes. `None` when only a draft can say what is to be done with them.
    ///
    /// ```
    /// use edgehub_core::message::{Stencil, operation};
    /// use edgehub_core::{Content, Draft, UnixMillis};
    /// let mut stencil = Stencil::default();
    /// let draft = Draft {
    ///     msg_id: "1",
    ///     timestamp: UnixMillis(7),
    ///     source: "meter",
    ///     group: "resource",
    ///     operation: "update",
    ///     resource: "default/meter/1",
    ///     content: Content::Text("21.5"),
    ///     ..Draft::default()
    /// };
    /// let route = [draft.source, draft.group, draft.operation, draft.resource];
    /// assert_eq!(stencil.write(route, draft.msg_id, draft.timestamp, draft.content), draft.encode().ok());
    /// ```
    pub fn write(
        &mut self,
        route: Route<'_>,
        msg_id: &str,
        timestamp: UnixMillis,
        content: Content<'_>,
    ) -> Option<Message> {
        if !self.is_for(route) {
            self.cut(route);
        }
        if !self.fits || msg_id.len() > FIELD_BYTES_MAX || !text::is_plain(msg_id) {
            return None;
        }
        let mut time = itoa::Buffer::new();
        let time = time.format(timestamp.0);
        let ahead = BEFORE_ID.len() + msg_id.len() + BEFORE_TIME.len() + time.len();
        let frame = &mut self.draft;
        frame.clear();
        for part in [BEFORE_ID, msg_id, BEFORE_TIME, time, &self.text] {
            frame.push_str(part);
        }
        let mut index =
            Index { timestamp_ms: timestamp.0, spans: self.spans, all_known: true, ..Index::default() };
        index.spans[Field::MsgId as usize] = Span::in_frame(BEFORE_ID.len(), msg_id.len())?;
        for (field, _) in MEMBERS {
            let span = &mut index.spans[field as usize];
            // An empty field is not there, and has no place.
            span.start = if span.len == 0 { 0 } else { span.start + u16::try_from(ahead).ok()? };
        }
        write_content(content, frame, &mut index).ok()?;
        frame.push('}');
        if frame.len() > FRAME_BYTES_MAX {
            return None;
        }
        let frame = self.sheet.take(frame);
        Some(Message { frame, beside: None, index })
    }

    fn is_for(&self, route: Route<'_>) -> bool {
        let same = |((field, _), value): (&(Field, &str), &str)| {
            self.text.as_bytes().get(self.spans[*field as usize].range()) == Some(value.as_bytes())
        };
        self.fits && MEMBERS.iter().zip(route).rev().all(same)
    }

    /// Makes it one for another route.
    fn cut(&mut self, route: Route<'_>) {
        self.text.clear();
        self.text.push_str(BEFORE_ROUTE);
        self.spans = [Span::default(); INDEXED];
        self.fits = route.iter().all(|value| value.len() <= FIELD_BYTES_MAX && text::is_plain(value));
        if !self.fits {
            return;
        }
        for ((field, name), value) in MEMBERS.into_iter().zip(route) {
            if value.is_empty() {
                continue;
            }
            if self.text.len() > BEFORE_ROUTE.len() {
                self.text.push(',');
            }
            self.text.push_str(name);
            self.spans[field as usize] = Span::in_frame(self.text.len(), value.len()).unwrap_or_default();
            self.text.push_str(value);
            self.text.push('"');
        }
        self.text.push_str(BEFORE_CONTENT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Draft;
    use proptest::prelude::*;
    use std::format;
    use std::string::String;

    /// Fields that repeat, are empty, need an escape, are as long as they may be, and longer.
    fn field() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => prop::sample::select(std::vec!["", "a", "b/c"]).prop_map(String::from),
            1 => "[a\"\\\\é]{0,3}",
            1 => (FIELD_BYTES_MAX - 1..FIELD_BYTES_MAX + 2).prop_map(|length| "x".repeat(length)),
        ]
    }

    proptest! {
        /// A stencil writes what a draft writes, or nothing.
        #[test]
        fn it_is_a_draft(
            messages in prop::collection::vec((prop::array::uniform5(field()), any::<i64>(), ".{0,40}"), 1..6)
        ) {
            let mut stencil = Stencil::default();
            for ([msg_id, source, group, operation, resource], time, content) in &messages {
                let (timestamp, content) = (UnixMillis(*time), Content::Text(content));
                let draft =
                    Draft { msg_id, timestamp, source, group, operation, resource, content, ..Draft::default() };
                let route: Route<'_> = [source, group, operation, resource];
                match (stencil.write(route, msg_id, timestamp, content), draft.encode()) {
                    (Some(written), Ok(drafted)) => {
                        // Also its index, which `Debug` shows.
                        prop_assert_eq!(format!("{:?}", written.index), format!("{:?}", drafted.index));
                        prop_assert_eq!(written, drafted);
                    }
                    (Some(_), Err(violation)) => prop_assert!(false, "{}", violation),
                    (None, _) => {
                        let plain = |text: &String| text.len() <= FIELD_BYTES_MAX && text::is_plain(text);
                        prop_assert!(![msg_id, source, group, operation, resource].into_iter().all(plain));
                    }
                }
            }
        }
    }
}
