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
    number: u32,
    /// The number of its resource, once that was looked for.
    resource: Option<u32>,
}

impl Known {
    fn new(message: &Message, holes: &Holes, number: u32) -> Known {
        Known { message: message.clone(), holes: holes.clone(), number, resource: None }
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
        let (mut same_time, mut resource) = (true, None);
        put_known(out, self.number);
        let (mut from, mut known_from) = (0, 0);
        for &(hole, start, known_end) in self.holes.as_slice() {
            let end = if hole == Hole::Content { message.place(Field::Content)?.end } else { known_end };
            let (text, known_text) = (frame.get(start..end)?, known.get(start..known_end)?);
            if frame.get(from..start)? != known.get(known_from..start)? {
                return None;
            }
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
                    let number = self.resource.filter(|_| text == known_text);
                    let number = number.or_else(|| fillings.resource(text))?;
                    put_known(out, number);
                    resource = Some(number);
                }
                Hole::Timestamp => {
                    let timestamp = message.timestamp();
                    same_time = text == known_text && timestamp == self.message.timestamp();
                    if !same_time && text != itoa::Buffer::new().format(timestamp.0).as_bytes() {
                        return None;
                    }
                    put_timestamp(out, timestamp, wall);
                }
                Hole::Content => fillings.put_content(out, text, rule),
            }
            (from, known_from) = (end, known_end);
        }
        if frame.get(from..)? != known.get(known_from..)? {
            return None;
        }
        // The next one has this time, or this resource, more likely.
        if (!same_time || self.resource.is_none()) && frame.len() <= BYTES_MAX {
            self.resource = resource;
            self.holes.end_content_at(message.place(Field::Content).map_or(0, |place| place.end));
            self.message = message.clone();
        }
        Some(())
    }
}
