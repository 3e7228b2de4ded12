//! Frames that were met lately. Most messages are laid out just as one of them: then their holes are where its holes
//! are, and neither have to be looked for nor does the frame have to be hashed.

use super::super::codebook::put_known;
use super::super::wire::put_bytes;
use super::fillings::{Fillings, put_timestamp, put_uuid};
use super::{ContentRule, Hole, Holes};
use crate::message::{Field, Message};
use crate::rng::Uuid;
use crate::time::UnixMillis;
use alloc::vec::Vec;
use core::ops::Range;

/// Templates of which a frame is kept: more than there are kinds of messages in most moments.
const RECENT: usize = 4;

/// The longest frame that is kept: a large one is not to be kept from its end by a recorder.
const BYTES_MAX: usize = 4096;

/// Frames that were met lately, and the numbers of their templates.
#[derive(Debug, Default)]
pub(super) struct Recent {
    all: [Option<Known>; RECENT],
    next: usize,
}

impl Recent {
    /// Writes a message if one like it is known, and returns whether it did.
    pub(super) fn put(
        &mut self,
        out: &mut Vec<u8>,
        fillings: &mut Fillings,
        message: &Message,
        wall: UnixMillis,
        rule: ContentRule,
    ) -> bool {
        let (start, ids) = (out.len(), fillings.ids.len());
        self.all.iter_mut().flatten().any(|known| {
            let written = known.put(out, fillings, message, wall, rule).is_some();
            if !written {
                out.truncate(start);
                fillings.ids.truncate(ids);
            }
            written
        })
    }

    /// The number of the template of a message with these holes, if its frame differs from a known one in their lengths
    /// only. It takes the known one's place.
    pub(super) fn find_longer(&mut self, message: &Message, holes: &Holes) -> Option<u32> {
        let frame = message.frame();
        let is_alike = |known: &&mut Known| holes.are_alike(frame, &known.holes, known.message.frame());
        let known = self.all.iter_mut().flatten().find(is_alike)?;
        if frame.len() <= BYTES_MAX {
            *known = Known::new(message, holes, known.number);
        }
        Some(known.number)
    }

    /// Keeps a frame, in the place of the oldest one.
    pub(super) fn keep(&mut self, message: &Message, holes: &Holes, number: u32) {
        if message.bytes() <= BYTES_MAX {
            self.all[self.next] = Some(Known::new(message, holes, number));
            self.next = (self.next + 1) % RECENT;
        }
    }
}

/// A frame of a template.
#[derive(Debug)]
struct Known {
    message: Message,
    holes: Holes,
    /// From behind the ids to the content: in most frames that differ at all, this is the same.
    middle: Range<usize>,
    number: u32,
    /// The number of its resource, once that was looked for.
    resource: Option<u32>,
}

impl Known {
    fn new(message: &Message, holes: &Holes, number: u32) -> Known {
        let middle = holes.between_ids_and_content();
        Known { message: message.clone(), holes: holes.clone(), middle, number, resource: None }
    }

    /// Writes a message of which all but the content is laid out as here, if the text around its holes is the same. `None`
    /// when that turned out otherwise, or there is a resource to be defined.
    fn put(
        &mut self,
        out: &mut Vec<u8>,
        fillings: &mut Fillings,
        message: &Message,
        wall: UnixMillis,
        rule: ContentRule,
    ) -> Option<()> {
        if !message.is_laid_out_like(&self.message) {
            return None;
        }
        let (frame, known) = (message.frame().as_bytes(), self.message.frame().as_bytes());
        // What is compared in one piece need not be in several.
        let same_middle = frame.get(self.middle.clone()) == known.get(self.middle.clone());
        let is_same = |here: Range<usize>, there: Range<usize>| {
            let compared = same_middle && self.middle.start <= here.start && here.end <= self.middle.end;
            compared || frame.get(here) == known.get(there)
        };
        let (mut same_time, mut resource) = (true, None);
        put_known(out, self.number);
        let (mut from, mut known_from) = (0, 0);
        for &(hole, start, known_end) in self.holes.as_slice() {
            let end = if hole == Hole::Content { message.place(Field::Content)?.end } else { known_end };
            if !is_same(from..start, known_from..start) {
                return None;
            }
            let text = frame.get(start..end)?;
            match hole {
                Hole::MsgIdUuid | Hole::ParentUuid => {
                    let bits = Uuid::bits_of(text)?;
                    put_uuid(out, bits);
                    fillings.keep_uuid(bits);
                }
                // It may be a UUID.
                Hole::MsgId | Hole::Parent if text.len() == 36 => return None,
                Hole::MsgId | Hole::Parent => {
                    put_bytes(out, text);
                    fillings.keep_id(text);
                }
                Hole::ResourceVersion => put_bytes(out, text),
                Hole::Resource => {
                    let number = self.resource.filter(|_| is_same(start..end, start..end));
                    let number = number.or_else(|| fillings.resource(text))?;
                    put_known(out, number);
                    resource = Some(number);
                }
                Hole::Timestamp => {
                    let timestamp = message.timestamp();
                    same_time = timestamp == self.message.timestamp() && is_same(start..end, start..end);
                    if !same_time && text != itoa::Buffer::new().format(timestamp.0).as_bytes() {
                        return None;
                    }
                    put_timestamp(out, timestamp, wall);
                }
                Hole::Content => fillings.put_content(out, text, rule),
            }
            (from, known_from) = (end, known_end);
        }
        if !is_same(from..frame.len(), known_from..known.len()) {
            return None;
        }
        // The next one has this time, or this resource, more likely.
        let is_new = !same_time || self.resource.is_none() && resource.is_some();
        if is_new && frame.len() <= BYTES_MAX {
            let holes =
                self.holes.with_content_end(message.place(Field::Content).map_or(0, |place| place.end));
            *self = Known { resource, ..Known::new(message, &holes, self.number) };
        }
        Some(())
    }
}
