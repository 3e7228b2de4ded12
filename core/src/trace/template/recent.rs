//! Frames that were met lately. Most messages are laid out just as one of them: then their holes are where its holes
//! are, and neither have to be looked for nor does the frame have to be hashed.

use super::{Hole, Holes, between, uuid};
use crate::message::{Field, Message};

/// Templates of which a frame is kept: more than there are kinds of messages in most moments.
const RECENT: usize = 4;

/// The longest frame that is kept: a large one is not to be kept from its end by a recorder.
const BYTES_MAX: usize = 4096;

/// A frame of a template.
#[derive(Debug)]
struct Known {
    message: Message,
    holes: Holes,
    number: u32,
}

/// Frames that were met lately, and the numbers of their templates.
#[derive(Debug, Default)]
pub(super) struct Recent {
    all: [Option<Known>; RECENT],
    next: usize,
}

impl Recent {
    /// The holes of a message and the number of its template, if one like it is known.
    pub(super) fn find(&self, message: &Message) -> Option<(Holes, u32)> {
        self.all.iter().flatten().find_map(|known| Some((known.holes_of(message)?, known.number)))
    }

    /// The number of the template of a message with these holes, if its frame differs from a known one in their lengths
    /// only. It takes the known one's place.
    pub(super) fn find_longer(&mut self, message: &Message, holes: &Holes) -> Option<u32> {
        let frame = message.frame();
        let is_alike = |known: &&mut Known| holes.are_alike(frame, &known.holes, known.message.frame());
        let known = self.all.iter_mut().flatten().find(is_alike)?;
        if frame.len() <= BYTES_MAX {
            (known.message, known.holes) = (message.clone(), holes.clone());
        }
        Some(known.number)
    }

    /// Keeps a frame, in the place of the oldest one.
    pub(super) fn keep(&mut self, message: &Message, holes: &Holes, number: u32) {
        if message.bytes() <= BYTES_MAX {
            self.all[self.next] = Some(Known { message: message.clone(), holes: holes.clone(), number });
            self.next = (self.next + 1) % RECENT;
        }
    }
}

impl Known {
    /// The holes of a message of which all but the content is laid out as here, if the text around them is the same.
    fn holes_of(&self, message: &Message) -> Option<Holes> {
        if !message.is_laid_out_like(&self.message) {
            return None;
        }
        let (frame, known) = (&**message.frame(), &**self.message.frame());
        let mut holes = self.holes.clone();
        let (mut msg_id, mut parent) = (None, None);
        let (mut from, mut known_from) = (0, 0);
        for (hole, start, end) in holes.as_mut_slice() {
            let known_end = *end;
            match hole {
                Hole::MsgIdUuid => msg_id = Some(uuid(frame.get(*start..*end)?)?),
                Hole::ParentUuid => parent = Some(uuid(frame.get(*start..*end)?)?),
                // It may be a UUID.
                Hole::MsgId | Hole::Parent if *end - *start == 36 => return None,
                Hole::Timestamp => {
                    let mut digits = itoa::Buffer::new();
                    let text = digits.format(message.timestamp().0).as_bytes();
                    (between(frame, *start, *end) == text).then_some(())?;
                }
                Hole::Content => *end = message.place(Field::Content)?.end,
                Hole::MsgId | Hole::Parent | Hole::ResourceVersion | Hole::Resource => {}
            }
            let same = between(frame, from, *start) == between(known, known_from, *start);
            (from, known_from) = (*end, known_end);
            same.then_some(())?;
        }
        let same = between(frame, from, frame.len()) == between(known, known_from, known.len());
        (holes.msg_id, holes.parent) = (msg_id, parent);
        same.then_some(holes)
    }
}
