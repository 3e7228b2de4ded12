//! The index of messages that differ in some fields only, without reading each of their frames.
//!
//! Frames of one pattern are the same pieces of text with other texts in the holes between them. Where the fields are
//! follows from where the pieces and the holes are.

#[cfg(test)]
use super::Field;
use super::{INDEXED, Index, Message, Span};
use crate::limits::{FIELD_BYTES_MAX, FRAME_BYTES_MAX};
use alloc::string::String;
use bytestring::ByteString;
use core::ops::Range;

/// Where a field is, in every frame of a pattern.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// It is empty.
    Absent,
    /// It fills a hole.
    Hole(usize),
    /// It stands in a piece: so far behind the piece's start, and so long.
    Piece { piece: usize, offset: usize, len: usize },
}

/// What the frames of a pattern have in common.
#[derive(Debug)]
pub(crate) struct Pattern {
    texts: [Place; INDEXED],
    content: Place,
    timestamp_ms: i64,
    sync: bool,
    all_known: bool,
}

impl Pattern {
    /// The pattern of a message whose frame has holes here, in order; `None` for one that has to be read each time.
    /// Piece `n` stands before hole `n`, and one more behind the last.
    pub(crate) fn of(message: &Message, holes: &[Range<usize>]) -> Option<Pattern> {
        if message.beside.is_some() {
            return None;
        }
        let place = |range: Range<usize>| {
            if range.is_empty() {
                return Some(Place::Absent);
            }
            if let Some(hole) = holes.iter().position(|hole| *hole == range) {
                return Some(Place::Hole(hole));
            }
            let piece = holes.iter().take_while(|hole| hole.end <= range.start).count();
            let from = piece.checked_sub(1).and_then(|before| holes.get(before)).map_or(0, |hole| hole.end);
            let to = holes.get(piece).map_or(message.bytes(), |hole| hole.start);
            let inside = from <= range.start && range.end <= to;
            inside.then(|| Place::Piece { piece, offset: range.start - from, len: range.len() })
        };
        let mut texts = [Place::Absent; INDEXED];
        for (text, span) in texts.iter_mut().zip(message.index.spans) {
            *text = place(span.range())?;
        }
        let (start, end) = message.index.content;
        Some(Pattern {
            texts,
            content: place(start as usize..end as usize)?,
            timestamp_ms: message.index.timestamp_ms,
            sync: message.index.sync,
            all_known: message.index.all_known,
        })
    }

    /// The message of a frame of this pattern, whose holes are here and hold nothing that JSON would escape. A frame that
    /// this index cannot describe comes back, to be read. `timestamp_ms` is the one that stands in a hole, if one does.
    pub(crate) fn message(
        &self,
        frame: String,
        holes: &[Range<usize>],
        timestamp_ms: Option<i64>,
    ) -> Result<Message, String> {
        let range = |place: Place| match place {
            Place::Absent => Some(0..0),
            Place::Hole(hole) => holes.get(hole).cloned(),
            Place::Piece { piece, offset, len } => {
                let before = piece.checked_sub(1).and_then(|before| holes.get(before));
                let start = before.map_or(0, |hole| hole.end) + offset;
                Some(start..start + len)
            }
        };
        let mut index = Index {
            timestamp_ms: timestamp_ms.unwrap_or(self.timestamp_ms),
            sync: self.sync,
            all_known: self.all_known,
            ..Index::default()
        };
        for (span, text) in index.spans.iter_mut().zip(self.texts) {
            let found = range(text).filter(|range| range.len() <= FIELD_BYTES_MAX);
            match found.and_then(|range| Span::in_frame(range.start, range.len())) {
                Some(found) => *span = found,
                None => return Err(frame),
            }
        }
        match range(self.content) {
            Some(content) if frame.len() <= FRAME_BYTES_MAX => {
                index.content = (content.start as u32, content.end as u32);
                Ok(Message { frame: ByteString::from(frame), beside: None, index })
            }
            _ => Err(frame),
        }
    }
}

impl Message {
    /// The message of another frame, in which everything stands where it stands in this one's.
    pub(crate) fn with_frame_like(&self, frame: String, timestamp_ms: Option<i64>) -> Message {
        let mut index = self.index.clone();
        index.timestamp_ms = timestamp_ms.unwrap_or(index.timestamp_ms);
        Message { frame: ByteString::from(frame), beside: None, index }
    }

    /// Whether two messages have the same frame and the same index of it.
    #[cfg(test)]
    pub(crate) fn is_indexed_like(&self, other: &Message) -> bool {
        use Field as F;
        let fields = [F::MsgId, F::ParentMsgId, F::ResourceVersion, F::Type, F::Source];
        let more = [F::Destination, F::Group, F::Operation, F::Resource];
        let same = |field: &F| {
            self.field(*field) == other.field(*field) && self.place(*field) == other.place(*field)
        };
        self == other
            && fields.iter().chain(&more).all(same)
            && self.content() == other.content()
            && (self.timestamp(), self.is_sync()) == (other.timestamp(), other.is_sync())
            && self.index.all_known == other.index.all_known
    }
}
